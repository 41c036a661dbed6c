"""The layers of the simulated network: those of sdtv2_8_512, and how strongly their harms act together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
HOW = ("absent", "shuffled", "half", "inverted", "kind")  # scores can be spoiled


def sdtv2_groups() -> tuple[list[str], list[str], FloatArray, FloatArray]:
    """Names, blocks, weights and MACs per time step of the 56 searched groups of sdtv2_8_512.

    Layout as in the official implementation (Yao et al. 2024): convolution blocks at 112, 56 and 28 pixels with
    widths 64, 128 and 256, six transformer blocks of 512 and two of 640 channels at 14 pixels; a RepConv counts its
    1x1, depthwise 3x3 and 1x1 convolution, and q, k and v of a block are one group.
    """
    rows: list[tuple[str, str, int, int]] = []

    def convolution_block(block: str, c: int, side: int) -> None:
        parts = {"pwconv1": 2 * c * c, "dwconv": 49 * 2 * c, "pwconv2": 2 * c * c}
        parts |= {"conv1": 9 * c * 4 * c, "conv2": 9 * 4 * c * c}
        rows.extend((f"{block}.{part}", block, weights, side) for part, weights in parts.items())

    def transformer_block(block: str, c: int, side: int) -> None:
        rep = 2 * c * c + 9 * c
        parts = {"attn.qkv": 3 * rep, "attn.proj": rep, "mlp.fc1": 4 * c * c, "mlp.fc2": 4 * c * c}
        rows.extend((f"{block}.{part}", block, weights, side) for part, weights in parts.items())

    def downsample(name: str, before: int, after: int, side: int) -> None:
        rows.append((name, name, 9 * before * after, side))

    convolution_block("ConvBlock1_1", 64, 112)
    downsample("downsample1_2", 64, 128, 56)
    convolution_block("ConvBlock1_2", 128, 56)
    downsample("downsample2", 128, 256, 28)
    convolution_block("ConvBlock2_1", 256, 28)
    convolution_block("ConvBlock2_2", 256, 28)
    downsample("downsample3", 256, 512, 14)
    for i in range(6):
        transformer_block(f"block3.{i}", 512, 14)
    downsample("downsample4", 512, 640, 14)
    for i in range(2):
        transformer_block(f"block4.{i}", 640, 14)
    names, blocks, weights, sides = zip(*rows, strict=True)
    size = np.array(weights, dtype=float)
    return list(names), list(blocks), size, size * np.array(sides, dtype=float) ** 2


def pair_weights(blocks: list[str], rng: np.random.Generator) -> FloatArray:
    """Symmetric pair weights (D, D), zero on the diagonal: strong inside blocks, weaker to the next, weak elsewhere."""
    order = {b: i for i, b in enumerate(dict.fromkeys(blocks))}
    where = np.array([order[b] for b in blocks])
    apart = np.abs(where[:, None] - where[None])
    mean = np.select([apart == 0, apart == 1], [0.07, 0.02], 0.0)
    spread = np.select([apart == 0, apart == 1], [0.14, 0.07], 0.01)
    upper = np.triu(mean + spread * rng.normal(size=apart.shape), 1)
    return np.asarray(upper + upper.T)


def repeated(groups: int) -> tuple[list[str], list[str], FloatArray, FloatArray]:
    """As `sdtv2_groups`, for so many groups: the first ones, or the network several times over in further blocks."""
    names, blocks, weights, macs = sdtv2_groups()
    at = np.arange(groups)
    tail = [f".{i // len(names)}" if i >= len(names) else "" for i in at]
    at %= len(names)
    return (
        [names[i] + end for i, end in zip(at, tail, strict=True)],
        [blocks[i] + end for i, end in zip(at, tail, strict=True)],
        weights[at],
        macs[at],
    )


def spoiled(scores: FloatArray, how: str, names: list[str], rng: np.random.Generator) -> FloatArray:
    """Scores (D, B) that say nothing or something false of the layers; see `Difficulty.scores`."""
    order = np.arange(len(scores))
    if how == "shuffled":
        order = rng.permutation(order)
    elif how == "half":
        order[::2] = rng.permutation(order[::2])
    elif how == "inverted":
        level = np.log(scores).mean(axis=1, keepdims=True)
        return np.asarray(scores * np.exp(-2 * (level - level.mean())))
    elif how == "absent":
        return np.full(scores.shape, np.nan)
    elif how == "kind":
        kind = np.array([("mlp" in name) or ("conv" in name) for name in names])
        return np.asarray(scores * np.where(kind, 100.0, 1.0)[:, None])
    elif how != "good":
        raise ValueError(f"scores: {how!r} is none of good, absent, shuffled, half, inverted, kind")
    return np.asarray(scores[order])
