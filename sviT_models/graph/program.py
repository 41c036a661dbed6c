"""A network's operations in the order in which they run, whoever noted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, fx

SHAPE = "svit_shape"  # of a node's value, among its notes, where its sizes do not say which axis has the batch


@dataclass(frozen=True)
class Program:
    """Operations as nodes of torch.fx, with shapes and module paths among their notes.

    nodes    all of them; an input that is no parameter is the images
    outputs  what the network returns
    tensors  parameters, buffers and constants by the node that stands for them: name and values
    """

    nodes: Sequence[fx.Node]
    outputs: Sequence[fx.Node]
    tensors: Mapping[str, tuple[str, Tensor]]
