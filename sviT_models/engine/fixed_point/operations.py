"""What every operation of the integer network computes, in numpy on int64; docs/export-format.md lists them.

A tensor is its elements in order; each operation says in which shape it sees them, -1 standing for the images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Node = Mapping[str, Any]
Number = TypeVar("Number", np.int64, np.float64)
LOWEST = -(2**62)  # stands for nothing in the border of a pool


@dataclass(eq=False)
class Interpreter:
    """The tensors of an integer network as its nodes are run one by one.

    spec     time_steps, states and rescales, as an export has them
    tensors  `<layer>.weight` (O, C / groups, k, l), and `<name>.multiplier`, `.offset` and `.right` of every rescale
    observe  hears of the sums of every layer
    """

    spec: Mapping[str, Any]
    tensors: Mapping[str, Integers]
    observe: Callable[[str, Integers], None] | None = None
    values: dict[str, Integers] = field(default_factory=dict)
    spikes: dict[str, Integers] = field(default_factory=dict)

    def run(self, node: Node) -> None:
        """One operation."""
        given = [self.values[name] for name in (node["inputs"] if "inputs" in node else [node["input"]])]
        self.values[node["output"]] = made = OPERATIONS[node["op"]](self, node, *given)
        if node["op"] in ("fire", "levels"):
            self.spikes[node["output"]] = made
        if self.observe is not None and "layer" in node:
            self.observe(node["layer"], made)


def conv(
    x: Integers,
    weight: Integers,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Integers:
    """Zero-padded convolution of x (N, H, W, C) with weight (O, C / groups, k, l) -> (N, H', W', O).

    The sums are taken in float64, where they are exact: the constants were made so that none reaches 2^53.
    """
    seen = windows(x.astype(np.float64), Window(weight.shape[2:], stride, padding, dilation), 0)  # (N, H', W', C, k, l)
    out, inside, *kernel = weight.shape
    taps = weight.astype(np.float64)
    if inside == 1 and groups == out:
        sums: Integers = np.einsum("nhwckl,ckl->nhwc", seen, taps[:, 0]).astype(np.int64)
        return sums
    parts = []
    for group in range(groups):
        part = seen[:, :, :, group * inside : (group + 1) * inside].reshape(-1, inside * int(np.prod(kernel)))
        parts.append(part @ taps[group * out // groups : (group + 1) * out // groups].reshape(out // groups, -1).T)
    return np.concatenate(parts, axis=1).astype(np.int64).reshape(*seen.shape[:3], out)


class Window(NamedTuple):
    """How windows lie on a map, rows first."""

    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]


def windows(x: NDArray[Number], window: Window, border: int, out: Sequence[int] | None = None) -> NDArray[Number]:
    """The windows (N, H', W', C, k, l) of x (N, H, W, C); `out`, if given, is their number (H', W')."""
    kernel, stride, padding, dilation = window
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides: list[tuple[int, int]] = [(p, p) for p in padding]
    if out is not None:  # the last windows may reach beyond the border
        ends = [(o - 1) * s + span for o, s, span in zip(out, stride, spans, strict=True)]
        sides = [(p, max(p, end - size - p)) for p, end, size in zip(padding, ends, x.shape[1:3], strict=True)]
    padded = np.pad(x, [(0, 0), *sides, (0, 0)], constant_values=border)
    found = sliding_window_view(padded, spans, (1, 2))[:, :: stride[0], :: stride[1]]
    found = found[..., :: dilation[0], :: dilation[1]]
    return found if out is None else found[:, : out[0], : out[1]]


def pool(x: Integers, node: Node) -> Integers:
    """The largest of every window of x (N, H, W, C), or, `how` sum, their sum."""
    how = node["how"]
    window = Window(*(node[key] for key in ("kernel", "stride", "padding", "dilation")))
    seen = windows(x, window, LOWEST if how == "max" else 0, node["out"])
    found: Integers = seen.max((4, 5)) if how == "max" else seen.sum((4, 5))
    return found


def rescale(
    sums: Integers, constants: Node, tensors: Mapping[str, Integers], name: str, add: Integers | None = None
) -> Integers:
    """clip(((sums * multiplier + offset) >> right) + add, low, high), constants by channel, which is the last axis."""
    multiplier, offset, right = (tensors[f"{name}.{part}"] for part in ("multiplier", "offset", "right"))
    y = (sums.reshape(-1, len(multiplier)) * multiplier + offset) >> right
    if add is not None:  # a tensor of one step has the same value in every step
        step = min(y.size, add.size)
        y = y.reshape(-1, step) + add.reshape(-1, step)
    found: Integers = np.clip(y, constants["low"], constants["high"])
    return found


def fire(x: Integers, state: Node, left_shift: int, steps: int) -> Integers:
    """Spikes (T, ...) of potentials v that start at 0 and are driven by x (T or 1, ...), with `guard` more places.

    u = kept * (v << guard) + taken * x in units of 2^-shift; a spike where u reaches the threshold (passes it, if
    `strict`). A spike resets u to 0, or takes the threshold from it (`subtract`), at once or (`delayed`) in the next
    step; v is u rounded to its own places, ties up, and clipped to its width.
    """
    places, top = state["guard"] + state["shift"], 2 ** (state["bits"] - 1)
    threshold = state["threshold"] << places
    x = x << left_shift if left_shift >= 0 else (x + (1 << (-left_shift - 1))) >> -left_shift
    v, owed, spikes = np.zeros_like(x[0]), np.zeros_like(x[0]), []
    for t in range(steps):
        if state["delayed"] and not state["subtract"]:
            v = v * (1 - owed)
        u = (v << state["guard"]) * state["kept"] + x[min(t, len(x) - 1)] * state["taken"]
        if state["delayed"] and state["subtract"]:
            u = u - owed * threshold
        owed = (u > threshold if state["strict"] else u >= threshold).astype(np.int64)
        if not state["delayed"]:
            u = u - owed * threshold if state["subtract"] else u * (1 - owed)
        v = np.clip((u + (1 << (places - 1))) >> places, -top, top - 1)
        spikes.append(owed)
    return np.stack(spikes)


def attend(q: Integers, k: Integers, v: Integers) -> Integers:
    """Q (K^T V) of q (N, tokens, heads, d), k and v (N, other tokens, heads, ...)."""
    own, others, values = (x.astype(np.float64).swapaxes(1, 2) for x in (q, k, v))
    mixed: Integers = np.rint(own @ (others.swapaxes(-1, -2) @ values)).astype(np.int64).swapaxes(1, 2)
    return mixed


def arrange(x: Integers, node: Node) -> Integers:
    """x seen as `from`, its axes in another `order`, repeated along those of one element where `sizes` has more."""
    x = x.reshape(node["from"]).transpose(node["order"])
    return np.broadcast_to(x, [own if size == -1 else size for own, size in zip(x.shape, node["sizes"], strict=True)])


def _conv(run: Interpreter, node: Node, x: Integers) -> Integers:
    weight = run.tensors[f"{node['layer']}.weight"]
    height, width = node["positions"]
    seen = x.reshape(-1, height, width, weight.shape[1] * node["groups"])
    return conv(seen, weight, node["stride"], node["padding"], node["dilation"], node["groups"])


def _rescale(run: Interpreter, node: Node, x: Integers) -> Integers:
    name = node["constants"]
    add = run.values[node["add"]] if "add" in node else None
    return rescale(x, run.spec["rescales"][name], run.tensors, name, add)


def _fire(run: Interpreter, node: Node, x: Integers) -> Integers:
    made = fire(x.reshape(node["steps"], -1), run.spec["states"][node["name"]], node["left_shift"], node["shape"][0])
    return made.reshape(node["shape"])


def _combine(_: Interpreter, node: Node, *given: Integers) -> Integers:
    a, b = (x.reshape(shape) for x, shape in zip(given, node["shapes"], strict=True))
    made = a * b if node["how"] == "multiply" else a + b
    return np.clip(made, node["low"], node["high"]) if "low" in node else made


def _attend(_: Interpreter, node: Node, *given: Integers) -> Integers:
    return attend(*(x.reshape(shape) for x, shape in zip(given, node["shapes"], strict=True)))


def _matmul(_: Interpreter, node: Node, *given: Integers) -> Integers:
    a, b = (x.reshape(shape).astype(np.float64) for x, shape in zip(given, node["shapes"], strict=True))
    return np.rint(a @ b).astype(np.int64)


def _concat(_: Interpreter, node: Node, *given: Integers) -> Integers:
    return np.concatenate([x.reshape(s) for x, s in zip(given, node["shapes"], strict=True)], node["axis"])


def _slice(_: Interpreter, node: Node, x: Integers) -> Integers:
    x = x.reshape(node["shape"])
    found: Integers = x[(slice(None),) * node["axis"] + (slice(node["start"], node["stop"]),)]
    return found


def _pad(_: Interpreter, node: Node, x: Integers) -> Integers:
    return np.pad(x.reshape(node["shape"]), node["sides"], constant_values=node["value"])


OPERATIONS: dict[str, Callable[..., Integers]] = {
    "conv": _conv,
    "rescale": _rescale,
    "fire": _fire,
    "levels": lambda _, node, x: x.reshape(node["shape"]),
    "combine": _combine,
    "sum": lambda _, node, x: x.reshape(node["shape"]).sum(tuple(node["axes"])),
    "attend": _attend,
    "matmul": _matmul,
    "pool": lambda _, node, x: pool(x.reshape(-1, *node["positions"], node["channels"]), node),
    "arrange": lambda _, node, x: arrange(x, node),
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
}
