"""Integer networks as files: packed weights, a specification, golden vectors; docs/export-format.md is the format."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor

from sviT_models.engine.engine import Engine
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.number_formats import IMAGE_BITS
from sviT_models.errors import ModelError
from sviT_models.hashing import sha256
from sviT_models.integer_network.interpreter import quantize_images
from sviT_models.integer_network.packing import pack
from sviT_models.integer_network.read import FORMAT, GOLDEN, SPECIFICATION, VERSION, WEIGHTS, content_hash
from sviT_models.integer_network.specification import accumulator_widths, specification
from sviT_models.measure.hooks import batches
from sviT_models.network.meta_spikeformer import MetaSpikeFormer
from sviT_models.quantization.quantizers import FLOAT
from sviT_models.quantization.weight_bank import WeightBank
from whole_files import replacing_folder

OBSERVED = 16  # images on which accumulators are observed
FLOAT_BITS = 24  # of the integers that stand for float weights


def export(
    model: MetaSpikeFormer,
    bank: WeightBank,
    weight_bits: Sequence[int],
    state_bits: Widths,
    out: str | os.PathLike[str],
    *,
    activation_bits: Widths | None = None,
    time_steps: int | None = None,
    golden_images: Tensor | None = None,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the integer network of a design into the new folder `out`, and give its specification.

    model            the network; it stays as it is
    bank             the integers of its layers by width
    weight_bits      (L,) widths [bit] of the weight layers in network order; 32 leaves a layer float
    state_bits       widths [bit] of the membrane potentials: one, by LIF layer, or (layers,)
    activation_bits  widths [bit] between layers: one, or by `activation_names`; default: the engine's
    time_steps       time steps to run; default: the network's own

    `golden_images` (N, 3, H, W) become golden vectors, computed by the engine; `notes` are JSON values that are kept.
    The image size and the binary points come from the bank's calibration images.
    Raises ModelError for widths that do not exist, a bank of another network, and a folder that is not empty.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out}: already there; export into a new folder")
    if not out.parent.is_dir():
        raise ModelError(f"{out.parent}: no such folder; create it first")
    if bank.images is None:
        raise ModelError("an export needs calibration images; make the weight bank with images=...")
    engine = Engine(model, bank)
    sample = next(batches(model, bank.images))[:OBSERVED]
    steps = engine.steps(time_steps)
    weights = engine.fixed_weights(weight_bits)
    plan = engine.plan(sample, weight_bits, state_bits, activation_bits, steps)
    integers = {name: layer.integers for name, layer in weights.layers.items()}
    image_bits = engine.image_bits(state_bits, activation_bits)
    spec, arrays = specification(plan, integers, image_bits, steps, tuple(sample.shape[2:]))
    table = accumulator_widths(spec, arrays, plan, quantize_images(spec, sample.numpy()))
    spec["accumulators"] = table.to_dict("records")
    spec["weights"], packed = {}, {}
    for layer, bits in weights.bits.items():
        codes = arrays.pop(f"{layer}.weight")
        spec["weights"][layer], packed[f"{layer}.weight"] = _packed(codes, bits)
    packed |= arrays
    head = {"format": FORMAT, "version": VERSION, "network": model.config.name, "classes": model.config.num_classes}
    spec = head | {"notes": dict(notes or {})} | spec
    with replacing_folder(out) as made:
        save_file(packed, made / WEIGHTS)
        spec["files"] = {WEIGHTS: sha256(made / WEIGHTS)}
        if golden_images is not None:
            vectors, spec["golden"] = _golden(engine, spec, golden_images, weight_bits, state_bits, activation_bits)
            save_file(vectors, made / GOLDEN)
            spec["files"][GOLDEN] = sha256(made / GOLDEN)
        spec["sha256"] = content_hash(spec)
        (made / SPECIFICATION).write_text(json.dumps(spec, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return spec


def _packed(codes: NDArray[np.int64], bits: int) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """How a layer's codes are stored, code = first + step * stored, and the bytes."""
    bits = FLOAT_BITS if bits == FLOAT else bits
    odd = bits <= 2 and bool((codes % 2 != 0).all())
    first, step = (1 - 2**bits, 2) if odd else (-(2 ** (bits - 1)), 1)
    entry = {"bits": bits, "first": first, "step": step, "shape": list(codes.shape)}
    return entry, pack((codes - first) // step, bits)


def _golden(
    engine: Engine,
    spec: dict[str, Any],
    images: Tensor,
    weight_bits: Sequence[int],
    state_bits: Widths,
    activation_bits: Widths | None,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    size = spec["image"]["height"], spec["image"]["width"]
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, *size) or not len(images):
        raise ModelError(f"golden images have shape {tuple(images.shape)}; expected (N, 3, {size[0]}, {size[1]})")
    seen: dict[str, Tensor] = {}
    weights = engine.fixed_weights(weight_bits)
    start = engine.fixed(images, weights, spec["time_steps"], state_bits, activation_bits, seen)
    output = engine.finish(start(), images)
    fraction = spec["rescales"]["head"]["fraction"]
    top = 2 ** (IMAGE_BITS - 1)
    image = quantize_images(spec, images.numpy())
    if not -top <= image.min() <= image.max() < top:
        raise ModelError(f"the image has {spec['image']['bits']} bits; golden vectors hold {IMAGE_BITS} at most")
    vectors: dict[str, NDArray[Any]] = {
        "image": image.astype(np.int8),
        "logits": np.rint(output.logits * 2.0**fraction).astype(np.int32),
    }
    shapes = {}
    for name, spikes in seen.items():
        ordered = spikes.permute(0, 1, 4, 2, 3).contiguous().numpy()  # (T, N, C, H, W)
        vectors[f"spikes.{name}"], shapes[name] = pack(ordered, 1), list(ordered.shape)
    return vectors, {"images": len(images), "spikes": shapes}
