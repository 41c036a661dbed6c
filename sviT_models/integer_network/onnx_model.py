"""An export as an ONNX model of standard operators, with QONNX's datatypes of weights, spikes and the image.

The optional packages onnx and, to run it, onnxruntime are imported when used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from costmodels.whole_files import replacing
from sviT_models.errors import ModelError
from sviT_models.integer_network.fit_nodes import check_nodes
from sviT_models.integer_network.read import Exported, compared, load_export

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL = "network.onnx"
OPSET, IR = 18, 9
MOST = 2**31 - 1  # bytes of a protobuf message
LOGITS, IMAGE, SPIKES = "logits", "image", "spikes."
MISSING = "the Python package {} is not installed; install svit-dse[onnx]"


def need(package: str) -> None:
    """Raises ModelError where an optional package is not installed."""
    try:
        __import__(package)
    except ImportError:
        raise ModelError(MISSING.format(package)) from None


def onnx_model(exported: Exported) -> ModelProto:
    """An integer network as an ONNX model that gives the interpreter's integers, bit for bit.

    exported  what `load_export` gives

    The input `image` (N, ...) has 8-bit integers, the output `logits` (N, classes) int64 in units of 2^-fraction;
    `spikes.<layer>` are tensors inside. Raises ModelError without the package onnx, and for a model beyond 2 GB.
    """
    need("onnx")
    from onnx import TensorProto, helper

    spec = exported.spec
    if 4 * sum(int(np.prod(entry["shape"])) for entry in spec["weights"].values()) > MOST:
        raise ModelError(f"{exported.path}: the weights take more than the 2 GB that an ONNX file holds")
    graph = _translated(exported)
    shape = ["N", *spec["image"]["shape"]]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec["network"],
            [helper.make_tensor_value_info(IMAGE, TensorProto.INT8, shape)],
            [helper.make_tensor_value_info(LOGITS, TensorProto.INT64, ["N", spec["classes"]])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="svit-dse",
    )
    model.graph.quantization_annotation.extend(graph.types)
    facts = {"specification_sha256": spec["sha256"], "design": spec["notes"].get("design", "")}
    facts |= {"image_fraction": spec["image"]["fraction"], "logits_fraction": spec["logits"]["fraction"]}
    helper.set_model_props(model, {key: str(value) for key, value in facts.items()})
    return model


def _translated(exported: Exported) -> Any:
    """The graph of all operations, its datatypes annotated."""
    from onnx import TensorProto

    from sviT_models.integer_network.onnx_operations import Translation

    spec, tensors = exported.spec, exported.tensors
    counts = check_nodes(spec, {name: len(tensors[f"{name}.right"]) for name in spec["rescales"]})
    made = Translation(spec, tensors, counts)
    graph = made.graph
    made.values[IMAGE] = graph.cast(IMAGE, TensorProto.INT64)
    graph.annotate(IMAGE, f"INT{spec['image']['bits']}")
    for node in spec["nodes"]:
        made.follow(node)
        if node["op"] in ("fire", "levels"):
            name = SPIKES + node["output"].removesuffix(":spikes")
            made.values[node["output"]] = graph.op("Identity", made.values[node["output"]], output=name)
            most = int(node.get("levels", 1))
            graph.annotate(name, "BINARY" if most == 1 else f"UINT{most.bit_length()}")
    graph.op("Reshape", made.values[LOGITS], graph.constant([-1, spec["classes"]]), output=LOGITS)
    for layer, entry in spec["weights"].items():
        for name in graph.constants:
            if name.startswith(f"{layer}.weight"):
                graph.annotate(name, _datatype(entry))
    return graph


def _datatype(entry: Mapping[str, Any]) -> str:
    """QONNX's name of the codes of a layer."""
    low, high = entry["first"], entry["first"] + entry["step"] * (2 ** entry["bits"] - 1)
    if (low, high, entry["step"]) == (-1, 1, 2):
        return "BIPOLAR"
    return f"INT{max((-low - 1).bit_length(), high.bit_length()) + 1}"


def write_onnx(path: str | os.PathLike[str]) -> Path:
    """Write `network.onnx` beside an export, and give its path.

    path  a folder that `export` wrote

    Raises ModelError as `load_export` and `onnx_model`.
    """
    out = Path(path) / MODEL
    model = onnx_model(load_export(path))
    with replacing(out) as part:
        part.write_bytes(model.SerializeToString())
    return out


def verify_onnx(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """`network.onnx` in onnxruntime against the golden vectors, with the columns and rows of `verify_export`.

    path  a folder that `export` and `write_onnx` wrote

    Raises ModelError as `verify_export`, without the packages, and for a file that is no model. `progress(done, total)`
    hears of the images.
    """
    for package in ("onnx", "onnxruntime"):
        need(package)
    import onnx
    import onnxruntime

    file = Path(path) / MODEL
    if not file.is_file():
        raise ModelError(f"{file}: no such file; export with --format qonnx")
    exported = load_export(path)
    try:
        model = onnx.load(file)
        names = [node.output[0] for node in model.graph.node if node.output[0].startswith(SPIKES)]
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{file}: cannot be read as a model ({str(error).splitlines()[0]}); export again") from None

    def run(images: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[Any, dict[str, Any]]:
        logits, *spikes = session.run([LOGITS, *names], {IMAGE: images.astype(np.int8)})
        return logits, {f"{name.removeprefix(SPIKES)}:spikes": s for name, s in zip(names, spikes, strict=True)}

    return compared(exported, run, progress)
