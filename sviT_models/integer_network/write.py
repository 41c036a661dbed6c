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
from torch import Tensor, nn

from costmodels.whole_files import replacing_folder
from sviT_models.engine.engine import Engine
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.fixed_point.run import FixedRun
from sviT_models.engine.number_formats import IMAGE_BITS
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network
from sviT_models.hashing import sha256
from sviT_models.integer_network.interpreter import quantize_images
from sviT_models.integer_network.packing import pack
from sviT_models.integer_network.read import FORMAT, GOLDEN, SPECIFICATION, VERSION, WEIGHTS, content_hash
from sviT_models.integer_network.specification import accumulator_widths, specification
from sviT_models.measure.hooks import batches
from sviT_models.quantization.quantizers import FLOAT
from sviT_models.quantization.weight_bank import WeightBank

OBSERVED = 16  # images on which accumulators are observed
FLOAT_BITS = 24  # of the integers that stand for float weights


def export(
    model: nn.Module | Graph,
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

    model            the network, or the graph of one; it stays as it is
    bank             the integers of its layers by width
    weight_bits      (L,) widths [bit] of the weight layers in network order; 32 leaves a layer float
    state_bits       widths [bit] of the membrane potentials: one, by neuron layer, or (layers,)
    activation_bits  widths [bit] between layers: one, or by `Engine.activation_names`; default: the engine's
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
    network: Any = as_network(model)
    sample = next(batches(network, bank.images))[:OBSERVED]
    plan = engine.plan(sample, weight_bits, state_bits, activation_bits, time_steps)
    bits = engine.bits(weight_bits)
    spec, arrays = specification(plan, {n: engine.integers(n, b) for n, b in bits.items()}, sample.shape[1:])
    table = accumulator_widths(spec, arrays, plan, quantize_images(spec, sample.numpy()))
    spec["accumulators"] = table.to_dict("records")
    spec["weights"], stored = {}, {}
    for layer, width in bits.items():
        codes = arrays.pop(f"{layer}.weight")
        spec["weights"][layer], stored[f"{layer}.weight"] = _packed(codes, width)
    packed: dict[str, NDArray[Any]] = stored | arrays
    head = {"format": FORMAT, "version": VERSION, "network": network.config.name, "classes": network.config.num_classes}
    spec = head | {"notes": dict(notes or {})} | spec
    with replacing_folder(out) as made:
        save_file(_row_by_row(packed), made / WEIGHTS)
        spec["files"] = {WEIGHTS: sha256(made / WEIGHTS)}
        if golden_images is not None:
            vectors, spec["golden"] = _golden(engine, spec, plan, bits, golden_images)
            save_file(_row_by_row(vectors), made / GOLDEN)
            spec["files"][GOLDEN] = sha256(made / GOLDEN)
        spec["sha256"] = content_hash(spec)
        (made / SPECIFICATION).write_text(json.dumps(spec, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return spec


def _row_by_row(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays in C order: safetensors writes the memory as it lies, which is another order where axes were moved.

    The images of class folders are such arrays.
    """
    return {name: array.copy(order="C") for name, array in arrays.items()}


def _packed(codes: NDArray[np.int64], bits: int) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """How a layer's codes are stored, code = first + step * stored, and the bytes."""
    bits = FLOAT_BITS if bits == FLOAT else bits
    odd = bits <= 2 and bool((codes % 2 != 0).all())
    first, step = (1 - 2**bits, 2) if odd else (-(2 ** (bits - 1)), 1)
    entry = {"bits": bits, "first": first, "step": step, "shape": list(codes.shape)}
    return entry, pack((codes - first) // step, bits)


def _golden(
    engine: Engine, spec: dict[str, Any], plan: Plan, bits: Mapping[str, int], images: Tensor
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    shape = tuple(spec["image"]["shape"])
    if tuple(images.shape[1:]) != shape or not len(images):
        expected = ", ".join(["N", *map(str, shape)])
        raise ModelError(f"golden images have shape {tuple(images.shape)}; expected ({expected})")
    image, top = quantize_images(spec, images.numpy()), 2 ** (IMAGE_BITS - 1)
    if not -top <= image.min() <= image.max() < top:
        raise ModelError(f"the image has {spec['image']['bits']} bits; golden vectors hold {IMAGE_BITS} at most")
    run = engine.start(plan.program, bits, images, plan)
    assert isinstance(run, FixedRun)
    run.emitted = {}
    run.go()
    vectors: dict[str, NDArray[Any]] = {
        "image": image.astype(np.int8),
        "logits": np.rint(run.logits() * 2.0**plan.logit_fraction).astype(np.int32),
    }
    shapes = {}
    for node in spec["nodes"]:
        if node["op"] in ("fire", "levels"):
            name, width = node["output"].removesuffix(":spikes"), int(node.get("levels", 1)).bit_length()
            spikes = run.emitted[node["output"]]
            vectors[f"spikes.{name}"] = pack(spikes, width)
            shapes[name] = {"bits": width, "shape": [len(images) if s == -1 else s for s in node["shape"]]}
    return vectors, {"images": len(images), "spikes": shapes}
