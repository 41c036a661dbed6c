"""Designs of several forms of one network together: each is costed and evaluated as what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels import Hardware, Workload
from dse.arrays import FloatArray, IntArray
from dse.evaluation.costs import Costing, Following, ObjectiveCosts
from dse.evaluation.evaluator import Evaluation, Evaluator, Partial
from dse.problem.design import Design
from dse.problem.space import Space
from dse.progress import Progress

Columns = dict[str, NDArray[Any]]
Tables = tuple[dict[str, FloatArray], dict[str, float]]


@dataclass(frozen=True)
class FormCosting:
    """Costs of designs by the layer table of their own form; `parts` are by form, on one chip.

    All parts have the same LIF layers in `lif_order`, so that spikes mean the same for all designs.
    """

    parts: Mapping[str, Costing]

    @property
    def first(self) -> Costing:
        """The costing of the form whose float network is the baseline."""
        return next(iter(self.parts.values()))

    @property
    def workload(self) -> Workload:
        """The layer table of the first form."""
        return self.first.workload

    @property
    def hardware(self) -> Hardware:
        """The chip."""
        return self.first.hardware

    @property
    def frame_rate(self) -> float:
        """Inferences per second at which power is stated."""
        return self.first.frame_rate

    @cached_property
    def _by_layers(self) -> dict[tuple[str, ...], Costing]:
        return {tuple(part.workload.weight_layers): part for part in self.parts.values()}

    def of(self, design: Design) -> Costing:
        """The costing of a design's form."""
        return self._by_layers[design.layers]

    def columns(self, designs: Sequence[Design], spikes: FloatArray | None = None) -> Columns:
        """As `Costing.columns`."""
        parts = []
        for layers, costing in self._by_layers.items():
            rows = np.array([d.layers == layers for d in designs], dtype=np.bool_)
            own = [d for d in designs if d.layers == layers]
            if own:
                parts.append((rows, costing.columns(own, None if spikes is None else spikes[rows])))
        return _together(len(designs), parts)

    def of_levels(self, space: Space, levels: IntArray, spikes: FloatArray | None = None) -> Columns:
        """As `Costing.of_levels`."""
        return _together(
            len(levels),
            [
                (rows, self.parts[form].of_levels(own, levels[rows], None if spikes is None else spikes[rows]))
                for form, own, rows in space.per_form(levels)
            ],
        )

    def objectives(self, design: Design, evaluation: Evaluation, names: Sequence[str]) -> dict[str, float]:
        """As `Costing.objectives`."""
        return self.of(design).objectives(design, evaluation, names)

    def breakdown(self, design: Design, spikes: FloatArray) -> pd.DataFrame:
        """As `Costing.breakdown`."""
        return self.of(design).breakdown(design, spikes)

    def tables(self, space: Space, steps: int | None = None, form: str = "") -> Tables:
        """As `Costing.tables`, in one form.

        Costs of different forms do not add up.  Without a `form` the tables are those of the last one, and the row of
        the dimension `form` holds what the widest design costs more (or less) in each of the others.
        """
        if form:
            return self.parts[form].tables(space.variants[form], steps)
        last = list(self.parts)[-1]
        tables, offsets = self.tables(space, steps, last)
        widest = np.stack([space.with_form(space.sizes - 1, form) for form in self.parts])
        if steps is not None:
            widest = np.stack([space.with_steps(row, steps) for row in widest])
        costs = self.of_levels(space, widest)
        at = space.names.index("form")
        for quantity, table in tables.items():
            table[at, : len(widest)] = costs[quantity] - costs[quantity][-1]
        return tables, offsets

    def objective_costs(self, space: Space, names: Sequence[str]) -> ObjectiveCosts:
        """As `Costing.objective_costs`."""
        return ObjectiveCosts(self, space, tuple(names[1:]))

    def following(self, space: Space, names: Sequence[str], harm: FloatArray) -> Following:
        """As `Costing.following`; one regression for all forms."""
        return Following(self.objective_costs(space, names), self.first.features(space, harm))


AnyCosting = Costing | FormCosting


def costing_of(costing: AnyCosting, design: Design) -> Costing:
    """The costing of a design's form."""
    return costing.of(design) if isinstance(costing, FormCosting) else costing


def _together(count: int, parts: Sequence[tuple[NDArray[Any], Columns]]) -> Columns:
    """Columns of some rows each as columns of all (count,)."""
    out: Columns = {}
    for rows, columns in parts:
        for name, values in columns.items():
            out.setdefault(name, np.empty(count, dtype=values.dtype))[rows] = values
    return out


@dataclass
class FormEvaluator:
    """Evaluates every design with the evaluator of its own form, against the float network of that form.

    `make` gives the evaluator of the form with the given layers; it is called when the first design has them, for
    `first` at once.
    """

    make: Callable[[tuple[str, ...]], Evaluator]
    first: tuple[str, ...]
    parts: dict[tuple[str, ...], Evaluator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.of(self.first)

    def of(self, layers: tuple[str, ...]) -> Evaluator:
        """The evaluator of one form."""
        if layers not in self.parts:
            self.parts[layers] = self.make(layers)
        return self.parts[layers]

    def _made(self) -> Iterator[Evaluator]:
        return iter(self.parts.values())

    @property
    def images(self) -> int:
        """Number of images of a full evaluation."""
        return self.of(self.first).images

    @property
    def images_run(self) -> int:
        """Images evaluated so far."""
        return sum(part.images_run for part in self._made())

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return sum(part.seconds for part in self._made())

    @property
    def images_per_second(self) -> float:
        """Throughput so far."""
        return self.images_run / max(self.seconds, 1e-9)

    def known(self, design: Design) -> Evaluation | None:
        """The evaluation of a design that was evaluated before."""
        return self.of(design.layers).known(design)

    def remember(self, design: Design, evaluation: Evaluation) -> None:
        """Take over an evaluation from an earlier run of the same search."""
        self.of(design.layers).remember(design, evaluation)

    def __call__(
        self, design: Design, cut: Callable[[Partial], bool] | None = None, progress: Progress | None = None
    ) -> Evaluation:
        """As `Evaluator`."""
        return self.of(design.layers)(design, cut, progress)

    @property
    def float(self) -> Evaluation:
        """The float network of the first form."""
        return self.of(self.first).float


AnyEvaluator = Evaluator | FormEvaluator
