"""The work of rows at given widths: what is stored, added and multiplied, and what the datapath makes of it."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costmodels import datapaths
from costmodels.equations.array import Array, rereads, utilisation
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Load, Operands, Switching
from costmodels.estimation.request import Request, RowInputs
from costmodels.widths import FLOAT
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=16)
def containers(weight_widths: tuple[int, ...]) -> FloatArray:
    """The stored width of each asked width 0..32: the next wider one that the chip has; itself where there is none."""
    stored = np.arange(FLOAT + 1, dtype=np.float64)
    for asked in range(1, FLOAT + 1):
        wide = [w for w in weight_widths if w >= asked]
        stored[asked] = min(wide) if wide and (asked < FLOAT) else asked
    stored.setflags(write=False)
    return stored


def load_of(asked: Request, rows: RowInputs) -> Load:
    """The work of one inference at given widths and activity, (..., R).

    Without state_bits rows keep potentials at the chip's width, and at 32 bit where their weights are float. Where the
    chip adds levels, an input of k counts as k spikes.
    """
    work, hardware, asked_bits, state_bits = asked.workload, asked.hardware, rows.weight_bits, rows.state_bits
    chip, shape, column, activity = rows.chip, work.geometry, work.columns, rows.activity
    is_float, whole_bits = asked_bits >= FLOAT, asked_bits.astype(np.intp)
    stored = containers(hardware.weight_widths)[whole_bits]
    if state_bits is None:
        state_bits = np.where(is_float, float(FLOAT), chip.state_bits)
    states = np.broadcast_to(state_bits, np.broadcast_shapes(np.shape(state_bits), asked_bits.shape))
    inputs = _input_bits(work, rows)
    input_bits = np.where(is_float & shape.multiplies, float(FLOAT), inputs)
    added = (column["level"] > 0) & chip.adds_levels
    operands = operands_of(work, chip, stored, Inputs(input_bits, states, added, is_float))
    dense = column["macs"] * work.time_steps
    nonzero = work.nonzero_at[np.arange(work.rows), whole_bits] if chip.skips_zeros else np.ones(work.rows)
    synops = _operations(work, rows, dense)
    happen = synops * nonzero
    density = np.divide(happen, dense, out=np.ones_like(happen * dense), where=dense > 0)
    measured = rows.sum_bits
    busy, reads = _of_array(work, Array(chip.array_positions, chip.array_channels))
    return Load(
        geometry=shape,
        macs=column["macs"],
        weights=column["weights"],
        neurons=column["neurons"],
        time_steps=float(work.time_steps),
        spikes=activity.spikes,
        lif_spikes=activity.lif_spikes,
        synops=synops * np.where(added, column["level"], 1.0),
        weight_bits=stored,
        state_bits=states,
        input_bits=input_bits,
        buffered_bits=inputs,
        sum_bits=operands.sums,
        is_float=is_float,
        utilisation=busy,
        rereads=reads,
        multiplies=operands.multiplies,
        leak_bits=column["leak_bits"],
        stream_elements=work.shortcuts.elements_at,
        stream_bits=stream_bits_at(work, rows),
        product_share=column["product_share"],
        product_sums_share=column["product_sums_share"],
        nonzero=nonzero,
        idle_steps=float(work.rows - 1),
        needed_sum_bits=operands.needed if measured is None else np.where(measured > 0, measured, operands.needed),
        switching=reduced(switching(operands, chip, is_float), operands, chip, density),
    )


def _input_bits(work: Workload, rows: RowInputs) -> FloatArray:
    """The width of one input element: the table's, or for numbers that are multiplied the one asked for."""
    inputs, shape = work.columns["input_bits"], work.geometry
    if rows.activation_bits is None:
        return inputs
    return np.where(shape.multiplies & ~shape.image, rows.activation_bits, inputs)


def _operations(work: Workload, rows: RowInputs, dense: FloatArray) -> FloatArray:
    """The synaptic operations of every row; `dense` are those of a network whose inputs are never zero."""
    shape, activity = work.geometry, rows.activity
    if not rows.chip.adds_attention_zeros:
        return activity.synops
    every = np.minimum(activity.spikes * shape.fan_out, dense)  # each spike meets all of its row of the other operand
    return np.where(shape.attention, every, activity.synops)


