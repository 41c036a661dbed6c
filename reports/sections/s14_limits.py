"""What this report does not say, and when to make it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reports.number_text import label, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun

TITLE = "Limits"
EVALUATOR = "evaluator"


@dataclass(frozen=True)
class Limits:
    """Sentences on what holds in general, on what this run lacks, and on when to make it again."""

    general: tuple[str, ...]
    here: tuple[str, ...]
    redo: tuple[str, ...]


GENERAL = (
    "Memory, energy, latency and power are computed from the constants of the chip file, not measured on silicon. Use "
    "them to compare designs on this chip, not as absolute values.",
    "Energy is computed from the spikes counted on the images of this run. Images that cause more spikes cost "
    "more energy.",
    "The front is the best of the evaluated designs, not of all possible ones.",
)
REDO = (
    "the checkpoint, the data or the hardware file changes (page one gives their hashes)",
    "the frame rate or the number of time steps changes",
    "a constant in the hardware table is measured: `svit-dse report RUN --hardware FILE` computes every cost again "
    "without running the network",
)


def record(run: FinishedRun) -> Limits:
    """The limits of a run, each read from what the run recorded."""
    here = []
    m = run.manifest
    if not any(d.verified for d in run.designs):
        here.append("No design was measured on unseen images. All drops are on the search images.")
    front = [(d.drop_high - d.drop_low) / 2 for d in run.front]
    if front:
        here.append(f"The median half-width of the 95 % intervals on the front is {tidy(float(np.median(front)))} pp.")
    if m.chaos:
        here.append(
            f"Noise on the weights alone changes {tidy(100 * m.chaos.changed)} % of the predictions (the chaos floor). "
            "Designs whose predictions differ by less cannot be told apart."
        )
    if m.assumed:
        here.append(f"{m.assumed}.")
    if m.origin.dirty:
        here.append("The source tree had local changes that no commit holds.")
    if m.mixed_inputs:
        here.append("The study joins evaluations that were made with different inputs; see Reproduction.")
    if m.failures:
        here.append(f"{len(m.failures)} evaluations failed and are missing from the tables.")
    if m.recosted_from:
        here.append("The costs were computed again on another chip. The search used the costs of the first chip.")
    costs, *others = GENERAL
    return Limits((arithmetic(run), own_costs(run) or costs, *others), tuple(here), REDO)


def own_costs(run: FinishedRun) -> str:
    """Which costs functions of the caller computed; empty where all are the chip's."""
    own = [f"{label(key)} by {name}" for key, name in run.manifest.own_parts if key != EVALUATOR]
    if not own:
        return ""
    return (
        f"Functions of the caller computed {', '.join(own)}; every other cost comes from the constants of the chip "
        "file. Costs from such a function have no components and no intervals, so this report has no breakdown, no "
        "robustness and no comparison with other networks or chips."
    )


def arithmetic(run: FinishedRun) -> str:
    """With which arithmetic the accuracies of this run were measured.

    A design with widths of its membrane potentials was evaluated as the integer network of its export, one without in
    float32 between layers; results.csv says which by its v: columns.
    """
    for key, name in run.manifest.own_parts:
        if key == EVALUATOR:
            return (
                f"Accuracy was measured by an evaluator of the caller, {name}, not by the integer network of this "
                "tool. Gradient scores, the chaos floor and the firing of neurons are those of the captured network."
            )
    quantized = [d for d in run.designs if d.id != run.baselines.get("float")]
    integer = sum(bool(d.state_bits) for d in quantized)
    if not quantized or integer == 0:
        return (
            "Accuracy was measured with weights rounded to integers and float32 arithmetic between layers. A chip with "
            "fixed-point membrane potentials or narrower accumulators may give other results."
        )
    which = "Every design" if integer == len(quantized) else f"{integer:,} of {len(quantized):,} designs"
    others = "" if integer == len(quantized) else " The others have float32 membrane potentials."
    return (
        f"{which} except the float network was evaluated as the integer network that `svit-dse export` writes, with "
        f"integer weights, fixed-point membrane potentials and fixed-point values between layers. Their widths are "
        f"those of the design, or of the configuration where they were not searched.{others} "
        f"A chip that rounds, saturates or accumulates differently may give other results."
    )


def draw(r: Limits) -> Drawing:
    """Three lists."""
    parts = [_listed(r.general)]
    if r.here:
        parts += [html.heading("In this run"), _listed(r.here)]
    parts += [html.heading("Make the report again when"), _listed(r.redo)]
    return Drawing(html.join(*parts))


def _listed(sentences: tuple[str, ...]) -> Markup:
    items = Markup("").join(Markup("<li>{}</li>").format(html.code_in(s)) for s in sentences)
    return Markup("<ul>{}</ul>").format(items)
