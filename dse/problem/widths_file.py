"""Widths of layers in a file of the user's: CSV, JSON or YAML, one design or several.

layer,bits            or a row per design, as in results.csv and in the report's download:
conv1,8               id,time_steps,v:block3,w:conv1,w:fc
fc,4                  a33b5ab0ef,2,8,8,4

{time_steps: 2, weights: {conv1: 8, fc: 4}, states: {block3: 8}}      # JSON or YAML; or a list of such designs

Configurations of ModelOpt, torchao, Brevitas and AIMET (`dse.problem.tool_layouts`) are read, too.
Beside `states`, potentials by stage (`v:`), `streams` are residual streams (`r:`) and `between` sums (`b:`).
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodels import CostError
from costmodels.whole_files import write_text
from costmodels.yaml_file import plain, read_yaml
from dse.config.choices import STATE_WIDTHS, WEIGHT_WIDTHS
from dse.errors import ConfigError
from dse.problem.design import PREFIXES, WEIGHTS, Design, is_other_column, is_weight_column, other_column, weight_column
from dse.problem.tool_layouts import widths_of

if TYPE_CHECKING:
    from costmodels import Workload

SECTIONS = {"states": "state", "streams": "stream", "between": "between"}  # of JSON and YAML, beside `weights`
STEPS = "time_steps"
MOST_STEPS = 10_000  # of a design that anybody would run
Cells = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """The network that widths are for: weight layers in order, time steps, and by kind what else has a width.

    others: the stages with membrane potentials (`state`), streams (`stream`) and stages with sums (`between`).
    like: by kind, the widths of what a file gives none of that kind for; where it is empty, they stay open.
    """

    layers: tuple[str, ...]
    time_steps: int
    others: Mapping[str, tuple[str, ...]]
    like: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, workload: Workload, like: Design | None = None) -> Target:
        """The network of a layer table; what a file leaves open besides weights is that of the design `like`."""
        stages = tuple(dict.fromkeys(workload.stages))
        starts = tuple(dict.fromkeys(workload.stages[each.begins] for each in workload.streams or ()))
        others = {"state": stages, "stream": starts, "between": stages}
        if like is None:
            return cls(workload.weight_layers, workload.time_steps, others)
        return cls(workload.weight_layers, like.time_steps, others, like.other_bits)


def read_widths(path: Path, *targets: Target) -> dict[str, Design]:
    """The designs in a file by name: their ids, or those that the file gives them in a column or key `id`.

    path     .csv, .json, .yaml or .yml
    targets  the network in every form, of which a design has the layers of one; time steps and other widths that the
             file does not give are the target's

    Raises ConfigError with file, layer, value and remedy for a layer that is missing or unknown, for a width that does
    not exist, and for what is no such file.
    """
    out: dict[str, Design] = {}
    for cells in parsed(path):
        design = _design(path, cells, targets)
        out[str(cells.get("id") or design.id)] = design
    return out


def one_of(path: Path, *targets: Target, name: str | None = None) -> Design:
    """The only design in a file, or the one called `name`.  Raises ConfigError as `read_widths`, and for several."""
    found = read_widths(path, *targets)
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    raise ConfigError(f"{path}: has {len(found)} designs ({', '.join(list(found)[:3])}, ...); name one with --design")


def design_tree(design: Design) -> dict[str, Any]:
    """A design as JSON or YAML; `read_widths` gives it back, with the same id."""
    weights = dict(zip(design.layers, design.weight_bits, strict=True))
    others = {section: dict(design.other_bits[kind]) for section, kind in SECTIONS.items()}
    tree = {"id": design.id, STEPS: design.time_steps, "weights": weights}
    return tree | {section: given for section, given in others.items() if given}


def write_widths(path: Path, design: Design) -> None:
    """Write a design where `read_widths` finds it again, in the format that the name's ending says."""
    kind = _kind(path, "--out")
    if kind == ".csv":
        cells = {"id": design.id, STEPS: design.time_steps} | design.columns()
        write_text(path, f"{','.join(cells)}\n{','.join(map(str, cells.values()))}\n")
    elif kind == ".json":
        write_text(path, json.dumps(design_tree(design), indent=2) + "\n")
    else:
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in design_tree(design).items()]  # JSON is YAML
        write_text(path, "".join(lines))


