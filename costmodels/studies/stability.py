"""How conclusions depend on uncertain constants: rank correlation, survival on the front, and a tornado table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates
from costmodels.hardware.constants import Constant
from costmodels.hardware.hardware import Hardware
from costmodels.hardware.op_energy import op_tables

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_UNCERTAIN = ("J", "J/bit", "J/bit2", "W", "s", "bit/s")
_ALSO = ("compute.control_factor", "noc.hops", "spike_group")
_AT_LEAST_ONE = ("compute.control_factor", "spike_group")
OBJECTIVES = ("energy_j", "latency_s", "power_w")


@dataclass(frozen=True)
class Stability:
    """What changes when constants do.

    scenarios  one row per changed constant or op table: `constant, change, tau` (Kendall's tau-b of the designs'
               ranking against the unchanged chip), `front_kept` (share of the front's designs that stay on it),
               `largest_change` (of the objective, over all designs, as a ratio)
    survival   one row per design on the unchanged front: `design, share` of scenarios in which it stays there
    tornado    one row per constant: `constant, low, high, range` (stated, or x0.5 to x2), `low_change, high_change`
               (objective of the reference design over its unchanged value, minus 1), widest first
    """

    objective: str
    designs: int
    front: tuple[int, ...]
    scenarios: pd.DataFrame
    survival: pd.DataFrame
    tornado: pd.DataFrame

    @property
    def worst_tau(self) -> float:
        """The lowest rank correlation over all scenarios."""
        return float(self.scenarios["tau"].min())

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "objective": self.objective,
            "designs": self.designs,
            "front": list(self.front),
            "worst_tau": self.worst_tau,
            "scenarios": self.scenarios.to_dict("records"),
            "survival": self.survival.to_dict("records"),
            "tornado": self.tornado.to_dict("records"),
        }


def stability(
    candidates: Candidates,
    hardware: Hardware,
    *,
    drop: ArrayLike | None = None,
    objective: str = "energy_j",
    reference: int | None = None,
    frame_rate: float | None = None,
) -> Stability:
    """How ranking and front of designs change under x0.5 and x2 of each constant and under each shipped op table.

    candidates  the N designs, N >= 2
    hardware    the chip whose constants change
    drop        (N,) accuracy loss: the front is that of drop, memory and objective; without it of memory and objective
    objective   energy_j, latency_s or power_w
    reference   place of the design of the tornado table; default: the median one by objective
    frame_rate  inferences per second; default: the hardware file's

    Choices of the designer (sizes, counts, clock, widths) are no uncertainty and stay as they are.
    """
    count = len(candidates)
    losses = None if drop is None else np.asarray(drop, dtype=np.float64)
    if count < 2:
        raise CostError(f"designs has {count} design; expected at least 2 designs to rank")
    if objective not in OBJECTIVES:
        raise CostError(f"unknown objective {objective!r}; there are {', '.join(OBJECTIVES)}")
    if losses is not None and losses.shape != (count,):
        raise CostError(f"drop has shape {losses.shape}; expected ({count},), one per design")

    def costs(chip: Hardware) -> tuple[FloatArray, FloatArray]:
        cost = candidates.costs(chip, frame_rate=frame_rate)
        values: FloatArray = getattr(cost, objective)
        kept = [cost.memory_bytes, values] if losses is None else [losses, cost.memory_bytes, values]
        return values, np.stack(kept, axis=1)

    scenarios, survival = _compare(hardware, costs)
    values, _ = costs(hardware)
    place = int(np.argsort(values, kind="stable")[count // 2]) if reference is None else reference
    tornado = _tornado(candidates.only([place]), hardware, objective, frame_rate)
    return Stability(objective, count, tuple(survival["design"].tolist()), scenarios, survival, tornado)


def _compare(
    hardware: Hardware, costs: Callable[[Hardware], tuple[FloatArray, FloatArray]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of scenarios and of survival; `costs` gives the ranked values (N,) and the losses of the front."""
    import pandas as pd

    base, objectives = costs(hardware)
    front = np.flatnonzero(nondominated(objectives))
    rows, stayed = [], np.zeros(len(front))
    for name, change, chip in _scenarios(hardware):
        values, objectives = costs(chip)
        on = nondominated(objectives)[front]
        stayed += on
        ratio = np.divide(values, base, out=np.ones_like(base), where=base > 0)
        largest = float(ratio[np.argmax(np.abs(ratio - 1))])
        tau, kept = kendall_tau(base, values), float(on.mean())
        rows.append({"constant": name, "change": change, "tau": tau, "front_kept": kept, "largest_change": largest})
    scenarios = pd.DataFrame(rows, columns=["constant", "change", "tau", "front_kept", "largest_change"])
    return scenarios, pd.DataFrame({"design": front, "share": stayed / max(1, len(rows))})


def uncertain(hardware: Hardware) -> tuple[str, ...]:
    """The constants that are measured or guessed, not chosen, and not zero."""
    return tuple(
        key for key, c in hardware.table.items() if c.value > 0 and (c.dimension in _UNCERTAIN or key in _ALSO)
    )


def _scenarios(hardware: Hardware) -> Iterator[tuple[str, str, Hardware]]:
    for key in uncertain(hardware):
        value = hardware.table[key].value
        for factor in (0.5, 2.0):
            yield key, f"x{factor:g}", hardware.with_constant(key, _bounded(key, value * factor))
    if hardware.op_table:
        for name in op_tables():
            if name != hardware.op_table:
                yield "compute.table", name, hardware.with_op_table(name)


def _bounded(key: str, value: float) -> float:
    return max(1.0, value) if key in _AT_LEAST_ONE else value


def _tornado(design: Candidates, hardware: Hardware, objective: str, frame_rate: float | None) -> pd.DataFrame:
    """Change of one design's objective at both ends of every constant's range, the widest first."""
    import pandas as pd

    def value(chip: Hardware) -> float:
        return float(getattr(design.costs(chip, frame_rate=frame_rate), objective)[0])

    base = value(hardware)
    ranged = tuple(key for key, c in hardware.table.items() if not c.value and c.high)  # zero, but perhaps more
    rows = []
    for key in (*uncertain(hardware), *ranged):
        constant = hardware.table[key]
        low, high, stated = _range(constant)
        changes = [value(hardware.with_constant(key, x)) / base - 1 if base else 0.0 for x in (low, high)]
        shown = replace(constant, low=low, high=high).shown()
        row: dict[str, object] = {"constant": key, "unit": constant.unit}
        row |= {name: shown[name] for name in ("value", "low", "high")}
        row |= {"range": "stated" if stated else "x0.5 to x2", "low_change": changes[0], "high_change": changes[1]}
        rows.append(row)
    table = pd.DataFrame(rows)
    span = (table["high_change"] - table["low_change"]).abs()
    return table.iloc[np.argsort(-span.to_numpy(), kind="stable")].reset_index(drop=True)


def _range(constant: Constant) -> tuple[float, float, bool]:
    """Low and high of a constant (SI), and whether its source states them; half and twice its value otherwise."""
    if constant.low is not None and constant.high is not None:
        return constant.low, constant.high, True
    return _bounded(constant.key, constant.value / 2), constant.value * 2, False


def nondominated(losses: FloatArray) -> NDArray[np.bool_]:
    """Which rows of (N, K), all minimised, no other row dominates; equal rows do not dominate each other. (N,)."""
    import moocore

    return np.asarray(moocore.is_nondominated(losses, keep_weakly=True), dtype=np.bool_)


def kendall_tau(a: FloatArray, b: FloatArray) -> float:
    """Kendall's tau-b of two rankings of N things; where it is undefined, 1 if both are constant and 0 if one is.

    Counted pair by pair, so that equal rankings give exactly 1: scipy.stats.kendalltau divides by two rounded square
    roots and says 0.9999999999999998. Its import would also take longer than the study.
    """
    agree = untied_a = untied_b = 0
    for start in range(0, len(a), 512):
        x = np.sign(a[start : start + 512, None] - a).astype(np.int8)
        y = np.sign(b[start : start + 512, None] - b).astype(np.int8)
        agree += int(np.sum(x * y, dtype=np.int64))
        untied_a += int(np.count_nonzero(x))
        untied_b += int(np.count_nonzero(y))
    if untied_a == 0 or untied_b == 0:
        return 1.0 if untied_a == untied_b else 0.0
    return float(agree / np.sqrt(float(untied_a) * float(untied_b)))
