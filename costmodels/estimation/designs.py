"""Designs that bring their own time steps, potentials and spikes, costed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.estimate import estimate
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload


@dataclass(frozen=True, eq=False)
class Designs:
    """N designs with everything of their own that a cost depends on.

    weight_bits  (N, L)
    names        N names; default: 0, 1, ...
    time_steps   (N,); default: those of the workload
    state_bits   (N, R) or (N, LIF layers), as for `estimate`; default: the chip's
    spikes       (N, LIF layers) spikes per image over each design's own steps; default: as measured
    """

    weight_bits: NDArray[Any]
    names: tuple[str, ...] = ()
    time_steps: NDArray[Any] | None = None
    state_bits: NDArray[Any] | None = None
    spikes: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.weight_bits) != 2:
            raise CostError(f"designs have widths of shape {np.shape(self.weight_bits)}; expected (designs, layers)")
        own = {"names": self.names or None, "time_steps": self.time_steps}
        own |= {"state_bits": self.state_bits, "spikes": self.spikes}
        for name, given in own.items():
            if given is not None and len(given) != len(self):
                raise CostError(f"{name} has {len(given)} entries; expected {len(self)}, one per design")

    def __len__(self) -> int:
        return len(self.weight_bits)

    def name(self, place: int) -> str:
        """The name of one design."""
        return self.names[place] if self.names else str(place)

    def only(self, places: ArrayLike) -> Designs:
        """The designs at some places."""
        at = np.atleast_1d(np.asarray(places))

        def some(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else np.asarray(values)[at]

        return Designs(
            np.asarray(self.weight_bits)[at],
            tuple(self.name(int(i)) for i in at),
            some(self.time_steps),
            some(self.state_bits),
            some(self.spikes),
        )

    def costs(
        self, workload: Workload, hardware: Hardware, quantities: Sequence[str], **arguments: Any
    ) -> dict[str, NDArray[Any]]:
        """Named attributes of `Cost` for every design, (N,) each; `arguments` are further ones of `estimate`."""
        if self.time_steps is None:
            return self._at(workload, hardware, quantities, arguments)
        steps = np.asarray(self.time_steps)
        out: dict[str, NDArray[Any]] = {}
        for t in np.unique(steps):
            at = np.flatnonzero(steps == t)
            part = self.only(at)._at(workload, hardware, quantities, {**arguments, "time_steps": int(t)})
            for name, values in part.items():
                out.setdefault(name, np.empty(len(self), dtype=values.dtype))[at] = values
        return out

    def _at(
        self, workload: Workload, hardware: Hardware, quantities: Sequence[str], arguments: dict[str, Any]
    ) -> dict[str, NDArray[Any]]:
        own = {"state_bits": self.state_bits, "spikes": self.spikes}
        given = {name: value for name, value in own.items() if value is not None}
        cost = estimate(workload, hardware, weight_bits=self.weight_bits, components=False, **{**arguments, **given})
        return {name: getattr(cost, name) for name in quantities}
