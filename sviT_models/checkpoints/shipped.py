"""The trained networks that come with the package, by name; `weights/NAME.json` and `.log` say how each was made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from sviT_models.checkpoints.files import load_checkpoint
from sviT_models.checkpoints.recognise import likeness, shapes
from sviT_models.checkpoints.state_dict import read_notes
from sviT_models.errors import ModelError
from sviT_models.graph.files import open_graph
from sviT_models.hashing import sha256
from sviT_models.inventory import WEIGHTS, shipped_names
from sviT_models.network.config import config_of

UNSTATED = ("time_steps", "levels", "heads", "attention_scale")  # what the shapes of a state_dict do not tell


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode, the file its weights came from, and that file's SHA-256.

    `assumed` says in a line what the file does not tell of the network; empty where it tells all.
    """

    model: nn.Module
    path: Path
    sha256: str
    assumed: str = ""


def checkpoint_path(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped network, or the given path. Raises ModelError when there is neither.

    name_or_path  one of `shipped_names()`, or a file
    """
    if name_or_path in shipped_names():
        return WEIGHTS / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if not path.exists():
        raise ModelError(
            f"no checkpoint {str(name_or_path)!r}; there are: {', '.join(shipped_names())}, or the path of a file"
        )
    return path


def open_checkpoint(
    name_or_path: str | os.PathLike[str],
    *,
    network: str | None = None,
    distilled: bool = False,
    time_steps: int | None = None,
    options: Mapping[str, object] | None = None,
) -> Checkpoint:
    """A shipped network by its name, or the network of a checkpoint file as `load_checkpoint` reads it.

    name_or_path  one of `shipped_names()`, or a file

    `network` names the architecture where the file does not; `distilled` says that it has a distillation head;
    `time_steps` stands in place of the file's, and so do `options`, the other keywords of `load_checkpoint`. A graph
    that `save_graph` wrote is a whole network, which is called as the file and takes none of these.
    Raises ModelError like `load_checkpoint`.
    """
    path = checkpoint_path(name_or_path)
    given: dict[str, Any] = {"distilled": distilled or None, "time_steps": time_steps, **(options or {})}
    if strange := sorted(set(given) - {*UNSTATED, "distilled", "num_classes"}):
        raise ModelError(f"{path}: {strange[0]} is not an option of a checkpoint; there are {', '.join(UNSTATED)}")
    if _is_graph(path):
        return _saved_graph(path, [key for key, value in {"network": network, **given}.items() if value is not None])
    model = load_checkpoint(path, network, **given)
    return Checkpoint(model, path, sha256(path), _assumed(path, model, given, network))


def _is_graph(path: Path) -> bool:
    try:
        return path.is_file() and "graph" in read_notes(path)
    except (OSError, ModelError):  # which reading its weights says better
        return False


def _saved_graph(path: Path, given: list[str]) -> Checkpoint:
    if given:
        raise ModelError(f"{path}: is a captured network, which has no option {given[0]}; leave it out")
    model = open_graph(path).network
    model.config = replace(model.config, name=path.stem)
    return Checkpoint(model.eval(), path, sha256(path))


def _assumed(path: Path, model: nn.Module, given: Mapping[str, object], network: str | None) -> str:
    """What neither the file nor the user says of a network and no shape tells, with the values taken; or nothing."""
    config = config_of(model)
    missing = [key for key in UNSTATED if given.get(key) is None and hasattr(config, key)]
    if not missing or "config" in read_notes(path):
        return ""
    taken = ", ".join(f"{key} {_short(getattr(config, key))}" for key in missing)
    names = ", ".join(key.replace("_", " ") for key in missing)
    twins = likeness(shapes(model.state_dict())).others if network is None else ()
    alike = f", and has the entries of {' and '.join(twins)} as well; {config.name} is assumed" if twins else ""
    return (
        f"{path} does not say {names}; assumed: {taken}{alike}. If it was trained otherwise, write "
        f"network: {{name: {config.name}, options: {{{missing[0]}: ...}}}}"
    )


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
