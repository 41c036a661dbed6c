"""What a search by a configuration will cost, before it is started."""

from __future__ import annotations

import time
from collections.abc import Mapping

import sviT_models
from dse.config.quantities import Quantity, show
from dse.config.schema import Config
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.experiment import Experiment
from dse.evaluation.measurement import share_text
from dse.evaluation.prepare import prepare
from dse.evaluation.sample_size import needed_images
from dse.problem.design import Design, uniform
from dse.progress import Advance, quiet, within
from dse.workflows.door import check_search
from dse.workflows.search_images import images_text, share_of


def checkup(config: Config, advance: Advance = quiet) -> dict[str, str | int]:
    """Size of the space, cost of one evaluation and the estimated time of the search, measured by one evaluation."""
    start = time.perf_counter()
    experiment = prepare(config, advance)
    reached = check_search(config, experiment)
    evaluator = experiment.evaluator(experiment.images)
    prepared = time.perf_counter() - start
    network, width = experiment.network, max(config.search.widths)
    seconds = _seconds_of_one(experiment, evaluator, (min(config.search.widths), width), advance)
    loaded = sviT_models.loader_speed(experiment.images, config.data.batch_size)
    widest = uniform(network.layers, width, network.time_steps)
    cost = experiment.costing().columns([network.float_design, widest])
    space, layers = experiment.space, len(network.layers)
    memory, energy = (
        [show(float(v), unit) for v in a] for a, unit in ((cost["memory_bytes"], "B"), (cost["energy_j"], "J"))
    )
    chaos, weights = experiment.chaos_floor(), sum(network.weights.values())
    images, pace = config.search.images, evaluator.images / seconds
    if config.search.hours is not None:
        images = round(3600 * config.search.hours * pace)
    share = share_of(config, evaluator.images, chaos.changed, images)
    return {
        "network": f"{network.model.config.name}, {layers} weight layers, {weights:,} weights",
        **({"assumed": experiment.checkpoint.assumed} if experiment.checkpoint.assumed else {}),
        **_forms(experiment),
        "time steps": network.time_steps,
        "images": images_text(share, evaluator.images),
        "float top-1": share_text(evaluator.float.top1, evaluator.images),
        "design space": f"{len(space.dimensions)} choices, {count_text(space.log10_size)} designs",
        "chip": f"{experiment.hardware.name}, weight widths {', '.join(map(str, experiment.hardware.weight_widths))}",
        "memory": f"{memory[0]} as float, {memory[1]} at {width} bits",
        "energy per inference": f"{energy[0]} as float, {energy[1]} at {width} bits",
        "one evaluation": f"{share.each / pace:.2f} s",
        "images per second": f"{pace:,.0f} evaluated, {loaded:,.0f} loaded",
        **_budgets(config, reached),
        **_guarantee(config, experiment, chaos),
        "estimated search time": f"{prepared + share.images / pace:.0f} s for {share.designs} evaluations",
    }


def count_text(log10: float) -> str:
    """A number of designs by its decimal logarithm: as it is up to a million, else its power of ten."""
    return f"{round(10**log10):,}" if log10 <= 6 else f"10^{log10:.0f}"


def _seconds_of_one(experiment: Experiment, evaluator: Evaluator, ends: tuple[int, int], advance: Advance) -> float:
    """What one evaluation takes [s]: that of a design with the least and the greatest width in turn."""
    network = experiment.network
    narrow, wide = (uniform(network.layers, width, network.time_steps) for width in ends)
    experiment.round([wide, narrow])
    for first in (wide, narrow):  # the first evaluations also compile the kernels
        evaluator(first, progress=within(advance, "images of a first evaluation"))
    mixed = tuple(ends[i % 2] for i in range(len(network.layers)))
    before = evaluator.seconds
    evaluator(Design(network.layers, mixed, network.time_steps))
    return evaluator.seconds - before


def _budgets(config: Config, reached: Mapping[Quantity, tuple[float, float]]) -> dict[str, str]:
    """A line per budgeted cost: the budget with its unit, and what the designs of the space reach."""
    limits = config.column_budgets()
    return {
        f"budget of {quantity.key}": f"{show(limits[quantity.column], quantity.unit)}; the space reaches "
        f"{show(least, quantity.unit)} to {show(most, quantity.unit)}"
        for quantity, (least, most) in reached.items()
    }


def _forms(experiment: Experiment) -> dict[str, str]:
    """The forms to choose from."""
    if len(experiment.networks) == 1:
        return {}
    parts = (
        f"{form} ({len(part.layers)} weight layers, {sum(part.weights.values()):,} weights)"
        for form, part in experiment.networks.items()
    )
    return {"form": " or ".join(parts)}


def _guarantee(config: Config, experiment: Experiment, chaos: sviT_models.ChaosFloor) -> dict[str, str]:
    """The network's chaos floor and what a guarantee of the drop budget takes."""
    budget = config.budgets.get("drop")
    floor = f"{chaos.changed:.1%} of the images change class under {chaos.noise:g} of weight noise"
    if budget is None:
        return {"chaos floor": floor}
    needed, have = (
        needed_images(chaos.changed, budget, images=chaos.images),
        len(experiment.source.for_verification()),
    )
    verdict = "enough" if have >= needed else "too few by themselves: the search's prediction has to help"
    return {
        "chaos floor": floor,
        "a guarantee": f"drop <= {budget:g} pp at 95 % takes {needed:,} unseen images; there are {have:,}, {verdict}",
    }
