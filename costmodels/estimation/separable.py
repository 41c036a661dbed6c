"""Additive cost tables per layer and width, with which a search bounds and ranks designs without costing each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations import energy
from costmodels.equations.chip import Chip
from costmodels.equations.streaming import exposed
from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import buffer_of, row_costs
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SeparableTables:
    """quantity(design) = offsets[quantity] + sum over layers of tables[quantity][layer, option of the layer].

    So it is to the last digits where `below` and `above` are 0; otherwise the cost lies at most `below` under and
    `above` over the sum (eq. 86). They are not 0 only where weights stream, or own sums and event queues spill.

    layers   the L rows with weights
    tables   (L, B): memory_bytes and weight_bytes [byte], energy_j and dynamic_j [J], latency_s [s], power_w [W];
             without latency_s and energy_j on pipelined data flows, where the slowest rows set the time
    offsets  what does not depend on weight widths, in the same units
    below, above  by quantity, in the same units
    """

    layers: tuple[str, ...]
    tables: Mapping[str, FloatArray]
    offsets: Mapping[str, float]
    below: Mapping[str, float]
    above: Mapping[str, float]


def separable_tables(
    workload: Workload,
    hardware: Hardware,
    designs: Designs | ArrayLike,
    *,
    streamed: bool | None = None,
    frame_rate: float | None = None,
) -> SeparableTables:
    """Costs as additive tables: what each layer costs at each of B options for its weight width.

    workload    the layer table with the measured activity
    hardware    the chip
    designs     B designs with weight widths (B, L) and the rest in common: design b gives layer l its option b
    streamed    whether the weights are fetched from DRAM; default: they are, unless the widest options all fit
    frame_rate  inferences per second; default: the hardware file's
    """
    asked = request(workload, hardware, Designs.of(designs), frame_rate)
    if asked.nothing_in_common:
        raise CostError("separable tables need one activity and one width of numbers between layers for all designs")
    work = asked.workload
    costs = row_costs(asked, asked.rows(slice(0, asked.designs)))
    shape = (asked.designs, work.rows)
    column = {name: np.broadcast_to(values, shape) for name, values in costs.columns.items()}
    largest = column["stored_bits"].max(0).sum()
    fetches = bool(np.any(column["fetched_bits"] > 0))
    side = fetches and bool(largest > hardware.chip.weights.size) if streamed is None else streamed
    tables, offsets = _quantities(asked, column, float(costs.buffer_bits.max()), side)
    below, above = _bounds(asked, column, tables) if side else ({}, {})
    if dataflows.named(hardware.dataflow).PIPELINED:
        below |= {name: below.get(name, 0.0) + less for name, less in _less_spill(asked, column).items()}
    without = np.setdiff1d(np.arange(work.rows), work.weight_rows)
    return SeparableTables(
        layers=work.weight_layers,
        tables={name: np.ascontiguousarray(values[:, work.weight_rows].T) for name, values in tables.items()},
        offsets={name: offsets[name] + float(values[0, without].sum()) for name, values in tables.items()},
        below=dict.fromkeys(tables, 0.0) | below,
        above=dict.fromkeys(tables, 0.0) | above,
    )


def _bounds(
    asked: Request, column: Mapping[str, FloatArray], tables: Mapping[str, FloatArray]
) -> tuple[dict[str, float], dict[str, float]]:
    """Eq. 86: how far the costs of designs whose weights stream may lie under and over the sums of the tables.

    The sums leave out that bursts are whole. Where some weights are pinned, they also take the whole buffer from these,
    though a small excess takes only as much as itself, leave out that inputs are read again, and take as long as if all
    weights were fetched.
    """
    chip, buffer = asked.hardware.chip, buffer_of(asked, asked.chip)
    least = float(column["stored_bits"].min(0).sum()) - chip.weights.size
    joule = float(column["fetched_bits"].sum() / column["stored_bits"].sum()) * energy.fetch_per_bit(chip)
    pins = float(chip.pins)
    below = {"dynamic_j": pins * max(0.0, buffer - max(0.0, least)) * joule}
    above = {"dynamic_j": chip.dram_burst * joule + pins * float(column["reread_j"].max(0).sum())}
    below["power_w"], above["power_w"] = (each["dynamic_j"] * asked.frame_rate for each in (below, above))
    if "latency_s" in tables:
        below["latency_s"] = pins * float(
            (column["reread_s"] + exposed(chip, column["fetched_bits"], column["hidden_bits"])).max(0).sum()
        )
        below["energy_j"] = below["dynamic_j"] + chip.leakage * below["latency_s"]
        below["power_w"] += chip.gated_power * asked.frame_rate * below["latency_s"]
        above["energy_j"] = above["dynamic_j"]
    return below, above


def _less_spill(asked: Request, column: Mapping[str, FloatArray]) -> dict[str, float]:
    """Eq. 86: how much less narrow weights on fewer cores make own sums and queues spill than the widest do.

    Only pipelined data flows keep what depends on the weights' width outside the weight memory.
    """
    chip = asked.hardware.chip
    bits = 2 * asked.workload.time_steps * (_spilled(chip, column, np.max) - _spilled(chip, column, np.min))
    dynamic = bits * chip.dram_energy
    return {"dynamic_j": dynamic, "power_w": dynamic * asked.frame_rate}


def _spilled(chip: Chip, column: Mapping[str, FloatArray], pick: Callable[..., FloatArray]) -> float:
    """Bits of potentials, own sums and queues beyond their memories in every step, at the options that `pick` says."""
    places = (("state_bits", chip.states.size), ("queue_bits", chip.spikes.size))
    return sum(max(0.0, float(pick(column[name], axis=0).sum()) - size) for name, size in places)


def _quantities(
    asked: Request, column: Mapping[str, FloatArray], buffer_bits: float, streamed: bool
) -> tuple[dict[str, FloatArray], dict[str, float]]:
    """Every quantity per option and row, (B, R), and what it is beside its rows."""
    chip, flow, steps = asked.hardware.chip, dataflows.named(asked.hardware.dataflow), asked.workload.time_steps
    spill = 2 * steps * _spilled(chip, column, np.max)
    dynamic, pinned = column["dynamic"], 0.0
    if streamed:
        per_bit = energy.fetch_per_bit(chip)
        dynamic = dynamic + column["fetched_bits"] * per_bit + (0.0 if chip.pins else column["reread_j"])
        fetches = float(column["fetched_bits"].sum() / column["stored_bits"].sum())
        pinned = (chip.weights.size - buffer_of(asked, asked.chip)) * fetches * per_bit if chip.pins else 0.0
    tables = {"memory_bytes": column["bytes"], "weight_bytes": column["stored_bits"] / 8, "dynamic_j": dynamic}
    offsets = {"memory_bytes": buffer_bits / 8, "weight_bytes": 0.0, "dynamic_j": spill * chip.dram_energy - pinned}
    tables["power_w"] = dynamic * asked.frame_rate
    offsets["power_w"] = offsets["dynamic_j"] * asked.frame_rate + chip.leakage - chip.gated_power
    if not flow.PIPELINED:
        tables["latency_s"] = column["time_resident"]
        if streamed:
            waits = exposed(chip, column["fetched_bits"], column["hidden_bits"])
            tables["latency_s"] = tables["latency_s"] + waits + column["reread_s"]
        offsets["latency_s"] = steps * chip.synchronisation + spill / chip.dram_bandwidth
        tables["energy_j"] = dynamic + chip.leakage * tables["latency_s"]
        offsets["energy_j"] = offsets["dynamic_j"] + chip.leakage * offsets["latency_s"]
        tables["power_w"] = tables["power_w"] + chip.gated_power * asked.frame_rate * tables["latency_s"]
        offsets["power_w"] += chip.gated_power * asked.frame_rate * offsets["latency_s"]
    return tables, offsets
