"""What designs cost on the described chip: the bridge from designs and measured spikes to `costmodels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels import Designs, Hardware, Workload, breakdown, estimate, separable_tables
from dse.arrays import FloatArray, IntArray
from dse.evaluation.evaluator import Evaluation
from dse.problem.design import FLOAT, Design
from dse.problem.space import Space
from dse.surrogate.spike_rates import Features, Rates, fit_rates

COLUMNS = {"memory": "memory_bytes", "energy": "energy_j", "latency": "latency_s", "power": "power_w"}


def objective_columns(names: Sequence[str]) -> tuple[str, str, str]:
    """Columns of results.csv behind the objectives of a configuration."""
    first, second, third = (COLUMNS.get(name, name) for name in names)
    return first, second, third


@dataclass(frozen=True)
class Costing:
    """Costs of designs of one network on one chip.

    Evaluated designs are costed with their own measured spikes, designs that were not evaluated with those of the
    float network (scaled to their time steps).  `lif_order` names the LIF layers in the order in which spikes are
    given; empty: that of the layer table, which is another than the network's (K and V stand before Q).
    """

    workload: Workload
    hardware: Hardware
    frame_rate: float
    lif_order: tuple[str, ...] = ()

    def _by_table(self, spikes: FloatArray) -> FloatArray:
        """Spikes (..., LIF layers) in the order of the layer table."""
        if not self.lif_order:
            return spikes
        place = {name: i for i, name in enumerate(self.lif_order)}
        return spikes[..., [place[name] for name in self.workload.lif_layers]]

    def columns(self, designs: Sequence[Design], spikes: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """Cost columns of results.csv for N designs, and `fits`: whether the chip can hold and run them; each (N,).

        `spikes` (N, LIF layers) are spikes per image; without them the float network's stand in.
        """
        bits = np.array([d.weight_bits for d in designs], dtype=np.int64).reshape(len(designs), -1)
        steps = np.array([d.time_steps for d in designs], dtype=np.int64)
        return self.of_bits(bits, steps, spikes, self.state_widths(designs))

    def state_widths(self, designs: Sequence[Design]) -> IntArray | None:
        """Widths of the membrane potentials (N, rows of the layer table); None where all designs leave them open.

        A stage that a design says nothing of has the chip's own width, and 32 bit where the weights are float.
        """
        if not any(d.state_bits for d in designs):
            return None
        return np.stack([self._state_widths(d) for d in designs])

    def _state_widths(self, design: Design) -> IntArray:
        own = np.full(self.workload.rows, int(self.hardware.chip.state_bits))
        own[self.workload.weight_rows[design.widths == FLOAT]] = FLOAT
        given = [design.state_bits.get(stage, 0) for stage in self.workload.stages]
        return np.where(given, given, own)

    def of_bits(
        self, bits: IntArray, steps: IntArray, spikes: FloatArray | None = None, states: IntArray | None = None
    ) -> dict[str, NDArray[Any]]:
        """The same for widths (N, L), time steps (N,) and widths of membrane potentials (N, rows of the table)."""
        designs = Designs(
            bits,
            time_steps=steps,
            state_bits=states,
            spikes=None if spikes is None else self._by_table(spikes),
        )
        cost = estimate(self.workload, self.hardware, designs, frame_rate=self.frame_rate, components=False)
        return {name: getattr(cost, name) for name in (*COLUMNS.values(), "area_mm2")} | {"fits": cost.feasible}

    def objectives(self, design: Design, evaluation: Evaluation, names: Sequence[str]) -> dict[str, float]:
        """Every limited or minimised quantity of one evaluated design, by column of results.csv."""
        columns = self.columns([design], np.array([evaluation.spikes]))
        return {"drop": evaluation.drop} | {name: float(values[0]) for name, values in columns.items()}

    def of_levels(self, space: Space, levels: IntArray, spikes: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """The same for points (N, D) of a space."""
        states = self.stage_widths(space, levels)
        return self.of_bits(space.weight_bits(levels), space.steps(levels), spikes, states)

    def breakdown(self, design: Design, spikes: FloatArray) -> pd.DataFrame:
        """Energy and memory per layer and component: `layer, stage, quantity, component, value`.

        `spikes` (LIF layers,) are the design's spikes per image.
        """
        one = Designs(
            design.widths,
            time_steps=design.time_steps,
            state_bits=self.state_widths([design]),
            spikes=self._by_table(spikes),
        )
        return breakdown(self.workload, self.hardware, one, frame_rate=self.frame_rate)

    def tables(
        self, space: Space, steps: int | None = None, form: str = ""
    ) -> tuple[dict[str, FloatArray], dict[str, float]]:
        """Additive memory and energy per dimension and level (D, B), +inf beyond its choices, and the offsets.

        They hold for `steps` time steps, by default as many as the network has; energy does not add up over different
        ones. The rows of the time steps and of the `form`, here the only one, are zero. Widths of membrane potentials
        are offset at their largest. A pipelined data flow has no additive energy (its slowest layer sets the time that
        leaks): there the dynamic energy stands in its place.
        """
        steps = space.time_steps if steps is None else steps
        fixed = {layer: bits for layer, bits in (space.fixed or {}).items() if layer not in _searched(space)}
        widths = sorted({b for d in space.dimensions if d.kind == "weight" for b in d.choices} | set(fixed.values()))
        widest = (space.sizes - 1)[None]
        uniform = np.repeat(np.array(widths)[:, None], len(self.workload.weight_layers), axis=1)
        options = Designs(uniform, time_steps=steps, state_bits=self.stage_widths(space, widest))
        known = separable_tables(self.workload, self.hardware, options, frame_rate=self.frame_rate)
        where = {name: i for i, name in enumerate(space.layers)}
        tables: dict[str, FloatArray] = {}
        offsets: dict[str, float] = {}
        for quantity in ("memory_bytes", "energy_j"):
            source = quantity if quantity in known.tables else "dynamic_j"
            table = known.tables[source]
            tables[quantity] = _dimension_table(space, table, widths, where)
            pinned = sum(table[where[layer], widths.index(bits)] for layer, bits in fixed.items())
            offsets[quantity] = known.offsets[source] + float(pinned)
        self._add_states(space, steps, tables)
        return tables, offsets

    def _add_states(self, space: Space, steps: int, tables: dict[str, FloatArray]) -> None:
        """Fill the rows of the state widths with what each costs more than the largest, all else at its largest."""
        for i, d in enumerate(space.dimensions):
            if d.kind != "state":
                continue
            levels = np.repeat((space.sizes - 1)[None], len(d.choices), axis=0)
            levels[:, i] = np.arange(len(d.choices))
            bits, states = space.weight_bits(levels), self.stage_widths(space, levels)
            costs = self.of_bits(bits, np.full(len(levels), steps), states=states)
            for quantity, table in tables.items():
                table[i, : len(d.choices)] = costs[quantity] - costs[quantity][-1]

    def stage_widths(self, space: Space, levels: IntArray) -> IntArray | None:
        """Widths of the membrane potentials at levels (N, D), (N, rows of the layer table); None where not searched."""
        given = space.stage_widths(levels)
        if not given:
            return None
        open_ = np.full(len(levels), int(self.hardware.chip.state_bits))
        return np.stack([given.get(stage, open_) for stage in self.workload.stages], axis=-1)

    def objective_costs(self, space: Space, names: Sequence[str]) -> ObjectiveCosts:
        """The second and third objective as a function of levels (N, D) -> (N, 2), with the float network's spikes."""
        return ObjectiveCosts(self, space, tuple(names[1:]))

    def following(self, space: Space, names: Sequence[str], harm: FloatArray) -> Following:
        """How the costs follow the activity that was measured; `harm` (D, B) is the predicted harm of every choice."""
        return Following(self.objective_costs(space, names), self.features(space, harm))

    def features(self, space: Space, harm: FloatArray) -> Features:
        """What the activity of this network's LIF layers may depend on."""
        layers = self.lif_order or tuple(self.workload.lif_layers)
        known = self._neurons()
        neurons = np.array([known[name] for name in layers])
        return Features(space, harm, layers, neurons)

    def _neurons(self) -> dict[str, float]:
        """Neurons of every LIF layer; a row's neurons are shared equally by its layers."""
        out: dict[str, float] = {}
        for joined, count in zip(self.workload.texts["lif"], self.workload.columns["neurons"], strict=True):
            own = [name for name in joined.split(";") if name]
            out |= {name: float(count) / len(own) for name in own}
        return out


