"""The shipped accelerators and files of your own: found, loaded, checked, listed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from costmodels.errors import CostError
from costmodels.hardware.checks import disagreements
from costmodels.hardware.file import check, own_dataflows, parse, python_files
from costmodels.hardware.hardware import Hardware, resolve
from costmodels.hardware.names import CHIPS, hardware_names
from costmodels.yaml_file import line_of, meant, read_yaml

if TYPE_CHECKING:
    import pandas as pd


def load_hardware(name_or_path: str | Path) -> Hardware:
    """An accelerator.

    name_or_path  a shipped one by its name (costmodels.hardware_names), or one of your own by its path

    Raises CostError with file, line, key, value and remedy on one line.
    """
    return _shipped(str(name_or_path)) if str(name_or_path) in hardware_names() else _read(find(name_or_path))


@cache
def _shipped(name: str) -> Hardware:
    """A shipped accelerator, read once."""
    return _read(find(name))


def _read(path: Path) -> Hardware:
    try:
        file = parse(path)
        own = python_files((file.dataflow, *file.knobs.dataflow))
        return resolve(file, path.stem, str(path), _identity(path, own))
    except CostError as error:
        raise CostError(_placed(str(error), path)) from None


def own_dataflow_files(name_or_path: str | Path) -> tuple[Path, ...]:
    """The Python files that a hardware file names as its data flow, none of them executed; empty for what is no file.

    name_or_path  as for `load_hardware`
    """
    try:
        return own_dataflows(find(name_or_path))
    except CostError:
        return ()


def _identity(path: Path, own: Iterable[Path]) -> str:
    """SHA-256 of a hardware file and of the data flows of the user's own that it names."""
    content = hashlib.sha256(path.read_bytes())
    for flow in own:
        if flow.is_file():
            content.update(flow.read_bytes())
    return content.hexdigest()


def find(name_or_path: str | Path) -> Path:
    """The file of a shipped accelerator, or the path itself."""
    text = str(name_or_path)
    if text in hardware_names():
        return CHIPS / f"{text}.yaml"
    path = Path(name_or_path)
    if not path.is_file():
        raise CostError(f"{text}: neither a file nor a shipped accelerator; {meant(text, hardware_names())}")
    return path


def lint(name_or_path: str | Path) -> list[str]:
    """Every mistake of a hardware file, one line each; empty for a file that can be used.

    name_or_path  as for `load_hardware`
    """
    try:
        path = find(name_or_path)
    except CostError as error:
        return [str(error)]
    mistakes, file = check(path)
    if file is None:
        return mistakes
    try:
        if disagreeing := disagreements(file):
            return [_placed(mistake, path) for mistake in disagreeing]
        resolve(file, path.stem, str(path), "")
    except CostError as error:
        return [_placed(str(error), path)]
    return []


def hardware_rows() -> list[dict[str, object]]:
    """The shipped accelerators, one row each: name, title, node [nm], data flow, widths [bit], memories, hash."""
    rows: list[dict[str, object]] = []
    for name in hardware_names():
        hardware = load_hardware(name)
        chip = hardware.chip
        on_chip = [port.size for port in (chip.weights, chip.states, chip.spikes) if port.size < float("inf")]
        rows.append(
            {
                "name": name,
                "title": hardware.title,
                "node_nm": hardware.table["node"].value,
                "dataflow": hardware.dataflow,
                "weight_widths": " ".join(map(str, hardware.weight_widths)),
                "on_chip_bytes": sum(on_chip) / 8,
                "dram": chip.has_dram,
                "memory_area_mm2": chip.memory_area,
                "constants": len(hardware.table),
                "sha256": hardware.sha256,
            }
        )
    return rows


def hardware_table() -> pd.DataFrame:
    """`hardware_rows` as a table."""
    import pandas as pd

    return pd.DataFrame(hardware_rows())


def _placed(message: str, path: Path) -> str:
    """A message that begins with a key, with file and line in front; others as they are."""
    if message.startswith(str(path)):
        return message
    key = message.split(" ")[0].rstrip(":")
    line = line_of(read_yaml(path), key.split("."))
    return f"{path}:{line}: {message}" if line else f"{path}: {message}"
