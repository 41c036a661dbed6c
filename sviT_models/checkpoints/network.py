"""Any network, opened by name or from the user's own file, with weights from a file, as a captured graph."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from costmodels import plugins
from sviT_models import zoo
from sviT_models.checkpoints.weights import load_weights
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.files import fingerprint
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.recognise import Declared
from sviT_models.graph.user_file import GROUP, installed_network, user_network
from sviT_models.hashing import sha256


@dataclass(frozen=True, eq=False)
class OpenedNetwork:
    """A captured network, what it is called, where its weights or its code lie, and a hash of code and graph."""

    model: GraphNetwork
    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """What it is called."""
        return self.model.config.name


def open_network(
    reference: str,
    images: Tensor,
    *,
    options: Mapping[str, object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    time_steps: int | None = None,
    num_classes: int | None = None,
) -> OpenedNetwork:
    """The graph of a network, compared with its module on some of the images.

    reference    a name of the zoo, FILE.py:FUNCTION, or an entry point of the group `svit_dse.networks`
    images       (N, ...) as the network takes them; the first two are used
    options      keywords of the zoo's `build`, or of the function
    checkpoint   the file of its weights; default: those that it is built with, random ones from the seed 0
    time_steps   steps of a network that is called once for each, or an option of the zoo's networks
    num_classes  classes of a network of the zoo whose options do not say

    Raises ModelError, on one line, for what cannot be built, loaded or captured.
    """
    chosen = dict(options or {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # weights that no file gives are the same whenever the network is opened
        if reference not in zoo.names() and reference in plugins.installed(GROUP):
            found = installed_network(reference, chosen)
            module, neurons, path = found.module, found.neurons, None
        elif reference in zoo.names() or ".py" not in reference:
            module, neurons, path = _of_the_zoo(reference, chosen, images, time_steps, num_classes), {}, None
            time_steps = None
        else:
            found = user_network(reference, chosen)
            module, neurons, path = found.module, found.neurons, found.path
    if checkpoint is not None:
        load_weights(module, checkpoint)
    where = path or (Path(checkpoint) if checkpoint is not None else Path(reference))
    return opened(module, images, reference, where, time_steps, neurons)


def opened(
    module: nn.Module,
    images: Tensor,
    name: str,
    path: Path,
    time_steps: int | None = None,
    neurons: Declared | None = None,
) -> OpenedNetwork:
    """A module as an opened network: captured on two images, its hash that of the code at `path` and the graph.

    module      the network
    images      (N, ...) as the network takes them
    name        what it is called
    path        where its weights or, a Python file, its code come from
    time_steps  steps of a network that is called once for each
    neurons     laws of neuron classes by their name, where they are not known

    Raises ModelError as `capture`.
    """
    graph = capture(module, images[:2], time_steps=time_steps, neurons=neurons)
    content = hashlib.sha256(fingerprint(graph).encode())
    if path.suffix == ".py":
        content.update(sha256(path).encode())
    network = graph.network
    network.config = replace(network.config, name=name)
    return OpenedNetwork(network, path, content.hexdigest())


def _of_the_zoo(
    name: str, options: dict[str, object], images: Tensor, time_steps: int | None, num_classes: int | None
) -> nn.Module:
    """A network for images of this size and number of channels, unless the options say otherwise."""
    with torch.device("meta"):
        config = zoo.build(name).config
    if time_steps is not None and hasattr(config, "levels"):
        raise ModelError(f"{name} has levels where others have time steps; give levels={time_steps} as an option")
    usual = {"resolution": images.shape[-1], "in_channels": images.shape[-3], "num_classes": num_classes}
    for key, value in usual.items():
        if value is not None and hasattr(config, key):
            options.setdefault(key, value)
    if time_steps is not None:
        options["time_steps"] = time_steps
    return zoo.build(name, **options).eval()
