"""A graph as a torch module again: its layers, norms and neurons under the paths they had, for hooks and gradients.

Whatever watches a network, changes its weights or trains them does so through these modules, for every network alike.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sviT_models.graph.graph import BATCH, Graph, Node, sizes
from sviT_models.graph.neurons import IntegerLaw, Law
from sviT_models.graph.run import FLOAT, check_images, walked
from sviT_models.graph.time_steps import with_steps
from sviT_models.network.neuron import Neuron

NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


@dataclass(frozen=True)
class GraphConfig:
    """What is known of a captured network as a whole; `levels` is 0 where neurons spike."""

    name: str
    num_classes: int
    time_steps: int
    in_channels: int
    levels: int = 0


class GraphNeuron(Neuron):
    """A neuron layer of a graph: currents (T, B, ...) to spikes, or currents without time to levels."""

    def __init__(self, law: Law, timed: bool) -> None:
        super().__init__()
        self.law, self.timed = law, timed

    def forward(self, currents: Tensor) -> Tensor:
        """Spikes or levels in the shape of `currents`, with a surrogate gradient."""
        return self.law.fire(currents)

    def trains(self, output: Tensor) -> Tensor:
        """What a call gave as 0 and 1, (steps, B, ...): a level k of D is k spikes in the first k of D steps."""
        if not isinstance(self.law, IntegerLaw):
            return output
        levels = (output * self.law.divisor).round().unsqueeze(0)
        steps = torch.arange(1, self.law.levels + 1, device=output.device)
        binary = (levels >= steps.view(-1, *[1] * output.ndim)).to(output)  # (D, ...)
        return binary.flatten(0, 1) if self.timed else binary

    def counts(self, output: Tensor) -> Tensor:
        """Spikes in each step, (T,), or how many elements are at each level, (levels + 1,)."""
        if isinstance(self.law, IntegerLaw):
            levels = (output * self.law.divisor).round().long().flatten()
            return torch.bincount(levels, minlength=self.law.levels + 1)
        return output.flatten(1).count_nonzero(dim=1)


class GraphNetwork(nn.Module):
    """The network of a graph: images as it was captured for -> logits (B, classes).

    Its parameters are the graph's, in float32 as everything that is measured in floats. It takes no batch statistics.
    """

    def __init__(self, graph: Graph, name: str = "graph") -> None:
        super().__init__()
        self.graph = graph
        self.config = _config(graph, name)
        self._calls: dict[str, str] = {}  # node -> module
        self._buffers_of: dict[str, str] = {}  # parameter -> buffer
        for node in graph.nodes:
            if node.op in MADE:
                self._add(node)
            else:
                for parameter in node.parameters.values():
                    self._buffers_of[parameter] = key = parameter.replace(".", "__")
                    self.register_buffer(key, graph.parameters[parameter].detach().float())
        self.requires_grad_(False).eval()

    def _add(self, node: Node) -> None:
        path = _path(node)
        known = dict(self.named_modules()).get(path)
        if known is not None and not isinstance(known, nn.ModuleDict):
            self._calls[node.name] = path  # a module that is called again
            return
        module = MADE[node.op](node, self.graph)
        parent, _, leaf = path.rpartition(".")
        holder: nn.Module = self
        for part in parent.split(".") if parent else []:
            if part not in holder._modules:
                holder.add_module(part, nn.ModuleDict())
            holder = holder.get_submodule(part)
        for key, child in known.named_children() if known is not None else ():
            module.add_module(key, child)
        holder.add_module(leaf, module)
        self._calls[node.name] = path

    def module_of(self, node: Node) -> nn.Module:
        """The module that a layer, a norm or a neuron of the graph is here."""
        return self.get_submodule(self._calls[node.name])

    @property
    def layer_paths(self) -> list[str]:
        """Paths of the weight layers, in the order of the graph."""
        return list(dict.fromkeys(self._calls[node.name] for node in self.graph.of("conv", "linear")))

    @property
    def neuron_paths(self) -> list[str]:
        """Paths of the neuron layers, in the order in which they fire."""
        return list(dict.fromkeys(self._calls[node.name] for node in self.graph.of("neuron")))

    def forward(self, images: Tensor) -> Tensor:
        """Logits. Raises ModelError for images of another shape than the graph was captured with."""
        graph = self.graph
        check_images(graph, images)
        modules = dict(self.named_modules())

        def result_of(node: Node, given: tuple[Tensor, ...]) -> Tensor:
            if node.name in self._calls:
                called: Tensor = modules[self._calls[node.name]](given[0])
                return called
            if node.op == "image":
                return images
            own = {role: getattr(self, self._buffers_of[name]) for role, name in node.parameters.items()}
            return FLOAT[node.op](node, given, own, sizes(node.shape, graph.time_steps, len(images)))

        return walked(graph, result_of)

    def at(self, time_steps: int) -> GraphNetwork:
        """The same network, sharing its modules, for another number of time steps. Raises ModelError as `with_steps`.

        time_steps  at least 1
        """
        changed = copy.copy(self)
        changed.graph = with_steps(self.graph, time_steps)
        changed.config = _config(changed.graph, self.config.name)
        return changed


def _config(graph: Graph, name: str) -> GraphConfig:
    laws = [node.attributes["law"] for node in graph.of("neuron")]
    levels = max((law.levels for law in laws if isinstance(law, IntegerLaw)), default=0)
    last, channels = graph.nodes[-1].shape[-1], graph.image.shape[-3]
    return GraphConfig(name, int(last[0]) if last else 1, graph.time_steps, int(channels[0]) if channels else 1, levels)


def _path(node: Node) -> str:
    """Where the module of a node stands: at its parameters, or for a neuron at its own path."""
    if node.op == "neuron":
        return node.path or node.name
    if node.op == "norm":
        return node.parameters["mean"].rpartition(".")[0] or node.name
    return node.layer


def _parameter(graph: Graph, node: Node, role: str) -> nn.Parameter | None:
    name = node.parameters.get(role)
    return None if name is None else nn.Parameter(graph.parameters[name].detach().float(), requires_grad=False)


def _layer(node: Node, graph: Graph) -> nn.Module:
    weight, bias = _parameter(graph, node, "weight"), _parameter(graph, node, "bias")
    assert weight is not None
    layer: nn.Linear | nn.Conv1d | nn.Conv2d
    if node.op == "linear":
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    else:
        a = node.attributes
        kind: Callable[..., nn.Conv1d | nn.Conv2d] = nn.Conv1d if weight.ndim == 3 else nn.Conv2d
        geometry = {key: tuple(a[key]) for key in ("stride", "padding", "dilation")}
        channels = weight.shape[1] * a["groups"], weight.shape[0], tuple(weight.shape[2:])
        layer = kind(*channels, **geometry, groups=a["groups"], bias=bias is not None, device="meta")
    layer.weight = weight
    layer.bias = bias
    return layer


def _norm(node: Node, graph: Graph) -> nn.Module:
    mean, variance = _parameter(graph, node, "mean"), _parameter(graph, node, "variance")
    weight = _parameter(graph, node, "weight")
    assert mean is not None
    assert variance is not None
    bias = _parameter(graph, node, "bias")
    norm = NORMS[len(node.shape)](len(mean), eps=node.attributes["eps"])
    norm.running_mean, norm.running_var = mean.data.clone(), variance.data.clone()
    norm.weight = norm.weight if weight is None else weight
    norm.bias = norm.bias if bias is None else bias
    return norm


def _neuron(node: Node, _: Graph) -> nn.Module:
    return GraphNeuron(node.attributes["law"], node.shape[0] != (BATCH,))


MADE: dict[str, Callable[[Node, Graph], nn.Module]] = {
    "conv": _layer,
    "linear": _layer,
    "norm": _norm,
    "neuron": _neuron,
}
