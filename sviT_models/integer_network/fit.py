"""Whether the tensors of an export and the shapes of its operations fit one another, without computing anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sviT_models.errors import ModelError

RIGHT = 62  # places, at most, that a multiply-shift shifts by


def check_tensors(spec: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raises ModelError for a tensor that is missing, unknown, or of another type or size than the specification's."""
    known = {f"{layer}.weight" for layer in spec["weights"]}
    known |= {f"{name}.{part}" for name in spec["rescales"] for part in ("multiplier", "offset", "right")}
    for what, names in (("is missing", known - set(arrays)), ("belongs to nothing", set(arrays) - known)):
        if names:
            raise ModelError(f"{min(names)} {what}")
    for layer, entry in spec["weights"].items():
        packed, count = arrays[f"{layer}.weight"], math.prod(entry["shape"]) * entry["bits"]
        if packed.dtype != np.uint8 or packed.shape != (-(-count // 8),):
            raise ModelError(f"{layer}.weight is {packed.dtype} {packed.shape}; expected {-(-count // 8)} bytes")
    for name in spec["rescales"]:
        parts = [arrays[f"{name}.{part}"] for part in ("multiplier", "offset", "right")]
        if any(p.dtype != np.int64 or p.ndim != 1 or p.shape != parts[0].shape or not len(p) for p in parts):
            raise ModelError(f"{name}: multiplier, offset and right are not int64 of one length")
        if not 0 <= parts[2].min() <= parts[2].max() <= RIGHT:
            raise ModelError(f"{name}.right is {parts[2].min()} to {parts[2].max()}; expected 0 to {RIGHT}")
        if max(int(np.abs(p.astype(object)).max()) for p in parts[:2]) >= 2**53:
            raise ModelError(f"{name}: a multiplier or an offset leaves the 53 bits of the arithmetic")


def check_golden(spec: Mapping[str, Any], vectors: Mapping[str, NDArray[Any]]) -> None:
    """Raises ModelError where golden vectors are not those of the specification's neurons, images and classes."""
    golden, images = spec["golden"], spec["golden"]["images"]
    firing = {n["output"].removesuffix(":spikes"): n for n in spec["nodes"] if n["op"] in ("fire", "levels")}
    if set(golden["spikes"]) != set(firing):
        strange = min({*golden["spikes"]} ^ {*firing})
        raise ModelError(f"golden.spikes and the neurons of nodes differ in {strange!r}")
    wanted = {"image": (np.int8, (images, *spec["image"]["shape"])), "logits": (np.int32, (images, spec["classes"]))}
    for name, entry in golden["spikes"].items():
        shape = [images if size == -1 else size for size in firing[name]["shape"]]
        bits = int(firing[name].get("levels", 1)).bit_length()
        if entry["shape"] != shape or entry["bits"] != bits:
            raise ModelError(f"golden.spikes[{name!r}] is {entry}; expected {bits} bits of {shape}")
        wanted[f"spikes.{name}"] = np.uint8, (-(-math.prod(shape) * bits // 8),)
    if strange := set(wanted) ^ set(vectors):
        raise ModelError(f"{min(strange)} is missing or belongs to nothing")
    for name, (dtype, expected) in wanted.items():
        if vectors[name].dtype != dtype or vectors[name].shape != tuple(expected):
            raise ModelError(
                f"{name} is {vectors[name].dtype} {vectors[name].shape}; expected {dtype.__name__} {expected}"
            )
