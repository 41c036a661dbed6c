"""The search as one function that returns a table, for networks that cannot be captured or have no chip."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from torch import nn

from dse import strategies
from dse.api.images import labels_of
from dse.arrays import FloatArray, IntArray
from dse.errors import ConfigError
from dse.evaluation.evaluator import Evaluator, Runner, Subject
from dse.evaluation.measurement import Evaluation
from dse.evaluation.own_parts import one_per_design
from dse.exploration.best_design import Recommendation, cheapest, within
from dse.exploration.expected_drop import expectation
from dse.exploration.loop import Loop
from dse.exploration.study import evaluated, quiet_optuna
from dse.ledger.proposals import levels_of
from dse.optimize.integer_program import InfeasibleError
from dse.optimize.pareto import is_nondominated
from dse.problem.by_form import ByForm
from dse.problem.design import FLOAT, Design, uniform, weight_column
from dse.problem.goals import CONFIDENCE
from dse.problem.problem import Baseline, Part, Problem
from dse.problem.shared_error import SharedError
from dse.problem.space import Dimension, Space
from dse.results.verification import Best, add_exact_picks, last_designs
from dse.surrogate import Posterior
from sviT_models import Output, chaos_floor
from sviT_models.measure.accuracy import Z95
from sviT_models.quantization.quantizers import quantize_weight

Cost = Callable[[FloatArray], FloatArray]
CHAOS_IMAGES = 1000
COLUMNS = {"memory_bytes": "memory_bytes", "cost": "energy_j"}  # ours, and the separable table that stands for it


class ModuleRunner:
    """Evaluates any `nn.Module` with its convolutions and linear layers rounded to nearest, per output channel."""

    def __init__(self, module: nn.Module) -> None:
        self._float = copy.deepcopy(module).eval()  # the caller's module stays in the mode it is in
        self.weights = {n: m.weight.numel() for n, m in module.named_modules() if _has_width(m)}

    def run(
        self, images: Any, weight_bits: Any, *, time_steps: int | None = None, batch_size: int | None = None
    ) -> Output:
        """Logits (N, classes) at one width per weight layer; spikes are not counted."""
        module = copy.deepcopy(self._float)
        layers = dict(module.named_modules())
        for name, bits in zip(self.weights, weight_bits, strict=True):
            if bits != FLOAT:
                weight = layers[name].weight
                weight.data = quantize_weight(weight, int(bits)).dequantized()
        step = batch_size or len(images)
        parts = [torch.as_tensor(images[i : i + step]) for i in range(0, len(images), step)]
        with torch.inference_mode():
            logits = torch.cat([module(part) for part in parts]).numpy()
        return Output(logits, np.zeros((0, 1), dtype=np.int64))


def _has_width(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear))


@dataclass(frozen=True)
class _Costs:
    """Memory and the user's cost of every design."""

    weights: FloatArray
    cost: Cost

    def values(self, bits: IntArray) -> FloatArray:
        """Memory [B] and cost of widths (N, L) -> (N, 2)."""
        wide = np.asarray(bits, dtype=float)
        found = one_per_design(self.cost(wide), wide, "cost: the function", "cost")
        return np.column_stack([wide @ self.weights / 8, found])

    def quantities(self, design: Design, evaluation: Evaluation) -> dict[str, float]:
        """The drop as measured, and the costs."""
        memory, cost = self.values(design.widths[None])[0]
        return {"drop": evaluation.drop, "memory_bytes": float(memory), "cost": float(cost)}


def search_table(
    network: nn.Module | Runner,
    images: Any,
    labels: Any,
    *,
    weights: Mapping[str, int] | None = None,
    cost: Cost | None = None,
    widths: Sequence[int] = (2, 3, 4, 6, 8),
    scores: FloatArray | None = None,
    drop: float = 1.0,
    strategy: str = "posterior",
    options: Mapping[str, Any] | None = None,
    evaluations: int = 60,
    seed: int = 0,
) -> pd.DataFrame:
    """Search the weight widths of any network: one row per design, as measured and as the cost function says.

    `network` is a module (rounded to nearest) or an evaluator with a `run` method
    (`dse.evaluation.evaluator.Runner`), which then needs `weights`, the number of weights of every layer in order.
    `images` are whatever `network` takes, N of them with `labels` (N,), class indices.  The other arguments are
    keywords with defaults: what is searched (`weights`, `cost`, `widths`, `scores`, `drop`), and how (`strategy` with
    its `options`, the number of `evaluations` [designs], the random `seed`).  `cost` maps widths (N, L) in bits to
    (N,), smaller is better; without it, it is the memory.  `widths` are those to choose from [bit].  `scores` (L, B),
    if known, say how harmful every width of every layer is.  `drop` is the budget [percentage points].  Evaluations
    that racing cut short count, but are no rows.

    Columns: `id, drop, drop_low, drop_high` [percentage points] as measured; `expected, expected_low, expected_high`
    [percentage points], the drop on unseen images by the model of all measurements with its 95 % interval; `p_within`,
    the probability that it is at most `drop`; `memory_bytes, cost`; `on_front` (by the expected drop), `feasible`
    (`p_within` at least 0.95) and `w:<layer>`; by ascending memory.  A design that was measured to lose little by luck
    is not feasible for that.  As with the command line, the last evaluation is the least memory that the model trusts,
    after two surer designs where there are 40 evaluations and more; for a module on images (N, 3, H, W), the chaos
    floor says how far measurements err together.  Raises ConfigError for arguments that do not fit together.
    """
    labels = labels_of(labels, len(images))
    runner: Any = ModuleRunner(network) if isinstance(network, nn.Module) else network
    sizes = dict(weights if weights is not None else getattr(runner, "weights", {}))
    problem, costs = _problem(sizes, tuple(sorted(set(widths))), cost, scores, drop)
    if isinstance(network, nn.Module) and np.ndim(images) == 4 and np.shape(images)[1] == 3:
        part = slice(0, CHAOS_IMAGES)
        chaos = chaos_floor(network, torch.as_tensor(images[part]), labels[part], seed=seed)
        problem = replace(problem, shared_error=SharedError.of(chaos, len(labels)))
    subject = Subject(runner, uniform(problem.space.layers, FLOAT, 1))
    evaluator = Evaluator(ByForm.single(subject, subject.reference.layers), images, labels)
    sampler = strategies.load(strategy)(problem, seed, **(options or {}))
    with quiet_optuna():
        study = optuna.create_study(directions=["minimize"] * 3)
    loop = Loop(problem, evaluator, costs.quantities, strategy, sampler)
    loop.run(study, max(evaluations - last_designs(problem, evaluations), 1))
    add_exact_picks(loop, study, _best_of(study), evaluations, lambda line: None)
    loop.run(study, evaluations)
    return _table(study, problem, evaluator)


