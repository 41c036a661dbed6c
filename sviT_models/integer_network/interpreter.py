"""The integer network, operation by operation: the specification that the engine and any hardware have to equal.

numpy only. `run` takes an exported specification (docs/export-format.md) and its tensors. What every operation computes
is in `sviT_models.engine.fixed_point.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sviT_models.engine.fixed_point.operations import Interpreter

Integers = NDArray[np.int64]
Spec = Mapping[str, Any]
Observe = Callable[[str, Integers], None]


def quantize_images(spec: Spec, images: NDArray[np.floating]) -> Integers:
    """Images (N, ...) as integers: floor(x * 2^fraction + 1/2), clipped to the width."""
    image = spec["image"]
    top = 2 ** (image["bits"] - 1)
    scaled = np.floor(images.astype(np.float64) * 2.0 ** image["fraction"] + 0.5)
    found: Integers = np.clip(scaled, -top, top - 1).astype(np.int64)
    return found


def run(
    spec: Spec, tensors: Mapping[str, Integers], images: Integers, observe: Observe | None = None
) -> tuple[Integers, dict[str, Integers]]:
    """Logits (N, classes) in units of 2^-fraction and what every neuron layer emits, of integer images (N, ...).

    `tensors` holds `<layer>.weight` (O, C / groups, k, l), and `<name>.multiplier`, `.offset` and `.right` of every
    rescale. `observe(layer, sums)`, if given, sees every accumulator. Spikes have the name and shape of their `fire`.
    """
    machine = Interpreter(spec, tensors, observe, {"image": images})
    left = {name: i for i, node in enumerate(spec["nodes"]) for name in read_by(node)}
    for i, node in enumerate(spec["nodes"]):
        with np.errstate(invalid="ignore"):  # numbers that no export holds are wrong, not a warning
            machine.run(node)
        for name in read_by(node):  # what nobody reads any more is let go
            if left[name] == i and name in machine.values and name != node["output"]:
                del machine.values[name]
    return machine.values["logits"].reshape(len(images), -1), machine.spikes


def read_by(node: Mapping[str, Any]) -> list[str]:
    """The tensors that an operation reads."""
    given = list(node["inputs"]) if "inputs" in node else [node["input"]]
    return [*given, node["add"]] if "add" in node else given


def spike_counts(spec: Spec, spikes: Mapping[str, Integers]) -> Integers:
    """What every neuron layer emits (layers, T), in the order in which they first fire; integer ones in one entry."""
    counts: dict[str, Integers] = {}
    for node in spec["nodes"]:
        if node["op"] in ("fire", "levels"):
            made = spikes[node["output"]]
            seen = made.reshape(len(made) if node["op"] == "fire" else 1, -1)
            counts[node["name"]] = counts.get(node["name"], 0) + np.count_nonzero(seen, axis=1)
    steps = max((len(count) for count in counts.values()), default=1)
    rows = [np.pad(count, (0, steps - len(count))) for count in counts.values()]
    return np.stack(rows).astype(np.int64) if rows else np.zeros((0, 1), np.int64)
