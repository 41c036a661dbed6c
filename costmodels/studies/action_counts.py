"""Every action behind a design's energy by layer and component, for tools that price them (Accelergy, HWComponents)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.equations.energy import NEURON_ADDITIONS
from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.gather import gather
from costmodels.estimation.request import request
from costmodels.estimation.row_costs import SUMMED, row_costs, work_of
from costmodels.estimation.spread import Spread, spread
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

    from costmodels.equations.counts import Counts, Load

FloatArray = NDArray[np.float64]
Counted = Iterator[tuple[tuple[str, str], FloatArray]]

CONTROL = "compute.control_per_operation"
PRICES = {
    ("weight_memory", "read"): "memories.weights.read",
    ("weight_memory", "write"): "memories.weights.write",
    ("weight_memory", "leak_second"): "memories.weights.leakage",
    ("state_memory", "read"): "memories.states.read",
    ("state_memory", "write"): "memories.states.write",
    ("state_memory", "leak_second"): "memories.states.leakage",
    ("spike_memory", "read"): "memories.spikes.read",
    ("spike_memory", "write"): "memories.spikes.write",
    ("spike_memory", "leak_second"): "memories.spikes.leakage",
    ("register", "write_bit"): "compute.register_per_bit",
    ("adder", "add_bit"): "compute.add_per_bit",
    ("multiplier", "multiply_bit2"): "compute.multiply_per_bit2",
    ("multiplier", "operand_bit"): "compute.multiply_per_bit",
    ("synapse", "accumulate"): "compute.accumulate",
    ("synapse", "accumulate_convolution"): "compute.accumulate_convolution",
    ("synapse", "multiply_accumulate"): "compute.multiply_accumulate",
    ("neuron", "access"): "neuron.access",
    ("neuron", "update"): "neuron.update",
    ("neuron", "spike"): "neuron.spike",
    ("control", "operation"): CONTROL,
    ("network", "packet"): "noc.message",
    ("network", "hop"): "noc.hop",
    ("wire", "bit_mm"): "wire",
    ("dram", "transfer_bit"): "dram.energy",
    ("dram", "leak_second"): "dram.background",
    ("logic", "leak_second"): "logic_leakage",
    ("clock", "cycle"): "idle_per_cycle",
    ("clock", "cycle_mm2"): "clock_per_area",
}
"""The constant of a hardware file that prices an action of a component."""
PER_BIT = ("compute.register_per_bit", "compute.add_per_bit", "compute.multiply_per_bit", "dram.energy")
FACTOR = "compute.control_factor"


def action_counts(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> pd.DataFrame:
    """One design's actions per inference, one row per layer, component and action that happens.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`, with integer weights

    Columns: layer, component, action, count, `constant` (the hardware file's key that prices it), `energy_pj` (of one
    action on this chip): over all rows, count x energy_pj is the energy that `estimate` gives. Actions of memories are
    words; those of register, adder and DRAM bits; of the multiplier products of widths, and means of them; leakage has
    seconds, and clock and idle logic cycles. Where the chip multiplies its arithmetic for control, `energy_pj` of
    control is the mean of the layer. Raises CostError for float rows.
    """
    import pandas as pd

    asked = request(workload, hardware, Designs.of(design), None)
    inputs = asked.only("action counts are")
    load, counts, _ = work_of(asked, inputs)
    if np.any(load.is_float):
        raise CostError("action counts are of integer weights; leave out layers with 32 bits")
    costs = row_costs(asked, inputs)
    whole = spread(asked, costs, gather(asked, SUMMED))
    prices = {key: constant.value for key, constant in hardware.table.items()}
    shape = (asked.workload.rows,)
    rows = []
    operations = counts.additions + counts.multiplications + _updates(counts) + counts.stream_additions
    found = [*_arithmetic(load, counts, hardware), *_memories(counts, whole, hardware)]
    found.append((("control", "operation"), operations))
    for (component, action), values in found:
        key = PRICES[component, action]
        each = np.broadcast_to(np.asarray(values, dtype=np.float64), shape)
        price = np.full(shape, prices.get(key, 0.0))
        if key == CONTROL and FACTOR in prices:
            key, control = FACTOR, np.broadcast_to(costs.columns["control"], shape)
            price = np.divide(control, each, out=np.zeros(shape), where=each > 0)
        if key not in prices:
            continue
        for place in np.flatnonzero(each):
            row: dict[str, Any] = {"layer": workload.names[place], "component": component, "action": action}
            rows.append(row | {"count": float(each[place]), "constant": key, "energy_pj": float(price[place]) * 1e12})
    order = {name: place for place, name in enumerate(workload.names)}
    table = pd.DataFrame(rows)
    return table.sort_values("layer", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _arithmetic(load: Load, counts: Counts, hardware: Hardware) -> Counted:
    """Operations, neurons and the network with how often they happen in each row, (R,)."""
    chip, unit = hardware.chip, load.switching
    if chip.fixed_operations:
        own = load.geometry.convolution & ("compute.accumulate_convolution" in hardware.table)
        yield ("synapse", "accumulate"), np.where(own, 0.0, counts.additions) + counts.stream_additions
        yield ("synapse", "accumulate_convolution"), np.where(own, counts.additions, 0.0)
        yield ("synapse", "multiply_accumulate"), counts.multiplications
    updates = _updates(counts)
    leaks = np.where(load.leak_bits > 0, updates, 0.0)
    steps = np.zeros_like(leaks) if chip.fixed_neuron else updates
    if chip.fixed_neuron:
        leaks = np.zeros_like(leaks)
        yield ("neuron", "access"), updates
        yield ("neuron", "update"), updates
        yield ("neuron", "spike"), np.where(updates > 0, load.lif_spikes, 0.0)
    added = steps * NEURON_ADDITIONS * unit.neuron_bits - leaks * unit.neuron_bits
    squares, means = leaks * unit.neuron_bits * load.leak_bits, leaks * (unit.neuron_bits + load.leak_bits) / 2
    if not chip.fixed_operations:
        operations = counts.additions + counts.multiplications
        added = added + operations * unit.add_bits + counts.stream_bit_additions + counts.rescales * load.sum_bits
        squares = squares + counts.multiplications * unit.product_bits2
        squares = squares + counts.rescales * load.sum_bits * chip.scale_bits
        means = means + counts.multiplications * unit.product_bits
        means = means + counts.rescales * (load.sum_bits + chip.scale_bits) / 2
    yield ("adder", "add_bit"), added
    yield ("multiplier", "multiply_bit2"), squares
    yield ("multiplier", "operand_bit"), means
    yield ("register", "write_bit"), counts.register_bits
    yield ("network", "packet"), counts.packets
    yield ("network", "hop"), counts.packets * chip.hops


def _updates(counts: Counts) -> FloatArray:
    """Updates of neurons, in steps in which only other rows are at work included, (R,)."""
    return counts.neuron_steps + counts.idle_neuron_steps


def _memories(counts: Counts, whole: Spread, hardware: Hardware) -> Counted:
    """Accesses of memories and DRAM, and the time during which everything leaks, in each row, (R,)."""
    chip = hardware.chip
    in_states = counts.sum_words + counts.state_words + counts.idle_state_words + counts.stream_state_words
    accesses = {
        ("weight_memory", "read"): (chip.weights, counts.weight_words),
        ("weight_memory", "write"): (chip.weights, whole.fetched_bits / chip.weights.word),
        ("state_memory", "read"): (chip.states, in_states),
        ("state_memory", "write"): (chip.states, in_states),
        ("spike_memory", "read"): (chip.spikes, counts.spike_words_read + counts.stream_words + whole.reread_words),
        ("spike_memory", "write"): (chip.spikes, counts.spike_words_written + counts.stream_words),
    }
    yield from ((action, words) for action, (_, words) in accesses.items())
    ways = (words * memory.word * chip.wire_length(memory) for memory, words in accesses.values())
    yield ("wire", "bit_mm"), np.asarray(sum(ways))
    yield ("dram", "transfer_bit"), whole.fetched_bits + whole.spilled_bits
    for component in ("weight_memory", "state_memory", "spike_memory", "dram", "logic"):
        yield (component, "leak_second"), whole.seconds
    yield ("clock", "cycle"), whole.seconds * chip.clock
    yield ("clock", "cycle_mm2"), whole.seconds * chip.clock * chip.logic_area


def accelergy(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Action counts of designs in the form of Accelergy's input files: components are DESIGN.LAYER.COMPONENT.

    tables  what `action_counts` gives, by the name of the design
    """
    local = [
        {
            "name": f"{design}.{layer}.{component}",
            "action_counts": [{"name": row["action"], "counts": row["count"]} for row in part.to_dict("records")],
        }
        for design, table in tables.items()
        for (layer, component), part in table.groupby(["layer", "component"], sort=False)
    ]
    return {"action_counts": {"version": "0.4", "local": local}}
