"""Example workloads: the SDTv2 networks at 224 px as layer tables, with an assumed firing rate.

Shapes follow the published network (Meta-SpikeFormer, BICLab); MACs, weights and neurons are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodels.errors import CostError
from costmodels.widths import ACTIVATION_BITS, IMAGE_BITS
from costmodels.workload.geometry import taps_inside

if TYPE_CHECKING:
    import pandas as pd

EMBEDDINGS = {
    "sdtv2_8_256": (64, 128, 256, 360),
    "sdtv2_8_384": (96, 192, 384, 480),
    "sdtv2_8_512": (128, 256, 512, 640),
    "sdtv2_8_768": (192, 384, 768, 960),
}
HEADS, RESOLUTION, CLASSES = 8, 224, 1000
_DEPTHS = {"block3": 6, "block4": 2}
_FIRST_ENDS = ("Conv.pwconv2", "attn.proj_conv.0", "attn.proj_conv.0.body.2.1")  # layers before the first shortcut
Row = dict[str, Any]


def example_names() -> tuple[str, ...]:
    """The example workloads."""
    return tuple(EMBEDDINGS)


def example_table(name: str, rate: float, time_steps: int, fused: bool) -> pd.DataFrame:
    """The layer table of an example; `assumed_rate` says which firing rate its spikes come from.

    Raises CostError for an unknown name and a rate outside [0, 1].
    """
    import pandas as pd

    if name not in EMBEDDINGS:
        raise CostError(f"no example workload {name!r}; there are {', '.join(EMBEDDINGS)}")
    if not 0 <= rate <= 1:
        raise CostError(f"rate is {rate:g}; expected spikes per neuron and step, 0 to 1")
    if time_steps < 1:
        raise CostError(f"time_steps is {time_steps}; expected at least 1")
    rows = [_active(row, rate, time_steps) for row in _network(EMBEDDINGS[name], fused)]
    return pd.DataFrame(rows + _additions(rows))


def _additions(rows: list[Row]) -> list[Row]:
    """The two membrane shortcuts of every block: around its first part and around the two layers at its end."""
    found: list[Row] = []
    begins = ""
    for row in rows:
        path, part = row["block"], row["name"].removeprefix(f"{row['block']}.")
        if part == "encode_conv":
            begins = row["name"]
        title = "add" if part in _FIRST_ENDS else "add_2" if part in ("conv2", "mlp.fc2_conv") else ""
        if not title:
            continue
        shape = {"in_channels": row["out_channels"], "in_height": row["out_height"], "in_width": row["out_width"]}
        shape |= {"out_channels": row["out_channels"], "out_height": row["out_height"], "out_width": row["out_width"]}
        sums: Row = {"kind": "add", "input": "multibit", "input_bits": ACTIVATION_BITS, "time_steps": row["time_steps"]}
        places = {"name": f"{path}.{title}", "after": row["name"], "since": begins}
        found.append(
            places | shape | sums | {"block": path, "stage": row["stage"], "assumed_rate": row["assumed_rate"]}
        )
        begins = f"{path}.{title}"
    return found


def _active(row: Row, rate: float, steps: int) -> Row:
    """Spikes at the assumed rate; every multi-bit element counts as non-zero; borders by the exact fan-out."""
    inputs = row["in_channels"] * row["in_height"] * row["in_width"]
    spiking = row["input"] == "spike"
    share = rate if spiking else 1.0
    if row["kind"] == "attention":
        operations = row["macs"] * (rate * rate if row["name"].endswith(".kv") else rate)
    else:
        reach = _reach(row, "height") * _reach(row, "width")
        operations = share * row["in_channels"] * reach * row["out_channels"] / row["groups"]
    return row | {
        "spikes": inputs * steps * share,
        "lif_spikes": row["neurons"] * steps * rate,
        "synops": operations * steps,
        "balance": 1.0,
        "time_steps": steps,
        "assumed_rate": share,
    }


def _reach(row: Row, axis: str) -> int:
    """Pairs of input and output positions along an axis, without the padding."""
    shape = (row[f"in_{axis}"], row["kernel"], row["stride"], row["padding"], row[f"out_{axis}"])
    return int(taps_inside(*(np.asarray(float(n)) for n in shape)))


def _row(name: str, shape: tuple[int, int], out: int, kernel: int = 1, stride: int = 1, **other: Any) -> Row:
    """A square convolution on (channels, side); the optional columns stand in `other`."""
    channels, side = shape
    groups = other.pop("groups", 1)
    padding = kernel // 2
    end = (side + 2 * padding - kernel) // stride + 1
    fan_in = channels // groups * kernel * kernel
    parts = name.split(".")
    lif = other.pop("lif", "")
    neurons = other.pop("neurons", channels * side * side if lif else 0)
    return {
        "name": name,
        "kind": other.pop("kind", "depthwise" if groups > 1 else "conv"),
        "group": other.pop("group", name),
        "block": ".".join(parts[:2]) if len(parts) > 1 and parts[1].isdigit() else parts[0],
        "stage": parts[0],
        "input": other.pop("input", "spike"),
        "input_bits": other.pop("input_bits", 1),
        **{"in_channels": channels, "out_channels": out, "groups": groups, "kernel": kernel, "stride": stride},
        **{"padding": padding, "in_height": side, "in_width": side, "out_height": end, "out_width": end},
        "weights": out * fan_in,
        "channel_constants": out if other.pop("constants", True) else 0,
        "macs": out * fan_in * end * end,
        "fan_in": fan_in,
        "neurons": neurons,
        "lif": lif,
    }


_MULTIBIT: Row = {"input": "multibit", "input_bits": ACTIVATION_BITS}


def _network(embed: tuple[int, ...], fused: bool) -> Iterator[Row]:
    first, second, third, fourth = embed
    half, side = first // 2, RESOLUTION // 2
    image: Row = {"input": "multibit", "input_bits": IMAGE_BITS}
    yield _row("downsample1_1.encode_conv", (3, RESOLUTION), half, 7, 2, **image)
    yield from _conv_block("ConvBlock1_1.0", half, side, fused)
    yield _row("downsample1_2.encode_conv", (half, side), first, 3, 2, lif="downsample1_2.encode_lif")
    yield from _conv_block("ConvBlock1_2.0", first, side // 2, fused)
    yield _row("downsample2.encode_conv", (first, side // 2), second, 3, 2, lif="downsample2.encode_lif")
    for block in ("ConvBlock2_1.0", "ConvBlock2_2.0"):
        yield from _conv_block(block, second, side // 4, fused)
    yield _row("downsample3.encode_conv", (second, side // 4), third, 3, 2, lif="downsample3.encode_lif")
    for depth in range(_DEPTHS["block3"]):
        yield from _transformer_block(f"block3.{depth}", third, side // 8, fused)
    yield _row("downsample4.encode_conv", (third, side // 8), fourth, 3, 1, lif="downsample4.encode_lif")
    for depth in range(_DEPTHS["block4"]):
        yield from _transformer_block(f"block4.{depth}", fourth, side // 8, fused)
    yield _row("head", (fourth, 1), CLASSES, kind="linear", lif="lif")


def _conv_block(path: str, channels: int, side: int, fused: bool) -> Iterator[Row]:
    wide = 2 * channels
    yield _row(f"{path}.Conv.pwconv1", (channels, side), wide, lif=f"{path}.Conv.lif1")
    if fused:
        yield _row(f"{path}.Conv.pwconv2", (wide, side), channels, 7, lif=f"{path}.Conv.lif2")
    else:
        depthwise: Row = {"groups": wide, "lif": f"{path}.Conv.lif2", "constants": False}
        yield _row(f"{path}.Conv.dwconv", (wide, side), wide, 7, **depthwise)
        yield _row(f"{path}.Conv.pwconv2", (wide, side), channels, **_MULTIBIT)
    yield _row(f"{path}.conv1", (channels, side), 4 * channels, 3, lif=f"{path}.lif1")
    yield _row(f"{path}.conv2", (4 * channels, side), channels, 3, lif=f"{path}.lif2")


def _transformer_block(path: str, channels: int, side: int, fused: bool) -> Iterator[Row]:
    attention = f"{path}.attn"
    for matrix in "qkv":
        lif = f"{attention}.head_lif" if matrix == "q" else ""
        yield from _rep_conv(f"{attention}.{matrix}_conv.0", channels, side, lif, fused)
    yield _product(f"{attention}.kv", channels, side, (f"{attention}.k_lif", f"{attention}.v_lif"))
    yield _product(f"{attention}.qkv", channels, side, (f"{attention}.q_lif",))
    yield from _rep_conv(f"{attention}.proj_conv.0", channels, side, f"{attention}.attn_lif", fused)
    yield _row(f"{path}.mlp.fc1_conv", (channels, side), 4 * channels, lif=f"{path}.mlp.fc1_lif")
    yield _row(f"{path}.mlp.fc2_conv", (4 * channels, side), channels, lif=f"{path}.mlp.fc2_lif")


def _rep_conv(path: str, channels: int, side: int, lif: str, fused: bool) -> Iterator[Row]:
    if fused:
        yield _row(path, (channels, side), channels, 3, lif=lif)
        return
    group = path.removesuffix(".0")
    yield _row(f"{path}.body.0", (channels, side), channels, lif=lif, group=group, constants=False)
    inner: Row = _MULTIBIT | {"groups": channels, "group": group, "constants": False}
    yield _row(f"{path}.body.2.0", (channels, side), channels, 3, **inner)
    yield _row(f"{path}.body.2.1", (channels, side), channels, **_MULTIBIT, group=group)


def _product(name: str, channels: int, side: int, lifs: tuple[str, ...]) -> Row:
    """K^T V sums over the tokens, Q (K^T V) over the channels of a head."""
    size, tokens = channels // HEADS, side * side
    outer = name.endswith(".kv")
    row = _row(name, (channels, side), channels, kind="attention", lif=";".join(lifs), constants=False)
    return row | {
        "groups": HEADS,
        "weights": 0,
        "out_height": 1 if outer else side,
        "out_width": size if outer else side,
        "fan_in": tokens if outer else size,
        "macs": channels * size * tokens,
        "neurons": len(lifs) * channels * tokens,
    }
