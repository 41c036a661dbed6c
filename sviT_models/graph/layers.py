"""A network's layers, steps and graph, asked in one way of a graph, of its module, and of a network as it is built.

A network that runs as it is built takes images of any size; what depends on a size is asked of its graph at that size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.capture import graph_of
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.rows import Rows
from sviT_models.graph.run import check_images
from sviT_models.graph.time_steps import with_steps
from sviT_models.network import steps as modules
from sviT_models.network.config import config_of, runs_as_built
from sviT_models.network.neuron import LIF, IntegerNeuron

TIMED = 2  # steps at which a network of one step is traced: one would leave no axis of time
RESOLUTION = 32  # of an image [pixels] on which a network of any size is traced, where its size does not matter


def as_network(model: nn.Module | Graph) -> nn.Module:
    """The module that stands for a graph, always the same one; a module is given back as it is."""
    return model.network if isinstance(model, Graph) else model


def as_graph(model: nn.Module | Graph, images: Tensor, time_steps: int | None = None) -> Graph:
    """The graph of a network on images of this size; traced once for each size.

    model       a network, or the graph of one
    images      (B, ...) as the network takes them
    time_steps  at least 1; default: the network's own

    Raises ModelError for images of another shape and for a number of steps that the network cannot run.
    """
    network = model.graph if isinstance(model, GraphNetwork) else model
    steps = own_steps(network) if time_steps is None else time_steps
    if steps < 1:
        raise ModelError(f"time_steps is {steps}; expected at least 1")
    check_shape(network, images, steps)
    if isinstance(network, Graph):
        return with_steps(network, steps)
    _check_spiking(network)
    return with_steps(_traced(network, images.shape[1:]), steps)


def _traced(network: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The graph of a module on images or frames of a shape, with an axis of time where the module can have one."""
    timed = runs_as_built(network) and own_steps(network) == 1 and len(shape) == 3
    shown = torch.zeros(2, *shape, device=next(network.parameters()).device)
    return graph_of(modules.with_time_steps(network, TIMED) if timed else network, shown)


def own_steps(model: nn.Module | Graph) -> int:
    """The time steps that a network runs.

    model  a network, or the graph of one
    """
    if isinstance(model, Graph):
        return model.time_steps
    return int(getattr(getattr(model, "config", None), "time_steps", 1))


def check_shape(model: nn.Module | Graph, images: Tensor, steps: int) -> None:
    """Raises ModelError for images of another shape than a network takes at a number of steps.

    model   a network, or the graph of one
    images  (B, ...)
    steps   time steps
    """
    if isinstance(model, Graph):
        check_images(model, images)
        return
    channels = getattr(getattr(model, "config", None), "in_channels", 3)
    frames = images.ndim == 5
    expected = (steps, channels) if frames else (channels,)
    if images.ndim not in (4, 5) or tuple(images.shape[1:-2]) != expected or len(images) == 0:
        shown = ", ".join(["batch", *map(str, expected), "height", "width"])
        raise ModelError(f"images have shape {tuple(images.shape)}; expected ({shown})")


def weight_layers(model: nn.Module | Graph) -> list[str]:
    """Module paths of the convolutions and linear layers, in network order.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if isinstance(network, GraphNetwork):
        return network.layer_paths
    return [path for path, part in network.named_modules() if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]


def lif_layers(model: nn.Module | Graph) -> list[str]:
    """Module paths of the neuron layers, in the order in which they fire.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if isinstance(network, GraphNetwork):
        return network.neuron_paths
    return [path for path, module in network.named_modules() if isinstance(module, LIF)]


def with_time_steps(model: nn.Module | Graph, time_steps: int) -> nn.Module:
    """The same network, sharing its weights, run for another number of steps; the model itself stays as it is.

    model       a network, or the graph of one
    time_steps  at least 1

    Raises ModelError for a captured network in which the number of steps cannot be told from other numbers.
    """
    network = as_network(model)
    if time_steps < 1:
        raise ModelError(f"time_steps is {time_steps}; expected at least 1")
    if isinstance(network, GraphNetwork):
        return network.at(time_steps)
    return modules.with_time_steps(network, time_steps)


def possible_steps(model: nn.Module | Graph) -> tuple[int, ...]:
    """The numbers of time steps, up to its own, that a network can run without being built again.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if not isinstance(network, GraphNetwork):
        return tuple(range(1, own_steps(network) + 1))
    found = []
    for steps in range(1, network.config.time_steps + 1):
        try:
            with_steps(network.graph, steps)
        except ModelError:
            continue
        found.append(steps)
    return tuple(found)


def check_ordered(model: nn.Module | Graph) -> None:
    """Raises ModelError for a module that has to be captured and was not, and for one whose neurons do not spike.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if isinstance(network, GraphNetwork):
        return
    _check_spiking(network)
    if not runs_as_built(network):
        name = type(network).__name__
        raise ModelError(
            f"{name} has no order of layers as a module; give its graph: sviT_models.capture(model, images)"
        )


def layers_with_constants(model: nn.Module | Graph) -> frozenset[str]:
    """The weight layers behind which a chip has constants for every channel: all but those within a linear chain.

    model  a network, or the graph of one

    Raises ModelError for a module that has to be captured and was not.
    """
    check_ordered(model)
    network = as_network(model)
    if isinstance(network, GraphNetwork):
        rows = Rows(network.graph)
    else:
        channels = config_of(network).in_channels
        rows = Rows(_traced(network, (channels, RESOLUTION, RESOLUTION)))
    layers = {name: nodes for name, nodes in rows.nodes.items() if nodes[0].layer}
    return frozenset(name for name, nodes in layers.items() if not any(map(rows.followed_by_layer, nodes)))


def _check_spiking(network: nn.Module) -> None:
    """Raises ModelError for a module whose neurons do not spike."""
    if other := [path for path, module in network.named_modules() if isinstance(module, IntegerNeuron)]:
        name = getattr(getattr(network, "config", None), "name", type(network).__name__)
        raise ModelError(
            f"{name}: {other[0]} does not spike; layer tables and quantized evaluation take its graph: "
            "sviT_models.capture(model, images)"
        )
