"""What designs cost on the described chip: the bridge from designs and measured spikes to `costmodels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels import Candidates, Designs, Hardware, Part, Workload, breakdown, estimate, reasons
from dse.arrays import FloatArray, IntArray
from dse.evaluation.cost_widths import widths_of_designs, widths_of_levels
from dse.evaluation.measurement import Evaluation
from dse.evaluation.own_parts import Cost, costs_of
from dse.problem.by_form import ByForm
from dse.problem.design import Design
from dse.problem.space import Space

if TYPE_CHECKING:
    from dse.surrogate.spike_rates import Features, Rates

QUANTITIES = ("memory_bytes", "energy_j", "latency_s", "power_w", "area_mm2")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Costing:
    """Costs of the designs of one network on one chip.

    workloads: by form of the network, one as a rule; the float network of the first is the baseline. A design is costed
    with the workload that has its layers. frame_rate: inferences per second at which power is stated. lif_order: the
    LIF layers in the order in which spikes are given; empty: that of the layer table, which differs from the network's
    (K and V stand before Q). Evaluated designs are costed with their own spikes, others with those of the float
    network, scaled to their time steps.  own: by column, a caller's functions in the place of the chip's model.
    """

    workloads: ByForm[Workload]
    hardware: Hardware
    frame_rate: float
    lif_order: tuple[str, ...] = ()
    own: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def workload(self) -> Workload:
        """The workload of the first form."""
        return self.workloads.first

    @property
    def chip_bits(self) -> int:
        """Width of the chip's own membrane potentials [bit]."""
        return int(self.hardware.chip.state_bits)

    def workload_of(self, layers: tuple[str, ...]) -> Workload:
        """The workload of the form that has these weight layers."""
        return self.workloads.with_layers(layers)

    def columns(self, designs: Sequence[Design], spikes: FloatArray | None = None) -> Columns:
        """Cost columns of results.csv for N designs, each (N,).

        And `fits`: whether the chip can hold and run them, and `reaches`: whether it keeps the frame rate.

        spikes: (N, LIF layers) per image; without them the float network's stand in.
        """
        parts = []
        for workload, at in self._of_forms(designs):
            own = self._designs(workload, [designs[i] for i in at], _rows(spikes, at))
            parts.append((at, self._costs(workload, own)))
        return _joined(len(designs), parts)

    def of_levels(self, space: Space, levels: IntArray, spikes: FloatArray | None = None) -> Columns:
        """The same for points (N, D) of a space."""
        parts = []
        for _, own, rows in space.per_form(levels):
            workload, mine = self.workload_of(own.layers), levels[rows]
            given = Designs(
                own.weight_bits(mine),
                time_steps=own.steps(mine),
                spikes=self._by_table(workload, _rows(spikes, rows)),
                **widths_of_levels(workload, own, mine, self.chip_bits),
            )
            parts.append((rows, self._costs(workload, given)))
        return _joined(len(levels), parts)

    def candidates(self, designs: Sequence[Design], spikes: FloatArray | None, names: Sequence[str]) -> Candidates:
        """N designs with all that their costs depend on, each with the workload of its form.

        spikes: (N, LIF layers) per image, None: the float network's stand in; names: N.
        """
        parts = []
        for workload, at in self._of_forms(designs):
            own = self._designs(workload, [designs[i] for i in at], _rows(spikes, at))
            parts.append(Part(workload, replace(own, names=tuple(names[i] for i in at)), at))
        return Candidates(tuple(parts))

    def _of_forms(self, designs: Sequence[Design]) -> list[tuple[Workload, NDArray[np.intp]]]:
        """The workloads that designs have, and the places of their designs."""
        layers = self.workloads.layers
        each = [(w, np.flatnonzero([d.layers == layers[f] for d in designs])) for f, w in self.workloads.items()]
        return [(workload, at) for workload, at in each if len(at)]

    def _designs(self, workload: Workload, designs: Sequence[Design], spikes: FloatArray | None) -> Designs:
        """Designs of one form as `costmodels` takes them."""
        return Designs(
            np.array([d.weight_bits for d in designs], dtype=np.int64),
            time_steps=np.array([d.time_steps for d in designs], dtype=np.int64),
            spikes=self._by_table(workload, spikes),
            **widths_of_designs(workload, designs, self.chip_bits),
        )

    def _costs(self, workload: Workload, designs: Designs) -> Columns:
        cost = estimate(workload, self.hardware, designs, frame_rate=self.frame_rate, components=False)
        found = {name: getattr(cost, name) for name in QUANTITIES}
        found |= costs_of(self.own, designs.weight_bits, designs.time_steps)
        return found | {"fits": cost.feasible, "reaches": ~cost.violations["frame_rate"]}

    def reasons(self, design: Design, spikes: FloatArray) -> list[str]:
        """Why the chip cannot hold or run one design, one line each; spikes: (LIF layers,) of the design, per image."""
        return reasons(*self._one(design, spikes), frame_rate=self.frame_rate)

    def quantities(self, design: Design, evaluation: Evaluation) -> dict[str, float]:
        """Every limited or minimised quantity of one evaluated design, by column of results.csv."""
        columns = self.columns([design], np.array([evaluation.spikes]))
        return {"drop": evaluation.drop} | {name: float(values[0]) for name, values in columns.items()}

    def _by_table(self, workload: Workload, spikes: FloatArray | None) -> FloatArray | None:
        """Spikes (..., LIF layers) in the order of the layer table."""
        if spikes is None or not self.lif_order:
            return spikes
        place = {name: i for i, name in enumerate(self.lif_order)}
        return spikes[..., [place[name] for name in workload.lif_layers]]

    def breakdown(self, design: Design, spikes: FloatArray) -> pd.DataFrame:
        """Energy and memory per layer and component: `layer, stage, quantity, component, value`.

        spikes: (LIF layers,) of the design, per image.
        """
        return breakdown(*self._one(design, spikes), frame_rate=self.frame_rate)

    def _one(self, design: Design, spikes: FloatArray) -> tuple[Workload, Hardware, Designs]:
        """One design as `costmodels` takes it, with its layer table and the chip."""
        workload = self.workload_of(design.layers)
        one = Designs(
            design.widths,
            time_steps=design.time_steps,
            spikes=self._by_table(workload, spikes),
            **{name: bits[0] for name, bits in widths_of_designs(workload, [design], self.chip_bits).items()},
        )
        return workload, self.hardware, one

    def objective_costs(self, space: Space, names: Sequence[str]) -> ObjectiveCosts:
        """The second and third objective as a function of levels (N, D) -> (N, 2), with the float network's spikes."""
        return ObjectiveCosts(self, space, tuple(names[1:]))

    def following(self, space: Space, names: Sequence[str], harm: FloatArray) -> Following:
        """How the costs follow measured spikes; `harm` (D, B) is the predicted harm of every choice.

        One regression serves all forms.
        """
        return Following(self.objective_costs(space, names), self.features(space, harm))

    def features(self, space: Space, harm: FloatArray) -> Features:
        """What the spike rates of this network's LIF layers may depend on."""
        from dse.surrogate.spike_rates import Features  # brings scipy.linalg; only a search needs it

        layers = self.lif_order or tuple(self.workload.lif_layers)
        known = self._neurons()
        return Features(space, harm, layers, np.array([known[name] for name in layers]))

    def _neurons(self) -> dict[str, float]:
        """Neurons of every LIF layer; a row's neurons are shared equally by its layers."""
        out: dict[str, float] = {}
        for names, count in zip(self.workload.texts["lif"], self.workload.columns["neurons"], strict=True):
            layers = [name for name in names.split(";") if name]
            out |= {name: float(count) / len(layers) for name in layers}
        return out


