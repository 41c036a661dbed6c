"""A design as integers: every constant of the fixed-point network, and its operations in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sviT_models.engine.number_formats import Rescale, State
from sviT_models.engine.segments import Down, Encoder, Segment, SelfAttention, Separable

LOGIT_BITS = 24
Node = dict[str, Any]


@dataclass
class Plan:
    """The integer network of one design at one image size.

    `rescales` are named after the layer whose sums they take (`<attention>.qkv`, `tokens` for the other sums),
    `states` after their LIF layers, `largest` bounds every layer's accumulator (low, high). `nodes` are the operations
    as docs/export-format.md defines them.
    """

    image_fraction: int
    rescales: dict[str, Rescale] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    largest: dict[str, tuple[int, int]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


def activation_names(segments: tuple[Segment, ...]) -> list[str]:
    """What has an activation width, in network order: streams by the module that starts them, inputs by their layer.

    segments  the network in the engine's segments
    """
    found = []
    for segment in segments:
        match segment:
            case Encoder():
                found += [segment.layers[0], segment.path]
            case Down():
                found.append(segment.path)
            case Separable() if len(segment.layers) == 3:
                found.append(segment.layers[-1])
            case SelfAttention():
                found += [n for b in ("q", "k", "v", "proj") for n in segment.branch(b)[0][1:]]
    return found
