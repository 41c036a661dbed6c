"""Names of the trained networks and the data sets that come with the package, told without loading torch."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
STILL = ("digits", "fashion_mnist", "glyphs")
EVENTS = "event_glyphs"


def shipped_names() -> tuple[str, ...]:
    """Names of the networks in `weights/`."""
    return tuple(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))


def dataset_names() -> tuple[str, ...]:
    """Names of the data sets that come with the package."""
    return (*STILL, EVENTS)
