"""What the integer evaluator computes on any network, node by node: slow, and the oracle of the engine.

`rules` has the arithmetic of every operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.engine.arithmetic import IntegerWeight, integer_weight
from sviT_models.engine.exact_values import Codes, Value, finished
from sviT_models.engine.rules import Rules
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.layers import as_graph, lif_layers
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.run import check_images
from sviT_models.output import Output
from sviT_models.quantization.quantizers import quantize_weight
from sviT_models.quantization.weight_bank import WeightBank


@dataclass(frozen=True, eq=False)
class GraphOutput:
    """`logits` (N, classes) float32, and by path what every neuron layer emits in each of its steps, (T,) int64."""

    logits: NDArray[np.float32]
    spikes: dict[str, NDArray[np.int64]]


class _Bias(nn.Module):
    def __init__(self, bias: Tensor | None) -> None:
        super().__init__()
        self.bias = bias


def graph_weights(graph: Graph, weight_bits: Mapping[str, int] | int) -> dict[str, IntegerWeight]:
    """The weight layers of a graph in integers, rounded to nearest, at one width or one for each module path.

    graph        a captured network
    weight_bits  one width [bit], or one by module path

    Raises ModelError, naming the layer, for a width that does not exist.
    """
    found = {}
    for node in graph.of("conv", "linear"):
        bits = weight_bits if isinstance(weight_bits, int) else weight_bits[node.layer]
        weight, bias = (graph.parameters.get(node.parameters.get(role, "")) for role in ("weight", "bias"))
        assert weight is not None
        try:
            found[node.layer] = integer_weight(_Bias(bias), quantize_weight(weight, bits))
        except ModelError as error:
            raise ModelError(f"{node.layer}: {error}") from None
    return found


def graph_definition(graph: Graph, weights: Mapping[str, IntegerWeight], images: Tensor) -> GraphOutput:
    """Logits and spikes of a captured network with integer weights on `images` (N, ...).

    graph    a captured network
    weights  its integer weights by layer, as `graph_weights` gives them

    Raises ModelError, naming the node, where there is no rule for an operation.
    """
    check_images(graph, images)
    rules = Rules(graph, weights, len(images))
    held: dict[str, Value] = {}
    spikes: dict[str, NDArray[np.int64]] = {}
    with torch.no_grad():
        for node in graph.nodes:
            given = [images] if node.op == "image" else [held[name] for name in node.inputs]
            held[node.name] = value = rules.result(node, given)
            if node.op == "neuron" and isinstance(value, Codes):
                spikes[node.path] = emitted(node, value.integers)
    return GraphOutput(finished(held[graph.nodes[-1].name]).float().numpy(), spikes)


def emitted(node: Node, integers: Tensor) -> NDArray[np.int64]:
    """How many elements of what a neuron layer gives are not zero, in each of its steps."""
    flat = integers.flatten(1) if isinstance(node.attributes["law"], SpikingLaw) else integers.reshape(1, -1)
    return flat.count_nonzero(dim=1).numpy(force=True)


def exact_run(
    model: nn.Module | Graph,
    bank: WeightBank,
    images: Tensor,
    weight_bits: Sequence[int],
    *,
    time_steps: int | None = None,
) -> Output:
    """What `Engine.run` gives of the same network, bank and widths, by the definition.

    model        a network, or the graph of one, in float32 on the CPU
    bank         the integers of its layers by width
    images       (N, ...) as the network takes them
    weight_bits  (L,) widths [bit]
    time_steps   time steps to run; default: the network's own

    Raises ModelError for another number of widths, for one that does not exist, and for images of another shape.
    """
    graph = as_graph(model, images, time_steps)
    weights = {name: integer_weight(bank.modules[name], w) for name, w in bank.design(weight_bits).items()}
    found = graph_definition(graph, weights, images)
    return Output(found.logits, np.stack([found.spikes[name] for name in lif_layers(model)]))