def _kind(path: Path, option: str) -> str:
    """The format of a file.  Raises ConfigError for a name that says none."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".json", ".yaml", ".yml"):
        raise ConfigError(f"{option} {path}: expected a name that ends in .csv, .json, .yaml or .yml")
    return kind


def parsed(path: Path) -> list[Cells]:
    """The designs of a file as flat cells, before a network is known.  Raises ConfigError for what cannot be read."""
    if not path.is_file():
        raise ConfigError(f"--widths {path}: no such file")
    kind = _kind(path, "--widths")
    if kind == ".csv":
        return _of_csv(path)
    try:
        tree = json.loads(path.read_text(encoding="utf-8")) if kind == ".json" else plain(read_yaml(path))
    except (CostError, ValueError, RecursionError) as error:
        raise ConfigError(str(error) if isinstance(error, CostError) else f"{path}: is no JSON ({error})") from None
    designs = tree if isinstance(tree, list) else [tree]
    if not designs or not all(isinstance(one, Mapping) for one in designs):
        raise ConfigError(f"{path}: expected widths by layer, such as {{conv1: 8, fc: 4}}, or a list of such designs")
    return [_flat(path, one) for one in designs]


def _of_csv(path: Path) -> list[Cells]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{k: v for k, v in row.items() if k and v not in ("", None)} for row in reader]
            head = [name for name in reader.fieldnames or () if name]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is not a table ({error})") from None
    if not rows:
        raise ConfigError(f"{path}: has no rows; expected layer,bits or a row per design with columns w:<layer>")
    if {"layer", "bits"} <= set(head):
        return [{row["layer"]: row["bits"] for row in rows if {"layer", "bits"} <= set(row)}]
    if not any(is_weight_column(name) for name in head):
        raise ConfigError(f"{path}: has columns {', '.join(head[:4])}; expected layer,bits, or columns w:<layer>")
    return [_flat(path, row) for row in rows]


def _flat(path: Path, tree: Mapping[str, Any]) -> Cells:
    """A design's sections as `w:` and `v:` cells beside its other ones."""
    cells: Cells = {}
    if (found := widths_of(path, tree)) is not None:
        return {weight_column(name): bits for name, bits in found.items()}
    for key, value in tree.items():
        if key == "weights" and isinstance(value, Mapping):
            cells |= {weight_column(str(name)): bits for name, bits in value.items()}
        elif key in SECTIONS and isinstance(value, Mapping):
            cells |= {other_column(SECTIONS[key], str(name)): bits for name, bits in value.items()}
        else:
            cells[str(key)] = value
    return cells


def _design(path: Path, cells: Cells, targets: Sequence[Target]) -> Design:
    """One design of the network.  Raises ConfigError for layers that are missing or unknown, and for strange widths."""
    given = {k.removeprefix(WEIGHTS): v for k, v in cells.items() if is_weight_column(k)}
    if not given:  # layers stand there by their bare names, and nothing else does
        given = {k: v for k, v in cells.items() if k not in ("id", STEPS) and not is_other_column(k)}
    target = next((each for each in targets if set(each.layers) == set(given)), targets[0])
    for name in given:
        if name not in target.layers:
            raise ConfigError(f"{path}: the network has no weight layer {name!r}; {_meant(name, target.layers)}")
    if missing := [name for name in target.layers if name not in given]:
        raise ConfigError(f"{path}: has no width for {missing[0]} ({len(missing)} of {len(target.layers)} are missing)")
    bits = tuple(_whole(path, name, given[name], WEIGHT_WIDTHS) for name in target.layers)
    steps = _whole(path, STEPS, cells.get(STEPS, target.time_steps), range(1, MOST_STEPS + 1))
    own = (_others(path, cells, kind, target) or target.like.get(kind, {}) for kind in PREFIXES)
    states, streams, between = own
    return Design(target.layers, bits, steps, states, streams, between)


def _others(path: Path, cells: Cells, kind: str, target: Target) -> dict[str, int]:
    """The widths of potentials, streams or sums that a design gives, by name.  Raises ConfigError as `_design`."""
    found, (least, most) = {}, STATE_WIDTHS
    for column, value in cells.items():
        if column.startswith(PREFIXES[kind]):
            name = column.removeprefix(PREFIXES[kind])
            if name not in target.others[kind]:
                raise ConfigError(f"{path}: {column}: no {name!r} has such widths; {_meant(name, target.others[kind])}")
            found[name] = _whole(path, column, value, range(least, most + 1))
    return found


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known[:3])}, ..."


def _whole(path: Path, name: str, value: Any, known: Sequence[int]) -> int:
    """A whole number among those known.  Raises ConfigError with what there is."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or number not in known:
        there = f"{known[0]} to {known[-1]}" if isinstance(known, range) else ", ".join(map(str, known))
        raise ConfigError(f"{path}: {name} is {value}; choose from {there}")
    return int(number)
