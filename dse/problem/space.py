"""The design space: which choices exist, in which order, and how they become a design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from dse.arrays import BoolArray, IntArray
from dse.errors import ConfigError
from dse.problem.by_form import ByForm
from dse.problem.design import FLOAT, PREFIXES, WEIGHTS, Design

if TYPE_CHECKING:
    import optuna

Kind = Literal["weight", "state", "stream", "between", "time_steps", "form"]


@dataclass(frozen=True)
class Dimension:
    """One choice to make: a name, its ascending choices and the layers, or rows of the layer table, that it decides.

    `name` is at once the Optuna parameter, the axis label and, for a single layer, the column of results.csv
    (`w:block3.0.attn.q_conv`, `v:block3`, `r:downsample3`, `b:block3`, `T`).
    """

    name: str
    kind: Kind
    choices: tuple[int, ...]
    layers: tuple[str, ...]
    block: str = ""

    @property
    def group(self) -> str:
        """The group of layers, the stage or the stream that it decides; for time steps and form the name itself."""
        return self.name.removeprefix(WEIGHTS if self.kind == "weight" else PREFIXES.get(self.kind, ""))

    def __post_init__(self) -> None:
        if not self.choices or list(self.choices) != sorted(set(self.choices)):
            raise ConfigError(f"{self.name}: choices {list(self.choices)} must be ascending and without repetition")


@dataclass(frozen=True)
class Space:
    """All dimensions of a search; points are level indexes, shape (..., D), 0 = the smallest choice.

    `layers` are the weight layers of the network in order; layers that no dimension decides keep `fixed` bits.
    `form` names the form of the network that has these layers; `dse.problem.form_space` has the space over two forms.
    """

    dimensions: tuple[Dimension, ...]
    layers: tuple[str, ...] = ()
    fixed: Mapping[str, int] | None = None
    time_steps: int = 1
    form: str = ""

    @property
    def forms(self) -> ByForm[Space]:
        """The space of every form with its own layers: here of one form, which is this space."""
        return ByForm.single(self, self.layers, self.form)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Dimension names in order."""
        return tuple(d.name for d in self.dimensions)

    @cached_property
    def sizes(self) -> IntArray:
        """Number of choices per dimension, shape (D,)."""
        return np.array([len(d.choices) for d in self.dimensions], dtype=np.int64)

    @cached_property
    def exists(self) -> BoolArray:
        """Which entries of a table by dimension and level are choices, (D, B)."""
        return np.arange(int(self.sizes.max(initial=1)))[None] < self.sizes[:, None]

    @property
    def weight_widths(self) -> tuple[int, ...]:
        """All widths that a layer's weights may have [bit]."""
        chosen = {bits for d in self.dimensions if d.kind == "weight" for bits in d.choices}
        return tuple(sorted(chosen | set((self.fixed or {}).values())))

    @property
    def log10_size(self) -> float:
        """Decimal logarithm of the number of designs."""
        return float(np.log10(self.sizes.astype(float)).sum())

    def distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """Optuna's search space over level indexes; a dimension with one choice is left out."""
        return dict(self._distributions)

    @cached_property
    def _distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        import optuna  # takes a third of a second, and only a search needs it

        return {
            d.name: optuna.distributions.IntDistribution(0, len(d.choices) - 1)
            for d in self.dimensions
            if len(d.choices) > 1
        }

    def levels(self, params: Mapping[str, int]) -> IntArray:
        """Optuna parameters to level indexes, shape (D,)."""
        return np.array([params.get(d.name, 0) for d in self.dimensions], dtype=np.int64)

    def params(self, levels: Sequence[int] | IntArray) -> dict[str, int]:
        """Level indexes to Optuna parameters."""
        return {d.name: int(v) for d, v in zip(self.dimensions, levels, strict=True) if len(d.choices) > 1}

    @cached_property
    def choices(self) -> IntArray:
        """The choices by dimension and level, (D, B); a dimension with fewer repeats its last."""
        table = np.zeros((len(self.dimensions), int(self.sizes.max(initial=1))), dtype=np.int64)
        for row, d in zip(table, self.dimensions, strict=True):
            row[: len(d.choices)] = d.choices
            row[len(d.choices) :] = d.choices[-1]
        return table

    def values(self, levels: IntArray) -> IntArray:
        """Level indexes (..., D) to the chosen bits or time steps (..., D)."""
        return self.choices[np.arange(len(self.dimensions)), levels]

    @cached_property
    def _expansion(self) -> tuple[IntArray, IntArray]:
        """For every layer the dimension that decides it (-1: none) and its fixed width, each (L,)."""
        owner = {layer: i for i, d in enumerate(self.dimensions) if d.kind == "weight" for layer in d.layers}
        fixed = dict(self.fixed or {})
        return (
            np.array([owner.get(layer, -1) for layer in self.layers], dtype=np.int64),
            np.array([fixed.get(layer, FLOAT) for layer in self.layers], dtype=np.int64),
        )

    def weight_bits(self, levels: IntArray) -> IntArray:
        """Level indexes (..., D) to the width of every layer (..., L)."""
        owner, fixed = self._expansion
        chosen = self.values(np.asarray(levels))[..., np.maximum(owner, 0)]
        return np.where(owner >= 0, chosen, fixed)

    def steps(self, levels: IntArray) -> IntArray:
        """Level indexes (..., D) to the number of time steps (...)."""
        values = self.values(np.asarray(levels))
        for i, d in enumerate(self.dimensions):
            if d.kind == "time_steps":
                return np.asarray(values[..., i])
        return np.full(values.shape[:-1], self.time_steps, dtype=np.int64)

    @cached_property
    def step_choices(self) -> tuple[int, ...]:
        """The numbers of time steps to choose from, ascending."""
        return next((d.choices for d in self.dimensions if d.kind == "time_steps"), (self.time_steps,))

    def with_steps(self, levels: IntArray, steps: int) -> IntArray:
        """The point (D,) with another number of time steps, which must be one of the choices."""
        searched = [d.kind == "time_steps" for d in self.dimensions]
        return np.where(searched, self.step_choices.index(steps), levels)

    def per_form(self, levels: IntArray) -> Iterator[tuple[str, Space, BoolArray]]:
        """Forms that occur among levels (N, D): name, space with its layers, and which rows have it, (N,)."""
        searched = np.array([d.kind == "form" for d in self.dimensions])
        chosen = np.where(searched, levels, 0).sum(axis=1)  # its choices are numbered, so that values are levels
        for value, (name, space) in enumerate(self.forms.items()):
            if (chosen == value).any():
                yield name, space, chosen == value

    def with_form(self, levels: IntArray, form: str) -> IntArray:
        """The points (..., D) in another form."""
        return np.where([d.kind == "form" for d in self.dimensions], list(self.forms).index(form), levels)

    def form_of(self, design: Design) -> str:
        """The form whose layers a design has. Raises KeyError where none has them."""
        return self.forms.form_of(design.layers)

    def other_widths(self, kind: str, levels: IntArray) -> dict[str, IntArray]:
        """Level indexes (..., D) to the widths of one kind of dimension beside weights, by stage or stream, each (...).

        What the form of this space does not have is left out, as the sums that fusing removes.
        """
        values = self.values(np.asarray(levels))
        return {d.group: values[..., i] for i, d in enumerate(self.dimensions) if d.kind == kind and d.layers}

    def design(self, levels: IntArray) -> Design:
        """The design at one point, levels of shape (D,)."""
        levels = np.asarray(levels)
        _, own, _ = next(self.per_form(levels[None]))
        others = [{name: int(b) for name, b in own.other_widths(kind, levels).items()} for kind in PREFIXES]
        return Design(own.layers, tuple(int(b) for b in own.weight_bits(levels)), int(self.steps(levels)), *others)

    def levels_of(self, design: Design) -> IntArray:
        """The point (D,) of a design; the nearest choice where the design has a width that is none."""
        form = self.form_of(design)
        bits = dict(zip(design.layers, design.weight_bits, strict=True))
        given = {"T": design.time_steps} | design.columns()
        out = []
        for d in self.forms[form].dimensions:
            value = bits[d.layers[0]] if d.kind == "weight" else given.get(d.name, d.choices[-1])
            out.append(int(np.abs(np.array(d.choices) - value).argmin()))
        return self.with_form(np.array(out, dtype=np.int64), form)

    def nearest_levels(self, bits: int) -> IntArray:
        """The point whose widths lie nearest to a uniform width (ties to the wider), shape (D,).

        State widths and time steps stand at their largest choice, the form at its first.
        """
        out = []
        for d in self.dimensions:
            if d.kind != "weight":
                out.append(0 if d.kind == "form" else len(d.choices) - 1)
                continue
            out.append(min(range(len(d.choices)), key=lambda i, d=d: (abs(d.choices[i] - bits), -d.choices[i])))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        return np.array(out, dtype=np.int64)

    def draw(self, rng: np.random.Generator, count: int) -> IntArray:
        """Uniformly random points, shape (count, D)."""
        return rng.integers(0, self.sizes, size=(count, len(self.dimensions)))
