"""The names of a network's layers, asked in one way of a graph, of its module, and of SDTv2 as it is built."""

from __future__ import annotations

from torch import nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.rows import Rows
from sviT_models.graph.time_steps import with_steps
from sviT_models.network import meta_spikeformer
from sviT_models.network.topology import wiring


def as_network(model: nn.Module | Graph) -> nn.Module:
    """The module that stands for a graph, always the same one; a module is given back as it is."""
    return model.network if isinstance(model, Graph) else model


def weight_layers(model: nn.Module | Graph) -> list[str]:
    """Module paths of the convolutions and linear layers, in network order.

    model  a network, or the graph of one
    """
    network = as_network(model)
    return network.layer_paths if isinstance(network, GraphNetwork) else meta_spikeformer.weight_layers(network)


def lif_layers(model: nn.Module | Graph) -> list[str]:
    """Module paths of the neuron layers, in the order in which they fire.

    model  a network, or the graph of one
    """
    network = as_network(model)
    return network.neuron_paths if isinstance(network, GraphNetwork) else meta_spikeformer.lif_layers(network)


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
    return meta_spikeformer.with_time_steps(network, time_steps)


def possible_steps(model: nn.Module | Graph) -> tuple[int, ...]:
    """The numbers of time steps, up to its own, that a network can run without being built again.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if not isinstance(network, GraphNetwork):
        assert isinstance(network, meta_spikeformer.MetaSpikeFormer)
        return tuple(range(1, network.config.time_steps + 1))
    found = []
    for steps in range(1, network.config.time_steps + 1):
        try:
            with_steps(network.graph, steps)
        except ModelError:
            continue
        found.append(steps)
    return tuple(found)


def layers_with_constants(model: nn.Module | Graph) -> frozenset[str]:
    """The weight layers behind which a chip has constants for every channel: all but those within a linear chain.

    model  a network, or the graph of one
    """
    network = as_network(model)
    if not isinstance(network, GraphNetwork):
        assert isinstance(network, meta_spikeformer.MetaSpikeFormer)
        return frozenset(wire.name for wire in wiring(network) if wire.constants)
    rows = Rows(network.graph)
    layers = {name: nodes for name, nodes in rows.nodes.items() if nodes[0].layer}
    return frozenset(name for name, nodes in layers.items() if not any(map(rows.followed_by_layer, nodes)))
