"""The rules that a node's attributes and parameters decide alone, before there are weights or images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sviT_models.engine.arithmetic import ACTIVATION_BITS, Floats
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node

EXACT_FLOAT64 = 2**53


LARGEST_ACTIVATION = 2 ** (ACTIVATION_BITS - 1)


LARGEST_NUMBER = 2**31


MOVES = ("reshape", "permute", "expand", "select", "slice")


def factor_of(node: Node) -> float:
    """The constant that a `scale` multiplies by."""
    return 1 / float(node.attributes["divisor"]) if "divisor" in node.attributes else float(node.attributes["factor"])


def norm_of(graph: Graph, node: Node) -> tuple[Floats, Floats]:
    """Gain and shift (C,) of a batch norm in evaluation."""
    own = {role: graph.parameters[name].double().numpy(force=True) for role, name in node.parameters.items()}
    gain = own.get("weight", np.float64(1)) / np.sqrt(own["variance"] + node.attributes["eps"])
    return gain, own.get("bias", np.float64(0)) - own["mean"] * gain


def takes_sums(node: Node, seen: int, made: int, unshifted: bool) -> bool:
    """Whether a layer takes the sums (N, seen, ...) of another as they are: a depthwise one whose border is right."""
    depthwise = node.op == "conv" and node.attributes["groups"] == seen == made
    return depthwise and (unshifted or not any(node.attributes["padding"]))


def stay_integers(node: Node, steps: Sequence[float | None]) -> bool:
    """Whether integers of these units (None: it depends on the weights) stay integers in an operation that moves."""
    whole = node.op in (*MOVES, "max_pool", "concat", "add") or (node.op == "pad" and not node.attributes["value"])
    alike = len(steps) == 1 or (None not in steps and len(set(steps)) == 1)
    return whole and alike and node.attributes.get("factor", 1) == 1


def moved_bounds(node: Node, bounds: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Least and largest integer after an operation that moves, compares, joins or adds."""
    if node.op == "add":
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)
    return min(0, *(low for low, _ in bounds)), max(0, *(high for _, high in bounds))


def window_of(node: Node) -> int:
    """Elements in each window of an average pool. Raises ModelError where windows may differ in size."""
    a = node.attributes
    if any(a["padding"]) or a["ceil_mode"] or len(a["kernel"]) != 2:
        raise ModelError(
            f"{node.name}: an average pool with padding, with ceil_mode or of one dimension has no exact rule; "
            "pool in two dimensions and without them"
        )
    return int(a["kernel"][0] * a["kernel"][1])


def product_bounds(node: Node, summed: int, first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """Least and largest sum of so many products. Raises ModelError where float64 may not hold it."""
    ends = [summed * a * b for a in first for b in second]
    if max(map(abs, ends)) >= EXACT_FLOAT64:
        raise ModelError(f"{node.name}: its sums may pass 2^53; put neurons in front of one of its factors")
    return min(ends), max(ends)
