"""Designs: the widths, time steps and spikes that a cost depends on beside network and chip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.workload.activity import Activity

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Designs:
    """One design of a network, or many; the batch axes (...) of the fields broadcast.

    weight_bits      widths of the weights [bit], (..., L) in the order of Workload.weight_layers, or one number for
                     all layers; 1 to 16 are integers, 32 is float
    names            names of the N designs; default: 0, 1, ...
    time_steps       (...); default: as measured, other values scale the measured spikes
    state_bits       widths of the membrane potentials [bit], (..., R) in the order of Workload.names, (..., F) in that
                     of Workload.lif_layers, or one number; default: the chip's (32 in float rows)
    spikes           spikes per image over the design's own time steps, (..., F) in the order of Workload.lif_layers or
                     by name, or the Activity that follows from them; default: as measured
    activation_bits  width of inputs between convolutions without neurons [bit], (..., R) or one number; default: the
                     layer table's
    stream_bits      widths of the residual streams [bit], (..., A) in the order of Workload.streams, or one number;
                     default: the layer table's
    sum_bits         widths of accumulators that sums were measured to need [bit], (..., R), 0 where a row's is not
                     known, such as `observed_bits` of an export; default: what the shapes can need at most

    L layers have weights, R rows are in the layer table, F LIF layers and A additions in the network. Widths are
    checked against the network when they are costed. Raises CostError for batch axes that do not broadcast.
    """

    weight_bits: ArrayLike
    names: Sequence[str] = ()
    time_steps: ArrayLike | None = None
    state_bits: ArrayLike | None = None
    spikes: Activity | ArrayLike | Mapping[str, float] | None = None
    activation_bits: ArrayLike | None = None
    stream_bits: ArrayLike | None = None
    sum_bits: ArrayLike | None = None

    def __post_init__(self) -> None:
        count = len(self)  # checks the batch axes
        if self.names and len(self.names) != count:
            raise CostError(f"names has {len(self.names)} entries; expected {count}, one per design")

    @classmethod
    def of(cls, designs: Designs | ArrayLike) -> Designs:
        """The designs themselves; or those that differ in the given weight widths only."""
        return designs if isinstance(designs, Designs) else cls(np.asarray(designs))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The batch axes; () for a single design."""
        axes = {
            "weight_bits": np.shape(self.weight_bits)[:-1],
            "time_steps": () if self.time_steps is None else np.shape(self.time_steps),
            "state_bits": () if self.state_bits is None else np.shape(self.state_bits)[:-1],
            "spikes": _spike_axes(self.spikes),
            "activation_bits": () if self.activation_bits is None else np.shape(self.activation_bits)[:-1],
            "stream_bits": () if self.stream_bits is None else np.shape(self.stream_bits)[:-1],
            "sum_bits": () if self.sum_bits is None else np.shape(self.sum_bits)[:-1],
        }
        try:
            return np.broadcast_shapes(*axes.values())
        except ValueError:
            shown = ", ".join(f"{name} {shape}" for name, shape in axes.items() if shape)
            raise CostError(f"the batch axes of {shown} do not broadcast; expected one entry per design") from None

    def __len__(self) -> int:
        return math.prod(self.shape)

    def name(self, place: int) -> str:
        """The name of one of the N designs."""
        return self.names[place] if self.names else str(place)

    def only(self, places: int | Places) -> Designs:
        """The design at one place of the N, or those at several places (n,), under the names that they have here."""
        names = tuple(self.name(int(place)) for place in np.atleast_1d(places))
        return replace(self._at(places), names=names) if self.shape else self

    def by_time_steps(self) -> Iterator[tuple[Places, Designs]]:
        """The designs of every number of time steps, without names, and their places among the N."""
        steps = () if self.time_steps is None else np.unique(self.time_steps)
        if len(steps) <= 1:
            yield np.arange(len(self)), self
            return
        each = np.broadcast_to(np.asarray(self.time_steps), self.shape).reshape(-1)
        for step in steps:
            places = np.flatnonzero(each == step)
            yield places, self._at(places)

    def _at(self, places: int | Places) -> Designs:
        index = np.unravel_index(places, self.shape)

        def some(values: ArrayLike, own_axes: int) -> ArrayLike:
            given = np.asarray(values)
            if given.ndim <= own_axes:
                return values
            own = given.shape[given.ndim - own_axes :]
            return np.asarray(np.broadcast_to(given, (*self.shape, *own))[index])

        spikes = self.spikes
        if isinstance(spikes, Activity):
            spikes = spikes.broadcast(self.shape)[index] if spikes.shape else spikes
        elif spikes is not None and not isinstance(spikes, Mapping):
            spikes = some(spikes, 1)
        return replace(
            self,
            weight_bits=some(self.weight_bits, 1),
            names=(),
            time_steps=None if self.time_steps is None else some(self.time_steps, 0),
            state_bits=None if self.state_bits is None else some(self.state_bits, 1),
            spikes=spikes,
            activation_bits=None if self.activation_bits is None else some(self.activation_bits, 1),
            stream_bits=None if self.stream_bits is None else some(self.stream_bits, 1),
            sum_bits=None if self.sum_bits is None else some(self.sum_bits, 1),
        )


def _spike_axes(spikes: Activity | ArrayLike | Mapping[str, float] | None) -> tuple[int, ...]:
    if isinstance(spikes, Activity):
        return spikes.shape
    return () if spikes is None or isinstance(spikes, Mapping) else np.shape(spikes)[:-1]