def held_bits(work: Workload, rows: RowInputs) -> FloatArray:
    """Bits of every held sum of residual streams per step, (..., A)."""
    given = rows.stream_bits
    return work.shortcuts.table_bits if given is None else work.shortcuts.elements * given


def stream_bits_at(work: Workload, rows: RowInputs) -> FloatArray:
    """The same at the rows whose results are added, (..., R)."""
    if rows.stream_bits is None:
        return work.shortcuts.table_bits_at
    return work.shortcuts.at_rows(held_bits(work, rows))


@lru_cache(maxsize=16)
def _of_array(work: Workload, array: Array) -> tuple[FloatArray, FloatArray]:
    """Utilisation and rereads of every row, (R,); by the measured balance, and once, where the chip has no array."""
    if not array.positions:
        return work.columns["balance"], np.ones(work.rows)
    return utilisation(work.columns, array), rereads(work.columns, array)


class Inputs(NamedTuple):
    """Widths of inputs and potentials [bit], and which rows add their levels or are float; each (..., R)."""

    bits: FloatArray
    states: FloatArray
    added: NDArray[np.bool_]
    is_float: NDArray[np.bool_]


def operands_of(work: Workload, chip: Chip, stored: FloatArray, given: Inputs) -> Operands:
    """The operands of every row, and eq. 33, the accumulators: what fan_in products can need, at most the chip's.

    A product of b-bit weights (or operands of attention) with a spike has b bits, with an n-bit input b + n; a sum of F
    of them ceil(log2 F) more, of F levels up to D that are added ceil(log2(F D)). Where it is fixed, its full width.
    """
    shape, column = work.geometry, work.columns
    multiplies = shape.multiplies & ~given.added
    weights = np.where(shape.attention, shape.operand_bits, stored)
    growth = np.ceil(shape.log_fan_in + np.where(given.added, np.log2(column["largest"]), 0.0))
    needed = weights + np.where(multiplies, given.bits, 0.0) + growth
    capped = np.minimum(needed, chip.accumulator_bits)
    width = capped if chip.accumulator_grows else np.full_like(capped, chip.accumulator_bits)
    return Operands(
        weights=weights,
        inputs=np.where(multiplies, given.bits, 1.0),
        sums=np.where(given.is_float, float(FLOAT), width),
        needed=needed,
        states=given.states,
        growth=growth,
        multiplies=multiplies,
        attention=shape.attention,
    )


def reduced(unit: Switching, operands: Operands, chip: Chip, density: FloatArray) -> Switching:
    """Eq. 84: what an operation switches behind an adder tree of g inputs, whose register is written once for all.

    Level j = 1 .. log2 g adds pairs of sums with 2^(j-1) inputs each, in widths that grow by a bit per level; an adder
    switches where one of its 2^j inputs is not zero, which `density` (..., R) says if inputs are independent.
    """
    inputs = chip.reduction_inputs
    if inputs <= 1:
        return unit
    share = np.clip(density, 1e-12, 1.0)
    leaf = np.maximum(unit.add_bits - operands.growth, 1.0)
    tree = np.zeros(())
    for level in range(1, int(np.log2(inputs)) + 1):
        tree = tree + (1 - (1 - share) ** (2.0**level)) / 2.0**level * (leaf + level)
    written = (1 - (1 - share) ** inputs) / inputs / share
    return replace(unit, add_bits=tree / share + written * unit.add_bits, register_bits=written * unit.register_bits)


def switching(operands: Operands, chip: Chip, is_float: NDArray[np.bool_]) -> Switching:
    """What the chip's datapath switches; float rows have units of their own, whatever the datapath."""
    form = datapaths.named(chip.datapath).switching(operands, chip)
    if chip.datapath == "ideal" or not np.any(is_float):
        return form
    own = datapaths.named("ideal").switching(operands, chip)
    return Switching(*(np.where(is_float, getattr(own, f.name), getattr(form, f.name)) for f in fields(Switching)))