class LevelCosts(Protocol):
    """What costs the points of a space."""

    def of_levels(self, space: Space, levels: IntArray, spikes: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """Cost columns of points (N, D), each (N,); `spikes` (N, LIF layers) are spikes per image."""


@dataclass(frozen=True)
class ObjectiveCosts:
    """Costs of levels (N, D); with `rates`, by the spikes that those predict instead of the float network's."""

    costing: LevelCosts
    space: Space
    names: tuple[str, ...]
    rates: Rates | None = None

    def __call__(self, levels: IntArray) -> FloatArray:
        """The two costs, (N, 2)."""
        columns = self.columns(levels)
        return np.stack([columns[name] for name in self.names], axis=-1)

    def columns(self, levels: IntArray) -> dict[str, NDArray[Any]]:
        """All cost columns, each (N,)."""
        return self.costing.of_levels(self.space, levels, None if self.rates is None else self.rates.spikes(levels))


@dataclass(frozen=True)
class Following:
    """Costs of designs that were not evaluated, as the spikes of the evaluated ones suggest."""

    costs: ObjectiveCosts
    features: Features

    def after(self, levels: IntArray, spikes: FloatArray) -> ObjectiveCosts:
        """The costs given measured designs (N, D) with their spikes per image (N, LIF layers), NaN where unknown."""
        known = np.isfinite(spikes).all(axis=1)
        return replace(self.costs, rates=fit_rates(self.features, levels[known], spikes[known]))


def _searched(space: Space) -> set[str]:
    return {layer for d in space.dimensions if d.kind == "weight" for layer in d.layers}


def _dimension_table(space: Space, table: FloatArray, widths: list[int], where: Mapping[str, int]) -> FloatArray:
    out = np.full((len(space.dimensions), int(space.sizes.max())), np.inf)
    for row, d in zip(out, space.dimensions, strict=True):
        if d.kind != "weight":
            row[: len(d.choices)] = 0.0
            continue
        rows = [where[layer] for layer in d.layers]
        row[: len(d.choices)] = [table[rows, widths.index(b)].sum() for b in d.choices]
    return out
