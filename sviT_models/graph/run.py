"""The float walk: the graph on images, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.graph.graph import BATCH, Graph, Node, sizes
from sviT_models.graph.neurons import IntegerLaw

Given = tuple[Tensor, ...]
Weights = dict[str, Tensor]
Sizes = tuple[int, ...]


def _conv(node: Node, x: Given, p: Weights, _: Sizes) -> Tensor:
    conv = F.conv1d if p["weight"].ndim == 3 else F.conv2d
    a = node.attributes
    return conv(x[0], p["weight"], p.get("bias"), a["stride"], a["padding"], a["dilation"], a["groups"])


def _norm(node: Node, x: Given, p: Weights, _: Sizes) -> Tensor:
    return F.batch_norm(
        x[0], p["mean"], p["variance"], p.get("weight"), p.get("bias"), False, 0.0, node.attributes["eps"]
    )


def _scale(node: Node, x: Given, p: Weights, _: Sizes) -> Tensor:
    if "divisor" in node.attributes:
        return x[0].div(node.attributes["divisor"])
    return x[0] * (p["factor"] if "factor" in p else node.attributes["factor"])


def _shift(node: Node, x: Given, p: Weights, _: Sizes) -> Tensor:
    return x[0] + (p["offset"] if "offset" in p else node.attributes["offset"])


def _max_pool(node: Node, x: Given, _: Weights, __: Sizes) -> Tensor:
    a = node.attributes
    return F.max_pool2d(x[0], a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])


def _average_pool(node: Node, x: Given, _: Weights, __: Sizes) -> Tensor:
    a = node.attributes
    pool = F.avg_pool1d if len(a["kernel"]) == 1 else F.avg_pool2d
    return pool(x[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"])


def _added(node: Node, x: Given, _: Weights, __: Sizes) -> Tensor:
    return torch.add(x[0], x[1], alpha=node.attributes["factor"])


FLOAT: dict[str, Callable[[Node, Given, Weights, Sizes], Tensor]] = {
    "conv": _conv,
    "linear": lambda node, x, p, size: F.linear(x[0], p["weight"], p.get("bias")),
    "norm": _norm,
    "neuron": lambda node, x, p, size: node.attributes["law"].fire(x[0]),
    "add": _added,
    "scale": _scale,
    "shift": _shift,
    "product": lambda node, x, p, size: x[0] * x[1],
    "matmul": lambda node, x, p, size: x[0] @ x[1],
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "sum": lambda node, x, p, size: x[0].sum(node.attributes["axes"], node.attributes["keep"]),
    "mean": lambda node, x, p, size: x[0].mean(node.attributes["axes"], node.attributes["keep"]),
    "pad": lambda node, x, p, size: F.pad(x[0], node.attributes["sides"], value=node.attributes["value"]),
    "reshape": lambda node, x, p, size: x[0].reshape(size),
    "permute": lambda node, x, p, size: x[0].permute(node.attributes["axes"]),
    "expand": lambda node, x, p, size: x[0].expand(size),
    "select": lambda node, x, p, size: x[0].select(node.attributes["axis"], node.attributes["index"]),
    "slice": lambda node, x, p, size: x[0].narrow(
        node.attributes["axis"], node.attributes["start"], size[node.attributes["axis"]]
    ),
    "concat": lambda node, x, p, size: torch.cat(x, node.attributes["axis"]),
    "output": lambda node, x, p, size: x[0],
}


def run(
    graph: Graph,
    images: Tensor,
    *,
    dtype: torch.dtype = torch.float64,
    see: Callable[[Node, Given, Tensor], None] | None = None,
) -> Tensor:
    """Logits (B, classes) of `images`, in `dtype`; `see(node, inputs, result)` hears of every node.

    Raises ModelError for images of another shape than the graph was captured with.
    """
    check_images(graph, images)
    parameters = typed(graph.parameters, dtype)

    def result_of(node: Node, given: Given) -> Tensor:
        if node.op == "image":
            result = images.to(dtype)
        else:
            own = {role: parameters[name] for role, name in node.parameters.items()}
            with torch.no_grad():
                result = FLOAT[node.op](node, given, own, sizes(node.shape, graph.time_steps, len(images)))
        if see is not None:
            see(node, given, result)
        return result

    return walked(graph, result_of)


def walked(graph: Graph, result_of: Callable[[Node, Given], Tensor]) -> Tensor:
    """What the last node gives; `result_of(node, inputs)` is asked for every node in order."""
    held: dict[str, Tensor] = {}
    uses = {name: len(consumers) for name, consumers in graph.consumers.items()}
    for node in graph.nodes:
        held[node.name] = result = result_of(node, tuple(held[name] for name in node.inputs))
        for name in dict.fromkeys(node.inputs):  # what nobody takes any more is let go
            uses[name] -= 1
            if not uses[name]:
                del held[name]
    return result


def check_images(graph: Graph, images: Tensor) -> None:
    """Raises ModelError where the images are not of the shape that the graph takes."""
    expected = sizes(graph.image.shape, graph.time_steps, images.shape[0] if images.ndim else 0)
    if graph.image.shape[0] != (BATCH,) or tuple(images.shape) != expected or not len(images):
        shown = ", ".join(["batch", *map(str, expected[1:])])
        raise ModelError(f"images have shape {tuple(images.shape)}; the network was captured for ({shown})")


def typed(parameters: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The parameters in the precision of a run."""
    return {name: tensor.to(dtype) for name, tensor in parameters.items()}


def fired(graph: Graph) -> list[str]:
    """Module paths of the neuron layers in the order in which they fire."""
    return [node.path for node in graph.of("neuron")]


def spike_counts(graph: Graph, images: Tensor, dtype: torch.dtype = torch.float64) -> dict[str, np.ndarray]:
    """What every neuron layer emits over `images`, by module path, int64.

    Spiking neurons: the spikes of every time step, (T,). Integer neurons: how many elements are at every level,
    (levels + 1,).
    """
    counts: dict[str, np.ndarray] = {}

    def see(node: Node, _: Given, out: Tensor) -> None:
        if node.op == "neuron":
            seen = _counted(node.attributes["law"], out)
            counts[node.path] = counts.get(node.path, 0) + seen

    for part in _single(images):
        run(graph, part, dtype=dtype, see=see)
    return counts


def _counted(law: object, out: Tensor) -> np.ndarray:
    if isinstance(law, IntegerLaw):
        codes = (out * law.divisor).round().long().flatten()
        return torch.bincount(codes, minlength=law.levels + 1).numpy(force=True)
    return out.flatten(1).count_nonzero(dim=1).numpy(force=True)


def _single(images: Tensor, pixels: int = 4 * 224 * 224) -> Iterator[Tensor]:
    """Batches of at most so many pixels."""
    return iter(images.split(max(1, pixels // (images.shape[-1] * images.shape[-2]))))
