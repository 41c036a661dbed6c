"""Shapes of rows that every data flow needs, computed once per workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Columns of shape (R,).

    `weight_run`: weights that lie side by side and are read together for one input: all output channels of one kernel
    tap, or the whole kernel of one channel in a depthwise convolution. `sum_run`: the same for the accumulators that
    one input touches: all channels of one output pixel, or one kernel row of a depthwise map. `fan_out`: outputs per
    input element, borders included. `operand_bits`: width of the second operand of an attention product.
    `log_fan_in`: ceil(log2(fan_in)), the bits by which a sum grows. `address_bits`: width of an address event.
    `line_elements`: inputs in as many rows of the map as the kernel is high. `image`: multi-bit rows before the first
    spiking one.
    """

    in_elements: FloatArray
    line_elements: FloatArray
    out_elements: FloatArray
    positions: FloatArray
    weight_run: FloatArray
    sum_run: FloatArray
    fan_out: FloatArray
    operand_bits: FloatArray
    log_fan_in: FloatArray
    address_bits: FloatArray
    neuron_address_bits: FloatArray
    attention: BoolArray
    multibit: BoolArray
    multiplies: BoolArray
    convolution: BoolArray
    has_weights: BoolArray
    writes_input: BoolArray
    image: BoolArray


def _bits(count: FloatArray) -> FloatArray:
    """ceil(log2(count)), at least 1: the width of an index into `count` things."""
    return np.maximum(1.0, np.ceil(np.log2(np.maximum(count, 1.0))))


def geometry(
    texts: Mapping[str, tuple[str, ...]], columns: Mapping[str, FloatArray], shares_input: tuple[bool, ...]
) -> Geometry:
    """The geometry of a checked layer table; `shares_input` marks rows whose multi-bit input another row writes."""
    kind = np.array(texts["kind"])
    attention, depthwise = kind == "attention", kind == "depthwise"
    multibit = np.array(texts["input"]) == "multibit"
    inputs = columns["in_channels"] * columns["in_height"] * columns["in_width"]
    positions = columns["out_height"] * columns["out_width"]
    fan_out = columns["macs"] / inputs
    per_group = columns["out_channels"] / columns["groups"]
    spiking_before = np.cumsum(~multibit) > 0
    operand = columns["input_bits"].copy()
    for row in np.flatnonzero(attention[1:] & attention[:-1]) + 1:  # Q (K^T V): the counts of the product before it
        operand[row] = max(operand[row], float(_bits(columns["fan_in"][row - 1 : row] + 1)[0]))
    return Geometry(
        in_elements=inputs,
        line_elements=columns["in_channels"]
        * columns["in_width"]
        * np.minimum(columns["kernel"], columns["in_height"]),
        out_elements=columns["out_channels"] * positions,
        positions=positions,
        weight_run=np.where(depthwise, columns["kernel"] ** 2, np.where(attention, np.ceil(fan_out), per_group)),
        sum_run=np.where(depthwise, columns["kernel"], np.where(attention, np.ceil(fan_out), per_group)),
        fan_out=fan_out,
        operand_bits=operand,
        log_fan_in=np.ceil(np.log2(np.maximum(columns["fan_in"], 1.0))),
        address_bits=_bits(inputs),
        neuron_address_bits=_bits(columns["neurons"]),
        attention=attention,
        multibit=multibit,
        multiplies=multibit,
        convolution=(kind == "conv") | depthwise,
        has_weights=columns["weights"] > 0,
        writes_input=multibit & ~np.array(shares_input, dtype=bool),
        image=multibit & ~spiking_before,
    )
