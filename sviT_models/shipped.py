"""The trained networks that come with the package, by name; `weights/NAME.json` and `.log` say how each was made."""

import os
from pathlib import Path

from sviT_models.errors import ModelError

FOLDER = Path(__file__).parent / "weights"


def shipped_names() -> tuple[str, ...]:
    """Names of the networks in `weights/`."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.safetensors")))


def checkpoint_path(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped network, or the given file.  Raises ModelError when there is neither."""
    if name_or_path in shipped_names():
        return FOLDER / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if not path.exists():
        raise ModelError(
            f"no checkpoint {str(name_or_path)!r}; there are: {', '.join(shipped_names())}, or the path of a file"
        )
    return path
