"""A graph in a file, opened without the code it was captured from: safetensors, its nodes as JSON in the metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from costmodels.whole_files import replacing
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node, Shape
from sviT_models.graph.kinds import with_values
from sviT_models.graph.neurons import IntegerLaw, Law, SpikingLaw

VERSION = 1
LAWS: dict[str, type[SpikingLaw] | type[IntegerLaw]] = {"spiking": SpikingLaw, "integer": IntegerLaw}
UNBOUNDED = "infinite"  # JSON has no word for the tau of a neuron that does not leak


def save_graph(path: str | os.PathLike[str], graph: Graph) -> None:
    """Write a graph with its parameters; never half a file. Raises ModelError for another ending or no folder.

    path   the file to write
    graph  the graph
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: graphs are written as safetensors; name it {path.with_suffix('.safetensors')}")
    if not path.parent.is_dir():
        raise ModelError(f"{path.parent}: no such folder; create it first")
    content = content_of(graph)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in graph.parameters.items()}
    with replacing(path) as part:
        save_file(tensors, part, metadata={"graph": json.dumps(content)})


def open_graph(path: str | os.PathLike[str]) -> Graph:
    """The graph in a file. Raises ModelError, on one line, for a file that cannot be read or holds no graph.

    path  the file to read
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such graph")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: truncated or corrupt, or no safetensors file; write it again") from error
    if "graph" not in metadata:
        raise ModelError(f"{path}: holds no graph; expected a file that save_graph wrote")
    try:
        return from_content(json.loads(metadata["graph"]), tensors)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: its graph cannot be read ({what}); write it again") from error


def fingerprint(graph: Graph) -> str:
    """A SHA-256 in hexadecimal of the operations and the parameters."""
    found = hashlib.sha256(json.dumps(content_of(graph)).encode())
    for name in sorted(graph.parameters):
        tensor = graph.parameters[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def content_of(graph: Graph) -> dict[str, object]:
    """What JSON can hold of a graph: its operations and its time steps, without the parameters.

    graph  the graph
    """
    return {"version": VERSION, "time_steps": graph.time_steps, "nodes": [_written(node) for node in graph.nodes]}


def from_content(content: Mapping[str, Any], parameters: dict[str, Tensor]) -> Graph:
    """The graph of `content_of`. Raises ModelError for another version, and what reading a damaged content raises.

    content     operations and time steps
    parameters  tensors by the names that the operations use
    """
    if content["version"] != VERSION:
        raise ModelError(f"graph of version {content['version']!r}; this program reads {VERSION}")
    steps = int(content["time_steps"])
    checked = Graph(tuple(_read(node) for node in content["nodes"]), parameters, steps)
    return Graph(tuple(with_values(checked.nodes, steps)), parameters, steps)


def _written(node: Node) -> dict[str, object]:
    attributes = dict(node.attributes)
    if "law" in attributes:
        law = attributes["law"]
        name = next(name for name, kind in LAWS.items() if isinstance(law, kind))
        fields = {key: UNBOUNDED if value == float("inf") else value for key, value in asdict(law).items()}
        attributes["law"] = {"kind": name, **fields}
    return {
        "name": node.name,
        "op": node.op,
        "inputs": list(node.inputs),
        "attributes": attributes,
        "parameters": dict(node.parameters),
        "shape": [list(axis) for axis in node.shape],
        "path": node.path,
    }


def _read(content: Mapping[str, Any]) -> Node:
    attributes = dict(content["attributes"])
    if "law" in attributes:
        attributes["law"] = _law(dict(attributes["law"]))
    shape: Shape = tuple(tuple(axis) for axis in content["shape"])
    inputs, parameters = tuple(content["inputs"]), dict(content["parameters"])
    return Node(content["name"], content["op"], inputs, attributes, parameters, shape, content["path"])


def _law(fields: dict[str, Any]) -> Law:
    kind: Callable[..., Law] = LAWS[fields.pop("kind")]
    return kind(**{key: float("inf") if value == UNBOUNDED else value for key, value in fields.items()})
