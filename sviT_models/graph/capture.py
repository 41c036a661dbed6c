"""From any module to its graph, compared with the module before anything else is done with it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph import structures
from sviT_models.graph.axes import with_time
from sviT_models.graph.builder import Builder
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.kinds import with_values
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.recognise import Declared, neurons_of
from sviT_models.graph.run import run
from sviT_models.graph.steps import with_steps_folded
from sviT_models.graph.trace import double, traced
from sviT_models.graph.translate import Translator

ZOO = "sviT_models.zoo."
TOLERANCE = 1e-9  # relative to the largest logit; float64 rounds at 1e-16, and sums may run in another order


def capture(
    module: nn.Module, images: Tensor, *, time_steps: int | None = None, neurons: Declared | None = None
) -> Graph:
    """The graph of a network that maps images (B, channels, H, W) or frames (B, T, channels, H, W) to logits.

    module  the network, a torch module

    `images` are real ones: the graph has to give the module's own logits on them, in float64. A network that calls
    each of its single-step neurons once is stepped from outside: it runs `time_steps` times and its outputs are
    averaged. `neurons` declares the law of further neuron classes by their name. The module stays as it is.
    Raises ModelError, naming the module path, for an operation or a neuron that is not supported, for control flow
    that depends on the data, and where graph and module differ.
    """
    if not time_steps and not neurons and _is_of_the_zoo(module) and (known := _known(module, images)):
        return known
    graph, outside = _structure(module, images, time_steps, neurons or {})
    _compare(graph, module, images, neurons or {}, outside)
    return graph


def _structure(module: nn.Module, images: Tensor, time_steps: int | None, declared: Declared) -> tuple[Graph, int]:
    """The graph as traced, and the steps of a network that has to be called once for each (0: it steps by itself)."""
    _check_batch(images)
    builder, outside = _operations(module, images, declared, time_steps)
    builder = with_steps_folded(builder)
    nodes, steps = with_time(_needed(builder))
    if time_steps is not None and steps != time_steps and _spikes(nodes):
        raise ModelError(f"the network runs {steps} time steps, not {time_steps}; build it for the number wanted")
    nodes = with_values(nodes, steps)
    used = {name for node in nodes for name in node.parameters.values()}
    return Graph(tuple(nodes), {n: _narrowed(t) for n, t in builder.constants.items() if n in used}, steps), outside


_structures: dict[str, Graph] = {}


def graph_of(network: nn.Module, images: Tensor) -> Graph:
    """The graph of a network of the zoo, whose own tests compare it with the module; traced once for each structure.

    network  built by `sviT_models.build`, with weights of any values
    images   (B, ...) of the size to be run

    A structure that was traced before, here or by another process, is not traced again. The parameters are the
    network's own tensors. Raises ModelError as `capture`, but compares no logits.
    """
    key, state = structures.key(network, images.shape[1:]), network.state_dict()
    known = _structures.get(key) or structures.read(key, state)
    if known is None or any(name not in state for name in known.parameters):
        known, _ = _structure(network, images[:2], None, {})
        if not all(_is_held(tensor, state.get(name)) for name, tensor in known.parameters.items()):
            return known  # it computes parameters of its weights, as one with learned codes does
        structures.keep(key, known, state)
    _structures[key] = known
    own = {name: state.get(name, tensor) for name, tensor in known.parameters.items()}
    return replace(known, parameters=own)


def _is_of_the_zoo(module: nn.Module) -> bool:
    return type(module).__module__.startswith(ZOO)


def _is_held(parameter: Tensor, own: Tensor | None) -> bool:
    """Whether a parameter of a graph is a network's own tensor of that name, whose values may be unknown."""
    if own is None or own.is_meta or parameter.is_meta:
        return True
    return own.shape == parameter.shape and torch.equal(parameter.to(own), own)


