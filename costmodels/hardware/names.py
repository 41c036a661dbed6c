"""The names of the shipped accelerators, without the schema that reading one needs."""

from __future__ import annotations

from pathlib import Path

CHIPS = Path(__file__).parents[1] / "chips"


def hardware_names() -> tuple[str, ...]:
    """The shipped accelerators: the files in costmodels/chips."""
    return tuple(sorted(path.stem for path in CHIPS.glob("*.yaml")))
