"""The trained networks that come with the package, by name; `weights/NAME.json` and `.log` say how each was made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sviT_models.checkpoints.files import load_checkpoint
from sviT_models.errors import ModelError
from sviT_models.hashing import sha256
from sviT_models.network.meta_spikeformer import MetaSpikeFormer

FOLDER = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode, the file its weights came from, and that file's SHA-256."""

    model: MetaSpikeFormer
    path: Path
    sha256: str


def shipped_names() -> tuple[str, ...]:
    """Names of the networks in `weights/`."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.safetensors")))


def checkpoint_path(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped network, or the given path. Raises ModelError when there is neither.

    name_or_path  one of `shipped_names()`, or a file
    """
    if name_or_path in shipped_names():
        return FOLDER / f"{name_or_path}.safetensors"
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
) -> Checkpoint:
    """A shipped network by its name, or the network of a checkpoint file as `load_checkpoint` reads it.

    name_or_path  one of `shipped_names()`, or a file

    `network` names the architecture where the file does not; `distilled` says that it has a distillation head;
    `time_steps` stands in place of the file's. Raises ModelError like `load_checkpoint`.
    """
    path = checkpoint_path(name_or_path)
    model = load_checkpoint(path, network, distilled=distilled or None, time_steps=time_steps)
    return Checkpoint(model, path, sha256(path))