def _best_of(study: optuna.Study) -> Best:
    """The least memory within the budgets, as the separable tables have the costs; measured designs are not again."""

    def best(problem: Problem, posterior: Posterior) -> Recommendation:
        found = cheapest(problem.whole, posterior, problem.budgets)
        if problem.space.design(found.levels).id in {trial.user_attrs["design"] for trial in evaluated(study)}:
            raise InfeasibleError("the best design was measured before")
        return found

    return best


def _problem(
    sizes: dict[str, int], choices: tuple[int, ...], cost: Cost | None, scores: FloatArray | None, drop: float
) -> tuple[Problem, _Costs]:
    """The search problem of layers with `sizes` weights, and its costs.  Raises ConfigError for what does not fit."""
    if not sizes:
        raise ConfigError("weights: the network has no layer with weights; name them as {layer: number of weights}")
    if not choices:
        raise ConfigError("widths: give at least one")
    layers, size = tuple(sizes), np.array(list(sizes.values()), dtype=float)
    costs = _Costs(size, cost or (lambda bits: bits @ size))
    space = Space(tuple(Dimension(weight_column(n), "weight", choices, (n,), n) for n in layers), layers)
    shape = (len(layers), len(choices))
    if scores is not None and np.shape(scores) != shape:
        raise ConfigError(f"scores: expected shape {shape}, layers by ascending widths, not {np.shape(scores)}")
    tables, offsets = _changes(len(layers), choices, costs)
    problem = Problem(
        Part(space, tables, offsets, np.full(shape, np.nan) if scores is None else np.asarray(scores, dtype=float)),
        costs=lambda levels: costs.values(space.weight_bits(levels)),
        objectives=("drop", "memory_bytes", "cost"),
        budgets={"drop": drop},
        baselines=tuple(Baseline(f"uniform-{b}", space.nearest_levels(b)) for b in reversed(choices)),
    )
    return problem, costs


def _changes(layers: int, choices: tuple[int, ...], costs: _Costs) -> tuple[dict[str, FloatArray], dict[str, float]]:
    """What every layer alone at every width changes, (L, B) by column, and what the widest design costs.

    Exact where the cost is a sum over layers.
    """
    alone = np.full((layers, len(choices), layers), choices[-1])
    for d in range(layers):
        alone[d, :, d] = choices
    widest = costs.values(np.full((1, layers), choices[-1]))[0]
    change = costs.values(alone.reshape(-1, layers)).reshape(layers, len(choices), 2) - widest
    return (
        {table: change[..., i] for i, table in enumerate(COLUMNS.values())},
        {table: float(widest[i]) for i, table in enumerate(COLUMNS.values())},
    )


def _table(study: optuna.Study, problem: Problem, evaluator: Evaluator) -> pd.DataFrame:
    rows = []
    expected, _ = expectation(study, problem)
    for trial in evaluated(study):
        design = problem.space.design(levels_of(trial, problem.space))
        found = evaluator(design)
        row = {"id": design.id, "drop": found.drop, "drop_low": found.drop_low, "drop_high": found.drop_high}
        said = expected.loc[design.id]
        row |= _expected(float(said["expected"]), float(said["sd"]), problem.budgets["drop"])
        rows.append(row | {"memory_bytes": trial.values[1], "cost": trial.values[2]} | design.columns())
    table = pd.DataFrame(rows)
    table.insert(10, "on_front", is_nondominated(table[["expected", "memory_bytes", "cost"]].to_numpy()))
    table.insert(11, "feasible", table["p_within"] >= CONFIDENCE)
    return table.sort_values(["memory_bytes", "id"], ignore_index=True)


def _expected(mean: float, sd: float, budget: float) -> dict[str, float]:
    """What the model says of a drop [points]: mean, 95 % interval, and the chance that it is within the budget."""
    reach = Z95 * sd
    return {
        "expected": mean,
        "expected_low": mean - reach,
        "expected_high": mean + reach,
        "p_within": float(within(mean, sd, budget)),
    }