def _known(module: nn.Module, images: Tensor) -> Graph | None:
    """The graph of a network of the zoo as `graph_of` has it; None where its weights decide more than parameters."""
    _check_batch(images)
    graph = graph_of(module, images)
    laws = {path: neuron.law for path, neuron in neurons_of(module, {}).items()}
    if any(laws.get(node.path) != node.attributes["law"] for node in graph.of("neuron")):
        return None
    graph = replace(graph, parameters={name: _narrowed(tensor) for name, tensor in graph.parameters.items()})
    try:
        _compare(graph, module, images, {}, 0)
    except ModelError:  # such as codes and steps that were learned, which stand in the operations
        return None
    return graph


def _check_batch(images: Tensor) -> None:
    """Raises ModelError unless there is at least one image."""
    if images.ndim < 3 or not len(images):
        raise ModelError(f"images have shape {tuple(images.shape)}; expected (batch, channels, height, width)")


def _translated(module: nn.Module, images: Tensor, declared: Declared, outside: int) -> Builder:
    program, found = traced(module, images, declared, outside)
    return Translator(program, found).translated()


def _operations(module: nn.Module, images: Tensor, declared: Declared, time_steps: int | None) -> tuple[Builder, int]:
    """The operations of a network, and the steps of one that has to be called once for each (0: it steps by itself)."""
    single = [path for path, neuron in neurons_of(module, declared).items() if not neuron.multi_step]
    if single and images.ndim == 5 and not _steps_outside(module, images[:, 0], declared):
        single = []
    if not single:
        return _translated(module, images, declared, 0), 0
    builder = _translated(module, images[:, 0] if images.ndim == 5 else images, declared, 0)
    if any(node.attributes.get("step", 0) for node in builder.nodes):
        return builder, 0
    if time_steps is None:
        raise ModelError(f"{single[0]} is called once: the network steps outside of forward; pass time_steps")
    return _translated(module, images, declared, time_steps), time_steps


def _steps_outside(module: nn.Module, frame: Tensor, declared: Declared) -> bool:
    """Whether a network takes one frame at a time, and each of its neurons runs once."""
    try:
        builder = _translated(module, frame, declared, 0)
    except ModelError:  # it takes all frames at once
        return False
    return not any(node.attributes.get("step", 0) for node in builder.nodes)


def _spikes(nodes: list[Node]) -> bool:
    return any(node.op == "neuron" and isinstance(node.attributes["law"], SpikingLaw) for node in nodes)


def _needed(builder: Builder) -> list[Node]:
    """The nodes that the output depends on, and the image."""
    needed = {builder.nodes[-1].name, builder.nodes[0].name}
    for node in reversed(builder.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in builder.nodes if node.name in needed]


def _narrowed(tensor: Tensor) -> Tensor:
    """The tensor in float32 where that loses nothing, as it does not for weights that were in float32 before."""
    if tensor.is_meta:  # shapes alone
        return tensor.detach()
    single = tensor.detach().float()
    return single if torch.equal(single.to(tensor), tensor) else tensor.detach().clone()


def _compare(graph: Graph, module: nn.Module, images: Tensor, declared: Declared, outside: int) -> None:
    """Raises ModelError where the graph's logits are not the module's, both in float64."""
    network = double(module)
    for path in neurons_of(network, declared):  # some neurons answer in float32 whatever they are given
        network.get_submodule(path).register_forward_hook(lambda _, __, out: _in_double(out))
    try:
        with torch.no_grad():
            expected = _stepped(network, images.double(), outside) if outside else network(images.double())
    except Exception as error:  # whatever the user's forward raises
        raise ModelError(f"the network cannot be run in float64: {type(error).__name__}: {error}") from error
    found = run(graph, images)
    greatest, largest = float((found - expected).abs().max()), float(expected.abs().max())
    if not greatest <= TOLERANCE * max(1.0, largest):
        raise ModelError(
            f"the captured network differs from the module by {greatest:.3g} in logits up to {largest:.3g} (float64);"
            " a neuron may not be what its class name says, or state is left from an earlier call"
        )


def _in_double(out: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return out.double() if isinstance(out, Tensor) else tuple(part.double() for part in out)


def _stepped(network: nn.Module, images: Tensor, steps: int) -> Tensor:
    outputs = [network(images[:, t] if images.ndim == 5 else images) for t in range(steps)]
    return torch.stack(outputs).mean(0)
