"""What designs cost, as arrays over the batch axes of the designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Cost:
    """Costs of designs, arrays of shape (...): J per inference, s, W, bytes, mm2.

    energy_j              one inference: dynamic energy, and leakage during its latency
    latency_s             from the image to the result of one inference by itself
    interval_s            between the results of inferences that follow each other without pause: the latency, or where
                          layers work at the same time that of the slowest
    power_w               average at the frame rate: dynamic energy x rate + leakage
    throughput_power_w    average when inferences follow each other without pause: dynamic energy / interval + leakage
    memory_bytes          everything the design stores = on_chip_bytes + off_chip_bytes
    area_mm2              on-chip memories, and processing elements where the chip states their area
    room_bytes            room left in the weight memory (negative: bytes to save until no weights stream)
    feasible              no violation; `violations` names them, one boolean array each
    streams               whether residual streams are charged; False where the layer table does not know them
    energy_by_component, memory_by_component   sum to energy_j and memory_bytes; empty unless asked for
    """

    energy_j: FloatArray
    latency_s: FloatArray
    interval_s: FloatArray
    power_w: FloatArray
    throughput_power_w: FloatArray
    memory_bytes: FloatArray
    on_chip_bytes: FloatArray
    off_chip_bytes: FloatArray
    area_mm2: FloatArray
    room_bytes: FloatArray
    feasible: BoolArray
    violations: Mapping[str, BoolArray]
    streams: bool
    energy_by_component: Mapping[str, FloatArray]
    memory_by_component: Mapping[str, FloatArray]


def joined(parts: Sequence[tuple[NDArray[np.intp], Cost]], shape: tuple[int, ...]) -> Cost:
    """The costs of parts of a batch as those of the whole batch, of shape (...), from their flat places in it."""
    if len(parts) == 1 and parts[0][1].energy_j.shape == shape:
        return parts[0][1]

    def whole(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        out = np.empty(int(np.prod(shape, dtype=np.int64)), dtype=values[0].dtype)
        for (places, _), part in zip(parts, values, strict=True):
            out[places] = part.reshape(-1)
        return out.reshape(shape)

    columns: dict[str, Any] = {}
    for field in fields(Cost):
        values = [getattr(cost, field.name) for _, cost in parts]
        if isinstance(values[0], bool):
            columns[field.name] = all(values)
        elif isinstance(values[0], Mapping):
            columns[field.name] = {name: whole([each[name] for each in values]) for name in values[0]}
        else:
            columns[field.name] = whole(values)
    return Cost(**columns)