@dataclass(frozen=True)
class ObjectiveCosts:
    """Costs of levels (N, D); with `rates`, by the spikes that those predict instead of the float network's."""

    costing: Costing
    space: Space
    names: tuple[str, ...]
    rates: Rates | None = None

    def __call__(self, levels: IntArray) -> FloatArray:
        """The two costs, (N, 2)."""
        columns = self.columns(levels)
        return np.stack([columns[name] for name in self.names], axis=-1)

    def columns(self, levels: IntArray) -> Columns:
        """All cost columns, each (N,)."""
        return self.costing.of_levels(self.space, levels, None if self.rates is None else self.rates.spikes(levels))


@dataclass(frozen=True)
class Following:
    """Costs of designs that were not evaluated, as the spikes of the evaluated ones suggest."""

    costs: ObjectiveCosts
    features: Features

    def after(self, levels: IntArray, spikes: FloatArray) -> ObjectiveCosts:
        """The costs given measured designs (N, D) with their spikes per image (N, LIF layers), NaN where unknown."""
        from dse.surrogate.spike_rates import fit_rates

        known = np.isfinite(spikes).all(axis=1)
        return replace(self.costs, rates=fit_rates(self.features, levels[known], spikes[known]))


def _joined(count: int, parts: Sequence[tuple[NDArray[Any], Columns]]) -> Columns:
    """Columns of some rows each as columns of all (count,)."""
    out: Columns = {}
    for rows, columns in parts:
        for name, values in columns.items():
            out.setdefault(name, np.empty(count, dtype=values.dtype))[rows] = values
    return out


def _rows(values: Any, rows: Any) -> Any:
    return None if values is None else values[rows]
