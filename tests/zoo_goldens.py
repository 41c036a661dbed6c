"""What the official implementations of the zoo's networks computed, and the weights they computed it from.

`data/zoo/README.md` says where the recordings come from and how weights and images are made.
"""

import json
import lzma
import math
import re
import zlib
from functools import cache
from typing import Any

import numpy as np
import torch

import sviT_models
from tests import goldens

DATA = goldens.DATA / "zoo"
NO_TARGET = "qkformer_tiny_32_as_one_batch"  # one batch whose images see each other's membranes

# arch -> (pattern of a key, scale, shift): the first that matches changes the values of `goldens.weight`
ADJUSTED = {
    "spikformer": [(r"\.fc2_bn\.bias$", 1.0, 1.0)],  # spikes are added behind it: lifted so that it fires at T=1
    "sdtv3_d8": [  # an output is divided by 8 instead of 4: the attention product needs more
        (r"\.v_conv\.1\.(weight|bias)$", 3.0, 0.0),
        (r"\.[qk]_conv\.1\.(weight|bias)$", 2.0, 0.0),
    ],
    "qkformer": [(r"\.(fc2|mlp2)_bn\.bias$", 1.0, 1.0)],
    "qkformer_wide": [  # the sum of q over a wide head would always pass 1: the gate of a token would never close
        (r"\.(fc2|mlp2)_bn\.bias$", 1.0, 1.0),
        (r"^stage1\.\d+\.tssa\.q_bn\.bias$", 1.0, -2.5),
        (r"^stage2\.\d+\.tssa\.q_bn\.bias$", 1.0, -3.5),
    ],
    "ms_qkformer_wide": [(r"^stage[12]\.\d+\.attn\.q_bn\.bias$", 1.0, -2.5)],
    "qsd": [(r"\.v_conv\.1\.bias$", 1.0, -1.2)],  # keeps the neurons behind the attention below their top level
}


@cache
def manifest(family: str) -> dict[str, Any]:
    """Variant (as the official code spells it) -> classes, heads, parameters, measured, state."""
    return json.loads(lzma.decompress((DATA / f"{family}.json.xz").read_bytes()))


FAMILIES = sorted(path.name.removesuffix(".json.xz") for path in DATA.glob("*.json.xz"))
VARIANTS = [(family, variant) for family in FAMILIES for variant in manifest(family)]
RECORDINGS = sorted(path.stem for path in DATA.glob("*.npz") if path.stem != NO_TARGET)


def name_of(family: str, variant: str) -> str:
    return f"{family}_{variant.lower()}"


def variant_of(recording: str) -> tuple[str, str]:
    """Family and variant of a recording, `FAMILY_VARIANT_PIXELS` (`_d8`: other weights for the same network)."""
    name = re.sub(r"(_d8)?_\d+$", "", recording.removesuffix("_as_one_batch"))
    return next(pair for pair in VARIANTS if "_".join(pair) == name)


def weight(key: str, shape: tuple[int, ...], keys: dict[str, tuple[int, ...]], seed: int, arch: str) -> np.ndarray:
    """The value of one entry of a state_dict whose entries are `keys`."""
    rng = np.random.default_rng(zlib.crc32(f"{seed}:{key}".encode()))
    layer, leaf = key.rsplit(".", 1)
    if leaf == "alpha" and f"{layer}.weight" in keys:  # the step of a learned quantizer
        fan_in = math.prod(keys[f"{layer}.weight"][1:])
        return (rng.uniform(0.6, 1.4, shape) / math.sqrt(fan_in)).astype(np.float32)
    if leaf.startswith("firing_rate"):
        return rng.uniform(0.1, 0.4, shape).astype(np.float32)
    values = goldens.weight(key, shape, seed)
    for pattern, scale, shift in ADJUSTED.get(arch, ()):
        if values.dtype == np.float32 and re.search(pattern, key):
            return (values * np.float32(scale) + np.float32(shift)).astype(np.float32)
    return values


def network(recording: str, **options: int) -> torch.nn.Module:
    """The network of a recording in float64 with its weights; `options` as those of `sviT_models.build`."""
    family, variant = variant_of(recording)
    stored = np.load(DATA / f"{recording}.npz")
    with torch.device("meta"):
        model = sviT_models.build(name_of(family, variant), **options)
    fill(model, int(stored["weight_seed"]), str(stored["arch"]))
    return model.double().eval()


def fill(model: torch.nn.Module, seed: int, arch: str) -> None:
    """Give a network built on the device `meta` the weights of a recording."""
    keys = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    state = {key: torch.from_numpy(np.asarray(weight(key, shape, keys, seed, arch))) for key, shape in keys.items()}
    model.load_state_dict(state, assign=True)


def images(recording: str) -> torch.Tensor:
    """The images of a recording, float64 (B, C, H, W)."""
    stored = np.load(DATA / f"{recording}.npz")
    return torch.from_numpy(goldens.images(tuple(stored["input_shape"]), int(stored["input_seed"]))).double()
