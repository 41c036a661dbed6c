"""Batch-norm statistics of one quantized design, estimated again from unlabelled images and folded into its constants.

Rounding moves the means and variances of a layer's sums away from those its norm was trained with. A bias correction
puts the means right, layer by layer and with the float network's inputs; here both are put right, and every layer sees
the inputs that the quantized network has.

A norm behind a layer is one gain and one shift per channel, and the integer network folds both into the multiply-shift
behind the layer anyway. So new statistics are another scale and another shift of the layer's integer weights: codes,
network and arithmetic stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.engine.arithmetic import Floats, norm_constants
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.layers import as_network, layers_with_constants
from sviT_models.graph.network import GraphNetwork
from sviT_models.measure.hooks import evaluating
from sviT_models.network.layers import bias_of
from sviT_models.quantization.fake_quantized import quantized
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight
from sviT_models.quantization.weight_bank import WeightBank

MOVES = ("reshape", "permute", "expand")


@dataclass(frozen=True, eq=False)
class Reestimated:
    """Integer weights of every layer, and `dead`: channels without variance, which keep their statistics, by norm."""

    weights: dict[str, QuantizedWeight]
    dead: dict[str, int]


def norms_behind(network: GraphNetwork) -> dict[str, tuple[nn.Module, ...]]:
    """The norms between every weight layer and what stores its result, in order.

    A norm within a linear chain, whose sums go on without constants, is left out: that of a RepConv's border.
    """
    graph = network.graph
    found: dict[str, tuple[nn.Module, ...]] = {}
    for layer in sorted(layers_with_constants(network), key=network.layer_paths.index):
        calls = [node for node in graph.of("conv", "linear") if node.layer == layer]
        behind = [tuple(network.module_of(norm) for norm in _norms(graph, node)) for node in calls]
        if behind[0] and all(norms == behind[0] for norms in behind):
            found[layer] = behind[0]
    return found


def _norms(graph: Graph, node: Node) -> Iterator[Node]:
    """The norms behind a node, while nothing else takes its result."""
    while len(consumers := graph.consumers[node.name]) == 1 and consumers[0].op in (*MOVES, "norm"):
        (node,) = consumers
        if node.op == "norm":
            yield node


def reestimate(
    model: nn.Module | Graph,
    bank: WeightBank,
    weight_bits: Sequence[int],
    images: Tensor,
    *,
    time_steps: int | None = None,
) -> Reestimated:
    """The weights of a design whose norms have the statistics of its own sums on `images` (N, 3, H, W), unlabelled.

    model        a captured network that is not fused, or a module, which is captured first; it stays as it is
    bank         the integers of its layers by width
    weight_bits  (L,) widths [bit] of the weight layers in network order; 32 leaves a layer float
    time_steps   time steps to run; default: the network's own

    One pass over all images at once, with float potentials: every norm is set from what reaches it before it passes
    that on, so later layers see inputs that are already corrected. Variances are unbiased, as in training. Float
    layers keep their norms, as do channels that have no variance on the images.
    Raises ModelError for a fused network, for a design without integer weights and, naming the norm, for sums that are
    not finite.
    """
    weights = bank.design(weight_bits)
    if all(weight.bits == FLOAT for weight in weights.values()):
        raise ModelError("every layer of the design is float; its batch norms have their statistics already")
    network = as_network(model if isinstance(model, Graph | GraphNetwork) else capture(model, images[:1]))
    assert isinstance(network, GraphNetwork)
    trained = norms_behind(network)
    if not trained:
        raise ModelError("a fused network has no batch norms left; take form: unfused to estimate them again")
    student = copy.deepcopy(network.at(time_steps or network.config.time_steps))
    behind = {name: norms for name, norms in norms_behind(student).items() if weights[name].bits != FLOAT}
    paths = {module: path for path, module in student.named_modules()}
    dead: dict[str, int] = {}

    def estimate(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        values = inputs[0].transpose(0, 1).flatten(1).double()
        variance, mean = torch.var_mean(values, 1, correction=1)
        if not (torch.isfinite(mean).all() and torch.isfinite(variance).all()):
            raise ModelError(f"{paths[norm]}: its inputs on the calibration images are not finite; check the weights")
        varies = variance > 0
        mean_before, variance_before = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        mean_before.copy_(torch.where(varies, mean, mean_before.double()))
        variance_before.copy_(torch.where(varies, variance, variance_before.double()))
        if silent := int((~varies).sum()):
            dead[paths[norm]] = silent

    hooks = [norm.register_forward_pre_hook(estimate) for norms in behind.values() for norm in norms]
    with quantized(student, weights), evaluating(student):
        student(images.to(next(student.parameters())))
    for hook in hooks:
        hook.remove()
    moved = {
        name: _moved(weights[name], network.get_submodule(name), _line(trained[name]), _line(norms))
        for name, norms in behind.items()
    }
    return Reestimated(weights | moved, dead)


def _line(norms: Sequence[nn.Module]) -> tuple[Floats, Floats]:
    """Gain and shift per channel of norms in a row."""
    gain: Floats = np.ones(())
    shift: Floats = np.zeros(())
    for norm in norms:
        assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.Identity)
        scale, offset = norm_constants(norm)
        gain, shift = gain * scale, shift * scale + offset
    return gain, shift


def _moved(
    weight: QuantizedWeight, module: nn.Module, old: tuple[Floats, Floats], new: tuple[Floats, Floats]
) -> QuantizedWeight:
    """The weight whose sums, through the old norms, give what its sums gave through the new ones.

    old gain (s y + t) + old shift = new gain y + new shift; a channel whose old gain is zero passes nothing on.
    """
    through = old[0] != 0
    safe = np.where(through, old[0], 1.0)
    s, t = np.where(through, new[0] / safe, 1.0), np.where(through, (new[1] - old[1]) / safe, 0.0)
    bias = bias_of(module)
    own = 0.0 if bias is None else bias.detach().double().numpy(force=True)
    shift = s * (own + weight.shift.double().numpy(force=True)) + t - own
    scale = weight.scale.double().numpy(force=True) * s
    return replace(weight, scale=torch.from_numpy(scale).float(), shift=torch.from_numpy(shift).float())
