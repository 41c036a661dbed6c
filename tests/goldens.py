"""What the official implementation of Meta-SpikeFormer computed, and the weights and images it computed it from.

`data/golden_*.npz` and `data/sdtv2_state.csv` were recorded from BICLab's code (github.com/BICLab/Spike-Driven-
Transformer-V2, commit 35f245f) on the CPU.  Weights and images are functions of a seed, so that no weights are stored.
"""

import csv
import math
import zlib
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
NARROW = 128  # q, k and v of networks up to this width are biased to fire, or K^T V would be all zeros


def official_state(column: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the official state_dict in order; `column` is `tiny` (10 classes, no kd head) or `8_512`."""
    with open(DATA / "sdtv2_state.csv", newline="") as file:
        return {row["key"]: tuple(map(int, row[column].split())) for row in csv.DictReader(file)}


def weight(key: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """The value of one state_dict entry, drawn from a generator seeded by the entry's name."""
    path = key.split(".")
    module, leaf = path[-2], path[-1]
    if leaf == "num_batches_tracked":
        return np.zeros((), np.int64)
    rng = np.random.default_rng(zlib.crc32(f"{seed}:{key}".encode()))
    if leaf == "running_mean":
        values = rng.normal(0.0, 0.15, shape)
    elif leaf == "running_var":
        values = rng.uniform(0.7, 1.3, shape)
    elif leaf == "bias" and (module.endswith("conv") or module.startswith("head")):
        values = rng.normal(0.0, 0.1, shape)
    elif len(shape) > 1:
        sees_spikes = not (".body.2." in key or "pwconv2" in key or key.startswith("downsample1_1"))
        values = rng.normal(0.0, math.sqrt(1.0 / (math.prod(shape[1:]) * (0.15 if sees_spikes else 1.0))), shape)
    elif leaf == "weight":
        values = rng.uniform(*_norm_scale(key), shape)
    else:
        values = rng.normal(*_norm_shift(key, shape[0]), shape)
    return values.astype(np.float32)


def _ends_a_branch(key: str) -> bool:
    return ".proj_conv.1." in key or "fc2_bn" in key or key.split(".")[-2] == "bn2"


def _norm_scale(key: str) -> tuple[float, float]:
    """Range of a batch norm's weights."""
    if ".body." in key:
        return 0.8, 1.2
    return (0.4, 0.9) if _ends_a_branch(key) else (0.9, 1.5)


def _norm_shift(key: str, channels: int) -> tuple[float, float]:
    """Mean and deviation of a batch norm's biases, which set how often the neurons behind it fire."""
    if ".body." in key:
        return 0.0, 0.2
    if any(f".{matrix}_conv.1." in key for matrix in "qkv"):
        return (1.2, 0.8) if channels <= NARROW else (-0.4, 0.9)
    if key.startswith("block4.1.mlp.fc2_bn"):
        return 0.0, 2.0
    return (-0.05, 0.3) if _ends_a_branch(key) else (0.3, 0.5)


def images(shape: tuple[int, int, int, int], seed: int) -> np.ndarray:
    """White noise on patches of 16 x 16 pixels, float32 (B, 3, H, W)."""
    rng = np.random.default_rng(seed)
    batch, channels, height, width = shape
    patches = rng.normal(0, 1, (batch, channels, -(-height // 16), -(-width // 16)))
    coarse = np.kron(patches, np.ones((16, 16)))[:, :, :height, :width]
    return (0.7 * rng.normal(0, 1, shape) + 0.7 * coarse).astype(np.float32)
