"""How conclusions depend on what is uncertain: rank correlation, regret, survival on the front, bands, a tornado."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates, costs_of
from costmodels.hardware.hardware import Hardware
from costmodels.studies.ranking import SAME, cheapest, kendall_tau, nondominated, regret
from costmodels.studies.tornado import tornados
from costmodels.studies.variations import Variation, variations

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

OBJECTIVES = ("energy_j", "latency_s", "power_w")


@dataclass(frozen=True)
class Stability:
    """What changes when constants, forms of the chip, firing rates or time steps do.

    reference  place of the design that regret and tornado are about
    scenarios  one row per variation: `kind` (constant or form), `constant, change, tau` (Kendall's tau-b of the
               designs' ranking against the unchanged one), `front_kept` (share of the front's designs that stay on
               it), `regret` (what the reference costs more than the best design whose drop is no worse, or memory
               where no drop is given, as a share), `cheapest` (that design; the reference where none is cheaper),
               `largest_change` (of the objective, over all designs, as a ratio)
    cheapest   the same design at the unchanged constants, and `base_regret` against it
    survival   one row per design on the unchanged front: `design, share` of scenarios in which it stays there
    bands      one row per design: `design, value, low, high`, its objective and the least and greatest of it over all
               variations
    energy_bands  the same of the energy [J], whatever the objective
    tornado    one row per constant: `constant, low, high, range` (stated, or x0.5 to x2), `low_change, high_change`
               (objective of the reference design over its unchanged value, minus 1), widest first
    tornados   the same tables of memory_bytes, energy_j, latency_s and power_w, by name
    notes      why a ranking says nothing, one line each: designs that cost the same, a front of one, a chip whose
               objective no width enters
    """

    objective: str
    designs: int
    reference: int
    front: tuple[int, ...]
    scenarios: pd.DataFrame
    survival: pd.DataFrame
    bands: pd.DataFrame
    energy_bands: pd.DataFrame
    tornados: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]
    cheapest: int
    base_regret: float

    @property
    def tornado(self) -> pd.DataFrame:
        """The table of `tornados` for the objective."""
        return self.tornados[self.objective]

    @property
    def worst_tau(self) -> float | None:
        """The lowest rank correlation over all variations; None where all designs cost the same."""
        values = self.bands["value"]
        same = float(values.max() - values.min()) <= SAME * float(values.max())
        return None if same else float(self.scenarios["tau"].min())

    @property
    def worst_regret(self) -> float:
        """The greatest regret of the reference design over all variations."""
        return float(self.scenarios["regret"].max())

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "objective": self.objective,
            "designs": self.designs,
            "reference": self.reference,
            "front": list(self.front),
            "worst_tau": self.worst_tau,
            "worst_regret": self.worst_regret,
            "cheapest": self.cheapest,
            "base_regret": self.base_regret,
            "notes": list(self.notes),
            "scenarios": self.scenarios.to_dict("records"),
            "survival": self.survival.to_dict("records"),
            "bands": self.bands.to_dict("records"),
            "energy_bands": self.energy_bands.to_dict("records"),
            "tornado": self.tornado.to_dict("records"),
            "tornados": {name: table.to_dict("records") for name, table in self.tornados.items()},
        }


class _Costs(NamedTuple):
    """The objective (N,), what else the front is made of (N, K), and the energy (N,) [J]."""

    values: FloatArray
    others: FloatArray
    energy: FloatArray


@dataclass(frozen=True, eq=False)
class _Study:
    """What is ranked: the objective, the losses of the front beside it (N, K) or none, the rate, and the reference."""

    objective: str
    drop: FloatArray | None
    frame_rate: float | None

    def costs(self, pairs: Sequence[tuple[Candidates, Hardware]]) -> list[_Costs]:
        """What the study looks at of N designs on a chip, for every pair."""
        found = costs_of(pairs, (self.objective, "memory_bytes", "energy_j"), self.frame_rate)
        lost = [] if self.drop is None else [self.drop]
        return [
            _Costs(cost[self.objective], np.stack([*lost, cost["memory_bytes"]], axis=1), cost["energy_j"])
            for cost in found
        ]


def stability(
    candidates: Candidates,
    hardware: Hardware,
    *,
    drop: ArrayLike | None = None,
    objective: str = "energy_j",
    reference: int | None = None,
    frame_rate: float | None = None,
) -> Stability:
    """How ranking and front of designs change with each constant, form of the chip, firing rates and time steps.

    candidates  the N designs, N >= 2
    hardware    the chip; its constants are halved and doubled, op table, datapath, control and utilisation exchanged
    drop        (N,) accuracy loss: the front is that of drop, memory and objective; without it of memory and objective
    objective   energy_j, latency_s or power_w
    reference   place of the design of regret and tornado; default: the median one of the front by objective
    frame_rate  inferences per second; default: the hardware file's

    Firing rates move by 20 % to both sides, time steps to half and double. Choices of the designer (sizes, counts,
    clock, widths) are no uncertainty and stay as they are.
    """
    count = len(candidates)
    losses = None if drop is None else np.asarray(drop, dtype=np.float64)
    if count < 2:
        raise CostError(f"designs has {count} design; expected at least 2 designs to rank")
    if objective not in OBJECTIVES:
        raise CostError(f"unknown objective {objective!r}; there are {', '.join(OBJECTIVES)}")
    if losses is not None and losses.shape != (count,):
        raise CostError(f"drop has shape {losses.shape}; expected ({count},), one per design")
    study = _Study(objective, losses, frame_rate)
    (unchanged,) = study.costs([(candidates, hardware)])
    base = unchanged.values
    front = np.flatnonzero(nondominated(np.column_stack([unchanged.others, base])))
    if reference is None:
        reference = int(front[np.argsort(base[front], kind="stable")[len(front) // 2]])
    changed = list(variations(candidates, hardware, reference))
    scenarios, survival, bands, energy_bands = _compare(study, changed, unchanged, front, reference)
    return Stability(
        objective=objective,
        designs=count,
        reference=reference,
        front=tuple(front.tolist()),
        scenarios=scenarios,
        survival=survival,
        bands=bands,
        energy_bands=energy_bands,
        tornados=tornados(candidates.only([reference]), hardware, frame_rate),
        notes=_notes(candidates, base, front, hardware),
        cheapest=cheapest(base, unchanged.others[:, 0], reference),
        base_regret=regret(base, unchanged.others[:, 0], reference),
    )


def _compare(
    study: _Study,
    changed: list[Variation],
    base: _Costs,
    front: NDArray[np.intp],
    reference: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables of scenarios and of survival, and the bands of the objective and of the energy."""
    import pandas as pd

    unchanged = base.values
    rows, stayed = [], np.zeros(len(front))
    objectives, energies = [unchanged], [base.energy]
    costs = study.costs([(each.candidates, each.hardware) for each in changed])
    for each, (values, others, energy) in zip(changed, costs, strict=True):
        on = nondominated(np.column_stack([others, values]))[front]
        stayed += on
        ratio = np.divide(values, unchanged, out=np.ones_like(unchanged), where=unchanged > 0)
        rows.append(
            {
                "kind": each.kind,
                "constant": each.name,
                "change": each.change,
                "tau": kendall_tau(unchanged, values),
                "front_kept": float(on.mean()),
                "regret": regret(values, others[:, 0], reference),
                "cheapest": cheapest(values, others[:, 0], reference),
                "largest_change": float(ratio[np.argmax(np.abs(ratio - 1))]),
            }
        )
        objectives.append(values)
        energies.append(energy)
    survival = pd.DataFrame({"design": front, "share": stayed / max(1, len(rows))})
    return pd.DataFrame(rows), survival, _bands(objectives), _bands(energies)


def _bands(values: list[FloatArray]) -> pd.DataFrame:
    """What every design costs unchanged, the first of `values` (N,), with the least and the greatest of all."""
    import pandas as pd

    low, high = np.min(values, axis=0), np.max(values, axis=0)
    return pd.DataFrame({"design": np.arange(len(low)), "value": values[0], "low": low, "high": high})


def _notes(candidates: Candidates, base: FloatArray, front: NDArray[np.intp], hardware: Hardware) -> tuple[str, ...]:
    """Why the ranking says nothing, where it does not."""
    notes, widths = [], [np.asarray(designs.weight_bits) for _, designs, _ in candidates.parts]
    if float(np.ptp(base)) <= SAME * float(base.max()):
        notes.append(f"the {len(base)} designs cost the same: there is nothing to rank")
        if any(bits.ndim > 1 and np.any(bits != bits[:1]) for bits in widths):
            notes.append(f"widths of weights enter no such cost on {hardware.name}; they change what fits")
    if len(front) == 1:
        notes.append("one design is better in everything: a front of one stays one")
    return tuple(notes)
