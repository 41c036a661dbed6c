"""Which network of the zoo a state_dict belongs to, by the names and shapes of its entries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from sviT_models import zoo

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

HEADS = ("head.", "head_kd.", "classifier.")
MOST = 24  # networks that a file is compared with: the nearest in size; building all of them takes seconds
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # of a norm, which are no parameters


@dataclass(frozen=True)
class Likeness:
    """A network that entries look like, and with which `options` of its build they do.

    `fits` says whether all entries but those of the heads are there in their shapes; `others` are further networks with
    the same entries.
    """

    name: str
    options: dict[str, int]
    fits: bool
    others: tuple[str, ...] = ()


def likeness(have: Shapes) -> Likeness:
    """The network of the zoo whose entries these are, or the one that shares the most of them.

    have  shape of every entry by its name

    Networks of about as many parameters are looked at first, so that one of the zoo is found after a few.
    """
    best, shared = "", -1.0
    for network in _nearest_first(have)[:MOST]:
        want = shapes_of(network.name)
        if fit(have, want):
            others = (other.name for other in zoo.networks() if other.parameters == network.parameters)
            same = tuple(name for name in others if name != network.name and shapes_of(name) == want)
            return Likeness(network.name, _options(have, want), True, same)
        if (alike := _shared(have, want)) > shared:
            best, shared = network.name, alike
    return Likeness(best, _options(have, shapes_of(best)), False)


def _shared(have: Shapes, want: Shapes) -> float:
    """How much two networks have in common, 0 to 2: the share of names, and of names with their shapes."""
    pairs, all_pairs = have.items() & want.items(), have.items() | want.items()
    return len(have.keys() & want.keys()) / len(have.keys() | want.keys()) + len(pairs) / len(all_pairs)


def fit(have: Shapes, want: Shapes) -> bool:
    """Whether these are the entries of a network but for its heads, and the channels of the image.

    have  shape of every entry of a file
    want  of every entry of a network
    """
    trunk = [key for key in want if not key.startswith(HEADS)]
    if {key for key in have if not key.startswith(HEADS)} != set(trunk):
        return False
    first = _first_layer(want)
    return all(have[key] == want[key] or (key == first and _of_channels(have[key], want[key])) for key in trunk)


def _of_channels(have: Shape, want: Shape) -> bool:
    """Whether a convolution's weights differ in the number of its input channels alone."""
    return len(have) == len(want) and have[:1] + have[2:] == want[:1] + want[2:]


def _options(have: Shapes, want: Shapes) -> dict[str, int]:
    """Classes and image channels of the entries, where they are others than the network's."""
    found = {}
    if (classes := classes_of(have)) and classes != classes_of(want):
        found["num_classes"] = classes
    first = _first_layer(want)
    if have.get(first, want[first]) != want[first] and _of_channels(have[first], want[first]):
        found["in_channels"] = have[first][1]
    return found


def classes_of(have: Shapes) -> int:
    """Outputs of the head, 0 where there is none.

    have  shape of every entry by its name
    """
    return next((shape[0] for key, shape in have.items() if key.startswith(HEADS) and shape), 0)


def _first_layer(want: Shapes) -> str:
    return next(key for key, shape in want.items() if len(shape) == 4)


def _nearest_first(have: Shapes) -> list[zoo.Network]:
    """All networks, those with about as many parameters first."""
    count = sum(math.prod(shape) for key, shape in have.items() if not key.endswith(STATISTICS))
    return sorted(zoo.networks(), key=lambda network: abs(math.log(network.parameters / max(count, 1))))


@cache
def shapes_of(name: str) -> dict[str, Shape]:
    """Shape of every entry of a network as it is built without options, in its order; it takes no memory.

    name  one of `zoo.names()`
    """
    with torch.device("meta"):
        return shapes(zoo.build(name).state_dict())


def shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Shape of every entry.

    state  tensors by name
    """
    return {key: tuple(tensor.shape) for key, tensor in state.items()}
