"""Co-design: all chips that the knobs of a hardware file span, and the best of them for each design and objective."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates
from costmodels.hardware.hardware import Hardware, resolve
from costmodels.hardware.schema import HardwareFile
from costmodels.studies.bands import bands_on

if TYPE_CHECKING:
    import pandas as pd

OBJECTIVES = ("energy_j", "latency_s", "power_w", "area_mm2", "energy_delay_js")
_COSTS = ("energy_j", "latency_s", "power_w", "memory_bytes", "area_mm2")
_MANY = 100_000
_AT_ONCE = 4096  # chips that are costed at once
_WORTH = 1e-3  # a larger chip that saves less energy than this share is not on the front
Setting = dict[str, float | str]


@dataclass(frozen=True)
class Configuration:
    """One chip of the space that the knobs span: the values of the knobs, in the unit of the file, and the chip."""

    setting: Mapping[str, float | str]
    hardware: Hardware


def knobs(hardware: Hardware) -> dict[str, tuple[float | str, ...]]:
    """The knobs of a hardware file: the values to choose from, in the unit of the file, by dotted key.

    hardware  the chip with its knobs
    """
    spec = hardware.file.knobs
    found: dict[str, tuple[float | str, ...]] = {}
    for name in ("node", "clock", "processing_elements", "tile_positions", "dataflow"):
        if values := getattr(spec, name):
            found[name] = tuple(values)
    for memory, of_memory in spec.memories.items():
        for name in ("size", "word", "banks"):
            if values := getattr(of_memory, name):
                found[f"memories.{memory}.{name}"] = tuple(values)
    return found


def configurations(hardware: Hardware) -> list[Configuration]:
    """Every combination of the knobs' values, in the order of the file; the chip itself where there are no knobs.

    hardware  the chip with its knobs

    Raises CostError for more than 100 000 combinations and for values that make no chip.
    """
    space = knobs(hardware)
    count = int(np.prod([len(values) for values in space.values()], dtype=np.int64)) if space else 1
    if count > _MANY:
        raise CostError(f"{hardware.path}: knobs span {count} chips; at most {_MANY} are enumerated, give fewer values")
    found = []
    for values in itertools.product(*space.values()):
        setting = dict(zip(space, values, strict=True))
        found.append(Configuration(setting, configured(hardware, setting)))
    return found


def configured(hardware: Hardware, setting: Mapping[str, float | str]) -> Hardware:
    """The chip with some entries of its hardware file at other values.

    hardware  the chip
    setting   value by dotted key, in the unit of the file, such as {"memories.weights.size": 512}

    Op energies and memories are derived anew. Raises CostError for an unknown key or a bad value.
    """
    tree = hardware.file.model_dump(mode="python", exclude_none=True)
    for key, value in setting.items():
        *parents, last = key.split(".")
        section = tree
        for part in parents:
            child = section.get(part)
            section = child if isinstance(child, dict) else {}
        if last not in section:
            raise CostError(f"{hardware.path}: knobs: {key} is {value!r}; the file has no such entry to replace")
        section[last] = _replaced(section[last], value)
    if "processing_elements" in setting and "geometry" in tree:
        _widen(tree)
    try:
        file = HardwareFile.model_validate(tree)
        return resolve(file, hardware.name, hardware.path, hardware.sha256)
    except ValueError as error:
        first = error if isinstance(error, CostError) else str(error).splitlines()[2].strip()
        shown = ", ".join(f"{key}: {value}" for key, value in setting.items())
        raise CostError(f"{hardware.path}: knobs: {{{shown}}} make no chip: {first}") from None


def _widen(tree: dict[str, Any]) -> None:
    """Another number of processing elements: the array keeps its positions and takes more or fewer channels."""
    shape = tree["geometry"]
    shape["channels"] = _replaced(shape["channels"], tree["processing_elements"]["value"] / shape["positions"]["value"])


def _replaced(entry: object, value: float | str) -> object:
    """An entry of a hardware file at another value; a quantity keeps its unit and source but not its range."""
    if not isinstance(entry, dict):
        return value
    return {k: v for k, v in entry.items() if k not in ("low", "high")} | {"value": value}


def sweep(
    candidates: Candidates,
    hardware: Hardware,
    objectives: Sequence[str] = OBJECTIVES,
    *,
    frame_rate: float | None = None,
    bands: bool = False,
) -> pd.DataFrame:
    """The co-design table: for each design and objective the best chip that the knobs span, by exact enumeration.

    candidates  the N designs
    hardware    the chip whose knobs span the space
    objectives  of OBJECTIVES; all minimised
    frame_rate  inferences per second; default: the hardware file's
    bands       whether columns `energy_low` and `energy_high` are added: least and greatest energy over the variations
                of `stability`

    Feasible chips come before infeasible ones; among equals the smaller area, then the first of the enumeration, wins.
    Columns: design, objective, a column per knob, the costs, `feasible`, `file_value` (the objective on the chip as
    the file describes it) and `gain` = 1 - best / file_value.
    """
    import pandas as pd

    unknown = [o for o in objectives if o not in OBJECTIVES]
    if unknown:
        raise CostError(f"unknown objective {unknown[0]!r}; there are {', '.join(OBJECTIVES)}")
    space, names = configurations(hardware), candidates.names
    candidates = candidates.settled()  # the chips differ, the activity does not
    values, feasible = _costs(candidates, [c.hardware for c in space], frame_rate)  # (H, N, C), (H, N)
    own, _ = _costs(candidates, [hardware], frame_rate)
    rows, best_of = [], _best(values, feasible, objectives)
    ends = _ends(candidates, space, best_of.values()) if bands else {}
    for place in range(len(candidates)):
        for objective in objectives:
            column, best = _objective(values[:, place], objective), best_of[place, objective]
            at_file = float(_objective(own[:, place], objective)[0])
            costs = dict(zip(_COSTS, values[best, place].tolist(), strict=True))
            outcome = {"feasible": bool(feasible[best, place]), "file_value": at_file}
            gain = 1 - float(column[best]) / at_file if at_file else 0.0
            head = {"design": names[place], "objective": objective}
            outcome |= _band(ends, best, place)
            rows.append(head | dict(space[best].setting) | costs | outcome | {"gain": gain})
    return pd.DataFrame(rows)


def area_front(
    candidates: Candidates, hardware: Hardware, *, frame_rate: float | None = None, bands: bool = False
) -> pd.DataFrame:
    """For each design the chips of which each larger one saves energy, at least 0.1 %, the smallest first.

    candidates  the N designs
    hardware    the chip whose knobs span the space
    frame_rate  inferences per second; default: the hardware file's
    bands       as for `sweep`

    Only chips that the design fits, or all where it fits none. Columns: design, a column per knob, the costs,
    `feasible`.
    """
    import pandas as pd

    space, names = configurations(hardware), candidates.names
    values, feasible = _costs(candidates.settled(), [c.hardware for c in space], frame_rate)
    energy, area = _COSTS.index("energy_j"), _COSTS.index("area_mm2")
    front: list[tuple[int, int]] = []  # design and chip
    for place in range(len(names)):
        allowed = np.flatnonzero(feasible[:, place]) if feasible[:, place].any() else np.arange(len(space))
        order = allowed[np.lexsort((values[allowed, place, energy], values[allowed, place, area]))]
        best = np.inf
        for at in order:
            if values[at, place, energy] < best * (1 - _WORTH):
                best = values[at, place, energy]
                front.append((place, int(at)))
    ends = _ends(candidates, space, (at for _, at in front)) if bands else {}
    rows = []
    for place, at in front:
        costs = dict(zip(_COSTS, values[at, place].tolist(), strict=True))
        outcome = {"feasible": bool(feasible[at, place])} | _band(ends, at, place)
        rows.append({"design": names[place]} | dict(space[at].setting) | costs | outcome)
    return pd.DataFrame(rows)


def _best(
    values: NDArray[np.float64], feasible: NDArray[np.bool_], objectives: Sequence[str]
) -> dict[tuple[int, str], int]:
    """The best chip for each design and objective; `values` (H, N, C), `feasible` (H, N)."""
    area, found = _COSTS.index("area_mm2"), {}
    for place in range(values.shape[1]):
        for objective in objectives:
            order = np.lexsort((values[:, place, area], _objective(values[:, place], objective), ~feasible[:, place]))
            found[place, objective] = int(order[0])
    return found


def _ends(
    candidates: Candidates, space: Sequence[Configuration], chips: Iterable[int]
) -> dict[int, NDArray[np.float64]]:
    """Least and greatest energy of all designs, (N, 2) [J], by chip."""
    places = list(dict.fromkeys(chips))
    return dict(zip(places, bands_on(candidates, [space[at].hardware for at in places]), strict=True))


def _band(ends: Mapping[int, NDArray[np.float64]], at: int, place: int) -> dict[str, float]:
    """The columns of one design on one chip; none where no ends are asked for."""
    if not ends:
        return {}
    return {"energy_low": float(ends[at][place, 0]), "energy_high": float(ends[at][place, 1])}


def _costs(
    candidates: Candidates, chips: Sequence[Hardware], frame_rate: float | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values = np.empty((len(chips), len(candidates), len(_COSTS)))
    feasible = np.empty((len(chips), len(candidates)), dtype=bool)
    for start in range(0, len(chips), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        cost = candidates.costs_on(chips[part], frame_rate=frame_rate)
        values[part] = np.stack([getattr(cost, name) for name in _COSTS], axis=-1)
        feasible[part] = cost.feasible
    return values, feasible


def _objective(values: NDArray[np.float64], objective: str) -> NDArray[np.float64]:
    if objective == "energy_delay_js":
        return np.asarray(values[:, _COSTS.index("energy_j")] * values[:, _COSTS.index("latency_s")])
    return values[:, _COSTS.index(objective)]
