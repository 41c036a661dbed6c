"""Shapes of rows that every data flow needs, computed once per workload."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Shapes of the R rows, each (R,).

    in_elements          elements of the input, all channels
    line_elements        inputs in as many rows of the map as the kernel is high
    out_elements         elements of the output, all channels
    positions            output positions: pixels or tokens
    weight_run           weights that lie side by side and are read together for one input: all output channels of one
                         kernel tap, or the whole kernel of one channel in a depthwise convolution
    sum_run              accumulators that one input touches side by side: all channels of one output pixel, or one
                         kernel row of a depthwise map
    fan_out              synaptic operations per input spike, the mean over the map: at the border some taps are padding
    reach                share of the inputs that some output reads: a stride may leave the last rows of a map unread
    operand_bits         width of the second operand of an attention product [bit]
    log_fan_in           ceil(log2(fan_in)), the bits by which a sum grows
    address_bits         width of an address event of the input [bit]
    neuron_address_bits  width of an address event of the row's neurons [bit]
    attention            attention products
    two_streams          attention products of two streams of spikes
    multibit             rows with multi-bit input
    multiplies           rows whose operations are multiplications
    convolution          convolutions, depthwise or not
    has_weights          rows with weights
    written_inputs       elements of a multi-bit input that the row writes into the spike memory
    image                multi-bit rows before the first spiking one
    """

    in_elements: FloatArray
    line_elements: FloatArray
    out_elements: FloatArray
    positions: FloatArray
    weight_run: FloatArray
    sum_run: FloatArray
    fan_out: FloatArray
    reach: FloatArray
    operand_bits: FloatArray
    log_fan_in: FloatArray
    address_bits: FloatArray
    neuron_address_bits: FloatArray
    attention: BoolArray
    two_streams: BoolArray
    multibit: BoolArray
    multiplies: BoolArray
    convolution: BoolArray
    has_weights: BoolArray
    written_inputs: FloatArray
    image: BoolArray


def _bits(count: FloatArray) -> FloatArray:
    """ceil(log2(count)), at least 1: the width of an index into `count` things."""
    return np.maximum(1.0, np.ceil(np.log2(np.maximum(count, 1.0))))


def _operand_bits(columns: Mapping[str, FloatArray], attention: BoolArray) -> FloatArray:
    """Width of the second operand of attention products [bit], (R,): V for K^T V, and K^T V for Q (K^T V).

    A sum over F pairs of spikes counts to F; products of a and b bits need a + b, and a sum of F of them ceil(log2 F)
    more.
    """
    operand = columns["input_bits"].copy()
    for row in np.flatnonzero(attention[1:] & attention[:-1]) + 1:
        fan_in, first, second = columns["fan_in"][row - 1], columns["input_bits"][row - 1], operand[row - 1]
        counted = math.ceil(math.log2(fan_in + 1))
        product = counted if first == second == 1 else first + second + math.ceil(math.log2(fan_in))
        operand[row] = max(operand[row], product)
    return operand


def taps_inside(
    size: FloatArray, kernel: FloatArray, stride: FloatArray, padding: FloatArray, outputs: FloatArray
) -> FloatArray:
    """Pairs of an output position and a kernel tap along one axis whose input lies in the map, not in the padding.

    Sum over outputs o of the taps k in [0, kernel) with 0 <= o stride + k - padding < size, in closed form: the taps
    below an input position x are clip(x - o stride, 0, kernel).
    """

    def below(x: FloatArray) -> FloatArray:
        full = np.clip(np.floor((x - kernel) / stride) + 1, 0, outputs)  # outputs all of whose taps are below x
        some = np.maximum(np.clip(np.ceil(x / stride), 0, outputs), full)
        partly = (some - full) * x - stride * (some * (some - 1) - full * (full - 1)) / 2
        return np.asarray(full * kernel + partly)

    return np.asarray(below(size + padding) - below(padding))


def inside_share(columns: Mapping[str, FloatArray], attention: BoolArray) -> FloatArray:
    """Share of a row's MACs whose input is no padding, (R,); attention products have no padding."""
    share = np.ones(len(attention))
    for axis in ("height", "width"):
        outputs, kernel = columns[f"out_{axis}"], columns["kernel"]
        taps = taps_inside(columns[f"in_{axis}"], kernel, columns["stride"], columns["padding"], outputs)
        share *= np.where(attention, 1.0, taps / np.maximum(outputs * kernel, 1.0))
    return share


def reach(columns: Mapping[str, FloatArray], attention: BoolArray) -> FloatArray:
    """Share of the inputs that at least one output reads, (R,)."""
    share = np.ones(len(attention))
    kernel, stride, padding = (columns[name] for name in ("kernel", "stride", "padding"))
    for axis in ("height", "width"):
        size, outputs = columns[f"in_{axis}"], columns[f"out_{axis}"]
        apart = taps_inside(size, kernel, stride, padding, outputs)  # kernels that leave gaps share no input
        overlapping = np.minimum(size, (outputs - 1) * stride + kernel - padding)
        share *= np.where(attention, 1.0, np.where(kernel >= stride, overlapping, apart) / size)
    return share


def geometry(
    texts: Mapping[str, tuple[str, ...]], columns: Mapping[str, FloatArray], written_inputs: tuple[float, ...]
) -> Geometry:
    """The geometry of a checked layer table; `written_inputs` as in Workload."""
    kind = np.array(texts["kind"])
    attention, depthwise = kind == "attention", kind == "depthwise"
    multibit = np.array(texts["input"]) == "multibit"
    inputs = columns["in_channels"] * columns["in_height"] * columns["in_width"]
    positions = columns["out_height"] * columns["out_width"]
    per_input = columns["macs"] / inputs
    per_group = columns["out_channels"] / columns["groups"]
    spiking_before = np.cumsum(~multibit) > 0
    return Geometry(
        in_elements=inputs,
        line_elements=columns["in_channels"]
        * columns["in_width"]
        * np.minimum(columns["kernel"], columns["in_height"]),
        out_elements=columns["out_channels"] * positions,
        positions=positions,
        weight_run=np.where(depthwise, columns["kernel"] ** 2, np.where(attention, np.ceil(per_input), per_group)),
        sum_run=np.where(depthwise, columns["kernel"], np.where(attention, np.ceil(per_input), per_group)),
        fan_out=per_input * inside_share(columns, attention),
        reach=reach(columns, attention),
        operand_bits=_operand_bits(columns, attention),
        log_fan_in=np.ceil(np.log2(np.maximum(columns["fan_in"], 1.0))),
        address_bits=_bits(inputs),
        neuron_address_bits=_bits(columns["neurons"]),
        attention=attention,
        two_streams=attention & np.array([joined.count(";") == 1 for joined in texts["lif"]]),
        multibit=multibit,
        multiplies=multibit,
        convolution=(kind == "conv") | depthwise,
        has_weights=columns["weights"] > 0,
        written_inputs=np.where(multibit, written_inputs or inputs, 0.0),
        image=multibit & ~spiking_before,
    )
