"""The integer network, operation by operation: the specification that the engine and any hardware have to equal.

numpy only. `run` takes an exported specification (docs/export-format.md) and its tensors; tensors between operations
are int64 (T, N, C, H, W), and a still image drives every step alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Spec = Mapping[str, Any]
Observe = Callable[[str, Integers], None]


def quantize_images(spec: Spec, images: NDArray[np.floating]) -> Integers:
    """Images (N, 3, H, W) as integers: floor(x * 2^fraction + 1/2), clipped to the width."""
    image = spec["image"]
    top = 2 ** (image["bits"] - 1)
    scaled = np.floor(images.astype(np.float64) * 2.0 ** image["fraction"] + 0.5)
    return np.clip(scaled, -top, top - 1).astype(np.int64)


def conv(x: Integers, weight: Integers, stride: int, padding: int, groups: int) -> Integers:
    """Zero-padded convolution of x (T, N, C, H, W) with weight (O, C / groups, k, k); groups is 1 or C = O.

    The sums are taken in float64, where they are exact: the constants were made so that none reaches 2^53.
    """
    steps, count, channels = x.shape[:3]
    out, _, kernel, _ = weight.shape
    padded = np.pad(x.reshape(-1, *x.shape[2:]).astype(np.float64), [(0, 0), (0, 0), *[(padding, padding)] * 2])
    windows = sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]  # (TN, C, H', W', k, k)
    height, width = windows.shape[2:4]
    taps = weight.astype(np.float64)
    if groups == channels and channels > 1:
        sums = np.zeros((len(padded), out, height, width))
        for i in range(kernel):
            for j in range(kernel):
                sums += windows[..., i, j] * taps[:, 0, i, j][:, None, None]
    else:
        columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, channels * kernel * kernel)
        sums = (columns @ taps.reshape(out, -1).T).reshape(len(padded), height, width, out).transpose(0, 3, 1, 2)
    return sums.astype(np.int64).reshape(steps, count, out, height, width)


def rescale(
    sums: Integers, constants: Spec, tensors: Mapping[str, Integers], name: str, add: Integers | None
) -> Integers:
    """clip(((sums * multiplier + offset) >> right) + add, low, high), constants by channel."""
    multiplier, offset, right = (
        tensors[f"{name}.{part}"].reshape(-1, 1, 1) for part in ("multiplier", "offset", "right")
    )
    y = (sums * multiplier + offset) >> right
    return np.clip(y if add is None else y + add, constants["low"], constants["high"])


def fire(x: Integers, state: Spec, left_shift: int, steps: int) -> Integers:
    """Spikes (T, ...) of potentials v that start at 0 and are driven by x, which has `guard` more binary places.

    u = (v << guard) + x; a spike where u / 2 reaches the threshold, which resets v to 0; elsewhere v is u / 2 rounded
    to its own places, ties up, and clipped to its width.
    """
    guard, top = state["guard"], 2 ** (state["bits"] - 1)
    x = x << left_shift if left_shift >= 0 else (x + (1 << (-left_shift - 1))) >> -left_shift
    v, spikes = np.zeros_like(x[0]), []
    for t in range(steps):
        u = (v << guard) + x[min(t, len(x) - 1)]
        fired = u >= state["threshold"] << (guard + 1)
        v = np.where(fired, 0, np.clip((u + (1 << guard)) >> (guard + 1), -top, top - 1))
        spikes.append(fired.astype(np.int64))
    return np.stack(spikes)


def attend(q: Integers, k: Integers, v: Integers, heads: int) -> Integers:
    """Q (K^T V) of spikes (T, N, C, H, W), channels split evenly over the heads."""
    q, k, v = (x.reshape(*x.shape[:2], heads, x.shape[2] // heads, -1).astype(np.float64) for x in (q, k, v))
    return np.rint((v @ k.swapaxes(-1, -2)) @ q).astype(np.int64)


def run(
    spec: Spec, tensors: Mapping[str, Integers], images: Integers, observe: Observe | None = None
) -> tuple[Integers, dict[str, NDArray[np.uint8]]]:
    """Logits (N, classes) in units of 2^-fraction and spikes (T, N, C, H, W) of every LIF layer, of integer images.

    `tensors` holds `<layer>.weight` (O, C, k, k), and `<name>.multiplier`, `.offset` and `.right` of every rescale.
    `observe(layer, sums)`, if given, sees every accumulator.
    """
    steps = spec["time_steps"]
    values: dict[str, Integers] = {"image": images[None]}
    spikes: dict[str, NDArray[np.uint8]] = {}
    for node in spec["nodes"]:
        match node["op"]:
            case "conv":
                weight, layer = tensors[f"{node['layer']}.weight"], node["layer"]
                made = conv(values[node["input"]], weight, node["stride"], node["padding"], node["groups"])
                if observe is not None:
                    observe(layer, made)
                values[node["output"]] = made
            case "rescale":
                constants, add = spec["rescales"][node["constants"]], values[node["add"]] if "add" in node else None
                values[node["output"]] = rescale(values[node["input"]], constants, tensors, node["constants"], add)
            case "fire":
                state = spec["states"][node["name"]]
                fired = fire(values[node["input"]], state, node["left_shift"], steps)
                values[node["name"]], spikes[node["name"]] = fired, fired.astype(np.uint8)
            case "attend":
                q, k, v = (values[name] for name in node["inputs"])
                values[node["output"]] = attend(q, k, v, node["heads"]).reshape(q.shape)
            case "sum_tokens":
                values[node["output"]] = values[node["input"]].sum((3, 4), keepdims=True)
            case "sum_steps":
                values[node["output"]] = values[node["input"]].sum(0, keepdims=True)
    return values["logits"][0, :, :, 0, 0], spikes
