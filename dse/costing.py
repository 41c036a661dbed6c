"""What designs cost on the described chip: the bridge from designs and measured spikes to `costmodels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels import Cost, Hardware, Workload, breakdown, estimate, separable_tables
from dse.design import Design
from dse.errors import ConfigError
from dse.evaluate import Evaluation
from dse.problem import FloatArray, IntArray
from dse.space import Space

COLUMNS = {"memory": "memory_bytes", "energy": "energy_j", "latency": "latency_s", "power": "power_w"}


def objective_columns(names: Sequence[str]) -> tuple[str, str, str]:
    """Columns of results.csv behind the objectives of a configuration."""
    first, second, third = (COLUMNS.get(name, name) for name in names)
    return first, second, third


@dataclass(frozen=True)
class Costing:
    """Costs of designs of one network on one chip.

    Evaluated designs are costed with their own measured spikes, designs that were not evaluated with those of the
    float network (scaled to their time steps).
    """

    workload: Workload
    hardware: Hardware
    frame_rate: float

    def cost(self, designs: Sequence[Design], evaluations: Sequence[Evaluation] | None = None) -> Cost:
        """Cost of N designs; every array of the result has shape (N,)."""
        return self._cost(designs, None if evaluations is None else self._spikes(evaluations))

    def _cost(self, designs: Sequence[Design], spikes: FloatArray | None) -> Cost:
        bits = np.array([d.weight_bits for d in designs], dtype=np.int64).reshape(len(designs), -1)
        steps = np.array([d.time_steps for d in designs], dtype=np.int64)
        return estimate(
            self.workload,
            self.hardware,
            weight_bits=bits,
            time_steps=steps,
            spikes=spikes,
            frame_rate=self.frame_rate,
        )

    def objectives(self, design: Design, evaluation: Evaluation, names: Sequence[str]) -> dict[str, float]:
        """Every limited or minimised quantity of one evaluated design, by column of results.csv."""
        cost = self.cost([design], [evaluation])
        values = {"drop": evaluation.drop} | {c: float(getattr(cost, c)[0]) for c in COLUMNS.values()}
        missing = [name for name in names if name not in values]
        if missing:
            raise ConfigError(f"search.objectives: unknown objective {missing[0]!r}")
        return values | {"area_mm2": float(np.broadcast_to(cost.area_mm2, (1,))[0])}

    def columns(self, designs: Sequence[Design], evaluations: Sequence[Evaluation]) -> pd.DataFrame:
        """Cost columns of results.csv for N designs, and `fits`: whether the chip can hold and run them."""
        return self.columns_from_spikes(designs, self._spikes(evaluations))

    def columns_from_spikes(self, designs: Sequence[Design], spikes: FloatArray) -> pd.DataFrame:
        """The same from spikes per image, (N, LIF layers)."""
        cost = self._cost(designs, spikes)
        frame = pd.DataFrame({c: np.asarray(getattr(cost, c)) for c in COLUMNS.values()})
        frame["area_mm2"] = np.broadcast_to(cost.area_mm2, len(frame))
        frame["fits"] = np.broadcast_to(cost.feasible, len(frame))
        return frame

    def breakdown(self, design: Design, spikes: FloatArray) -> pd.DataFrame:
        """Energy and memory per layer and component: `layer, stage, quantity, component, value`.

        `spikes` (LIF layers,) are the design's spikes per image.
        """
        return breakdown(
            self.workload,
            self.hardware,
            weight_bits=design.widths,
            time_steps=design.time_steps,
            spikes=spikes,
            frame_rate=self.frame_rate,
        )

    def _spikes(self, evaluations: Sequence[Evaluation]) -> FloatArray:
        """Spikes per image of every LIF layer, (N, LIF layers), in the order of the workload."""
        return np.array([e.spikes for e in evaluations], dtype=np.float64)

    def tables(self, space: Space) -> tuple[dict[str, FloatArray], dict[str, float]]:
        """Additive memory and energy per dimension and level (D, B), +inf beyond its choices, and the offsets."""
        widths = sorted({b for d in space.dimensions if d.kind == "weight" for b in d.choices})
        layer_tables = separable_tables(self.workload, self.hardware, widths, frame_rate=self.frame_rate)
        where = {name: i for i, name in enumerate(space.layers)}
        tables: dict[str, FloatArray] = {}
        offsets: dict[str, float] = {}
        searched = {layer for d in space.dimensions if d.kind == "weight" for layer in d.layers}
        for quantity, (table, offset) in layer_tables.items():
            tables[quantity] = _dimension_table(space, table, widths, where)
            offsets[quantity] = offset + self._fixed_part(space, searched, quantity, widths, where, layer_tables)
        return tables, offsets

    def _fixed_part(
        self,
        space: Space,
        searched: set[str],
        quantity: str,
        widths: list[int],
        where: Mapping[str, int],
        layer_tables: Mapping[str, tuple[FloatArray, float]],
    ) -> float:
        pinned = {layer: bits for layer, bits in (space.fixed or {}).items() if layer not in searched}
        if not pinned:
            return 0.0
        all_widths = sorted(set(widths) | set(pinned.values()))
        if all_widths != widths:
            layer_tables = separable_tables(self.workload, self.hardware, all_widths, frame_rate=self.frame_rate)
        table = layer_tables[quantity][0]
        return float(sum(table[where[layer], all_widths.index(bits)] for layer, bits in pinned.items()))

    def objective_costs(self, space: Space, names: Sequence[str]) -> _ObjectiveCosts:
        """The second and third objective as a function of levels (N, D) -> (N, 2), with the float network's spikes."""
        return _ObjectiveCosts(self, space, tuple(names[1:]))


@dataclass(frozen=True)
class _ObjectiveCosts:
    costing: Costing
    space: Space
    names: tuple[str, ...]

    def __call__(self, levels: IntArray) -> FloatArray:
        cost = estimate(
            self.costing.workload,
            self.costing.hardware,
            weight_bits=self.space.weight_bits(levels),
            time_steps=self.space.steps(levels),
            frame_rate=self.costing.frame_rate,
        )
        return np.stack([np.asarray(getattr(cost, name), dtype=np.float64) for name in self.names], axis=-1)


def _dimension_table(
    space: Space, table: NDArray[np.float64], widths: list[int], where: Mapping[str, int]
) -> FloatArray:
    out = np.full((len(space.dimensions), int(space.sizes.max())), np.inf)
    for row, d in zip(out, space.dimensions, strict=True):
        if d.kind != "weight":
            row[: len(d.choices)] = 0.0
            continue
        rows = [where[layer] for layer in d.layers]
        row[: len(d.choices)] = [table[rows, widths.index(b)].sum() for b in d.choices]
    return out
