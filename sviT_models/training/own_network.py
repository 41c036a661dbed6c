"""A network from the user's own file as it is trained: through its captured graph.

So what can be captured can be trained: neurons have surrogate gradients, whatever the file's own ones do backwards, and
norms see the batch of all time steps together. Dropout, which a network in evaluation mode does not have, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sviT_models.checkpoints.shipped import checkpoint_path
from sviT_models.checkpoints.weights import load_weights
from sviT_models.data import ImageSet
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.user_file import installed_network, user_network
from sviT_models.training.recipe import Recipe

ROLES = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}  # of a module's tensors
OWN_SCRIPT = "train it with a script of its own"


class OwnNetwork(GraphNetwork):
    """The captured network of a module, whose weights learn in the module's place."""

    def __init__(self, module: nn.Module, graph: Graph, name: str) -> None:
        super().__init__(graph, name)
        self._state = {key: tensor.detach().clone() for key, tensor in module.state_dict().items()}
        learned = {key for key, parameter in module.named_parameters() if parameter.requires_grad}
        for key in self._buffers_of:
            if key in learned:  # such as an embedding of positions
                self._learn(key)
        for key, tensor in self._tensors():
            if key not in self._state:
                raise ModelError(f"{name}: {key} is computed from other weights, which capture hides; {OWN_SCRIPT}")
            if isinstance(tensor, nn.Parameter):
                tensor.requires_grad_(key in learned)
        self._take_momenta(module)

    def _learn(self, key: str) -> None:
        buffer = self._buffers_of[key]
        value = self._buffers.pop(buffer)
        assert value is not None
        self.register_parameter(buffer, nn.Parameter(value))

    def _take_momenta(self, module: nn.Module) -> None:
        """The norms' momenta, which a graph for evaluation does not know."""
        known = dict(module.named_modules())
        for path, own in self.named_modules():
            if isinstance(own, nn.modules.batchnorm._BatchNorm):
                own.momentum = getattr(known.get(path), "momentum", own.momentum)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the graph that the module holds, with its name there."""
        for node in self.graph.nodes:
            for role, key in node.parameters.items():
                if key in self._buffers_of:
                    if key in self._state:
                        yield key, getattr(self, self._buffers_of[key])
                    continue
                yield key, getattr(self.module_of(node), ROLES[role])

    @property
    def learned(self) -> set[str]:
        """Names of the parameters, as the module has them."""
        return {key for key, tensor in self._tensors() if isinstance(tensor, nn.Parameter)}

    def weights(self) -> dict[str, Tensor]:
        """The module's state_dict with what was learned, contiguous, on the CPU."""
        state = self._state | {key: tensor.detach().to(self._state[key].dtype) for key, tensor in self._tensors()}
        return {key: tensor.cpu().contiguous().clone() for key, tensor in state.items()}


def _check_own(name: str, module: nn.Module) -> None:
    """Raises ModelError where one tensor is a parameter under two names: in the graph they are two."""
    names: dict[int, str] = {}
    for key, parameter in module.named_parameters(remove_duplicate=False):
        if (first := names.setdefault(id(parameter), key)) != key:
            raise ModelError(f"{name}: {first} and {key} are one tensor; {OWN_SCRIPT}")


def own_network(recipe: Recipe, images: ImageSet) -> OwnNetwork:
    """The network of a recipe's file before the first step, its random weights drawn from the recipe's seed.

    recipe  with FILE.py:FUNCTION or an entry point of the group `svit_dse.networks` as its model
    images  of the data it is trained on

    Raises ModelError, on one line, for what cannot be built, captured or started from, and for other classes than the
    data have.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        found = (user_network if ".py" in recipe.model else installed_network)(recipe.model, recipe.options)
    _check_own(recipe.model, found.module)
    if recipe.start is not None:
        load_weights(found.module, checkpoint_path(recipe.start))
    graph = capture(found.module, images.images[:2], time_steps=recipe.time_steps, neurons=found.neurons)
    network = OwnNetwork(found.module, graph, recipe.model)
    have, want = network.config.num_classes, len(images.classes)
    if have != want:
        raise ModelError(f"{recipe.model} has {have} classes, {images.name} has {want}; build it for as many")
    return network
