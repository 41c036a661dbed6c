"""The phases of a search in the words of QSViT's methodology, announced and timed."""

from __future__ import annotations

import time
from collections.abc import Callable

from dse.results.manifest import Phase

Say = Callable[[str], None]
STEPS = {
    "prepare": ("network, images and chip", "a design is judged by measuring it on these images"),
    "1 precision study": ("gradient sensitivity of every layer at every width", "which layers can lose bits"),
    "2 base setting": ("float, uniform widths and the guided setting", "what every later design has to beat"),
    "3 guided search": ("designs proposed by the strategy, measured", "the trade-off between accuracy and cost"),
    "4 final network": ("candidates measured on images the search never saw", "a promise that holds"),
}


class Clock:
    """Collects phases with their cost."""

    def __init__(self, say: Say) -> None:
        self.phases: list[Phase] = []
        self._say = say
        self._open: tuple[str, float] | None = None

    def begin(self, name: str) -> None:
        """Say what starts, and why."""
        what, why = STEPS[name]
        label = name if name == "prepare" else f"step {name}"
        self._say(f"{label}: {what} ({why})")
        self._open = (name, time.perf_counter())

    def end(self, evaluations: int, images: int) -> None:
        """Note what the open phase took."""
        assert self._open is not None
        name, start = self._open
        self.phases.append(Phase(name, *STEPS[name], evaluations, images, time.perf_counter() - start))
