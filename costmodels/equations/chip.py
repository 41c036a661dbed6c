"""The numbers of an accelerator in SI units, as the equations read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

DRAM_BURST = 512.0
"""Bits that DRAM transfers at once where a file does not say: 16 beats of 32 bit (LPDDR4, JESD209-4)."""
STREAM_BUFFER = 64.0 * 1024 * 8
"""Bits of the weight memory that weights stream through where a file does not say: a design choice."""


@dataclass(frozen=True)
class Port:
    """An on-chip memory: capacity and port width [bit], energy per word [J], leakage [W], area [mm2], cycle [s].

    A memory that the chip does not have is unbounded and costs nothing; data flows that read one name it as required.
    """

    size: float = math.inf
    word: float = 64.0
    banks: float = 1.0
    read: float = 0.0
    write: float = 0.0
    leakage: float = 0.0
    area: float = 0.0
    cycle: float = 0.0

    def words_per_second(self, clock: float) -> float:
        """Accesses per second of all banks: a bank takes one per clock, or per own cycle where that is longer."""
        if isinstance(self.cycle, float) and isinstance(clock, float):
            return self.banks * (min(clock, 1.0 / self.cycle) if self.cycle > 0 else clock)
        pace: float = np.minimum(clock, 1.0 / self.cycle) if np.all(self.cycle > 0) else clock
        return self.banks * pace


def _constant(key: str, absent: float | None = None) -> Any:
    """A field that is the constant `key` of a hardware file, and `absent` where the file has none."""
    return field(metadata={"key": key, "absent": absent})


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One accelerator; energies in J, rates in 1/s, times in s, powers in W, sizes and widths in bit.

    A field names the dotted key of the hardware file that it comes from; what a file leaves out costs nothing.
    Where several chips are costed at once, numbers are arrays (see costmodels.equations.chips).
    """

    clock: float = _constant("clock")
    processing_elements: float = _constant("processing_elements")
    array_positions: float = _constant("geometry.positions", 0.0)
    array_channels: float = _constant("geometry.channels", 0.0)
    tile_positions: float = _constant("tile_positions", 1.0)
    cores: float = _constant("cores", 1.0)
    neurons_per_core: float = _constant("neurons_per_core", math.inf)
    spike_group: float = _constant("spike_group", 1.0)
    synchronisation: float = _constant("synchronisation", 0.0)
    logic_leakage: float = _constant("logic_leakage")
    idle_per_cycle: float = _constant("idle_per_cycle", 0.0)
    element_area: float = _constant("element_area", 0.0)
    register_area: float = _constant("register_area", 0.0)
    clock_per_area: float = _constant("clock_per_area", 0.0)
    wire: float = _constant("wire", 0.0)
    frame_rate: float = _constant("frame_rate")
    state_bits: float = _constant("widths.state")
    scale_bits: float = _constant("widths.scale")
    bias_bits: float = _constant("widths.bias")
    accumulator_bits: float = _constant("compute.accumulator_bits")
    accumulator_grows: bool
    datapath: str = "ideal"
    unit_weight_bits: float = _constant("compute.datapath.weight_bits", math.inf)
    unit_input_bits: float = _constant("compute.datapath.input_bits", math.inf)
    unit_smallest_bits: float = _constant("compute.datapath.smallest_bits", 1.0)
    serial_lanes: float = _constant("compute.datapath.lanes", 1.0)
    adds_levels: bool = False
    sums_in_potentials: bool = False
    skips_zeros: bool = False
    adds_attention_zeros: bool = False
    image_once: bool = False
    gates_clock: bool = False
    reduction_inputs: float = _constant("compute.reduction_inputs", 1.0)
    add_per_bit: float = _constant("compute.add_per_bit", 0.0)
    multiply_per_bit2: float = _constant("compute.multiply_per_bit2", 0.0)
    multiply_per_bit: float = _constant("compute.multiply_per_bit", 0.0)
    float_add: float = _constant("compute.float_add", 0.0)
    float_multiply: float = _constant("compute.float_multiply", 0.0)
    register_per_bit: float = _constant("compute.register_per_bit", 0.0)
    control_factor: float = _constant("compute.control_factor", 1.0)
    control_per_operation: float = _constant("compute.control_per_operation", 0.0)
    fixed_operations: bool
    accumulate: float = _constant("compute.accumulate", 0.0)
    accumulate_convolution: float
    multiply_accumulate: float = _constant("compute.multiply_accumulate", 0.0)
    fixed_neuron: bool
    neuron_access: float = _constant("neuron.access", 0.0)
    neuron_update: float = _constant("neuron.update", 0.0)
    neuron_spike: float = _constant("neuron.spike", 0.0)
    weights: Port
    states: Port
    spikes: Port
    has_dram: bool
    dram_energy: float = _constant("dram.energy", 0.0)
    dram_bandwidth: float = _constant("dram.bandwidth", math.inf)
    dram_burst: float = _constant("dram.burst", DRAM_BURST)
    dram_background: float = _constant("dram.background", 0.0)
    stream_buffer: float = _constant("dram.buffer", STREAM_BUFFER)
    pins: bool = True
    hop: float = _constant("noc.hop", 0.0)
    message: float = _constant("noc.message", 0.0)
    hops: float = _constant("noc.hops", 0.0)
    packet_rate: float = _constant("noc.rate", math.inf)

    @cached_property
    def leakage(self) -> float:
        """Power that flows during an inference beside that of its actions [W]: leakage, clock, and DRAM."""
        memories = self.weights.leakage + self.states.leakage + self.spikes.leakage
        return self.clock_power + self.dram_background + (self.logic_leakage + memories)

    @cached_property
    def clock_power(self) -> float:
        """Power of clock and idle logic while the clock runs [W]."""
        return (self.idle_per_cycle + self.clock_per_area * self.logic_area) * self.clock

    @property
    def gated_power(self) -> float:
        """Eq. 68: the part of `leakage` that stops between inferences [W]: the clock's where it is gated."""
        return self.clock_power if self.gates_clock else 0.0

    @property
    def area(self) -> float:
        """Area of memories and logic [mm2]."""
        return self.memory_area + self.logic_area

    @property
    def register_bits(self) -> float:
        """Eq. 66: bits of registers: a sum and a potential for every element, and for every position of a tile."""
        sums: float = np.maximum(self.processing_elements, self.tile_positions * max(1.0, self.array_channels))
        return sums * (self.accumulator_bits + self.state_bits)

    @cached_property
    def logic_area(self) -> float:
        """Eq. 66: area of processing elements and registers [mm2]."""
        return self.processing_elements * self.element_area + self.register_bits * self.register_area

    def wire_length(self, memory: Port) -> float:
        """Eq. 67: mean way from a word of a memory to an element [mm]: half the side of the memory and of the logic."""
        return (math.sqrt(memory.area) + math.sqrt(self.logic_area)) / 2

    @property
    def memory_area(self) -> float:
        """Area of the on-chip memories [mm2]."""
        return self.weights.area + self.states.area + self.spikes.area


def chip_of(
    value: Mapping[str, float],
    accumulator_grows: bool,
    datapath: str = "ideal",
    choices: Mapping[str, bool] | None = None,
) -> Chip:
    """The chip whose constants are `value` by dotted key, with what is no number: the datapath, and by the names of
    `Chip` what is a choice.
    """
    constants: dict[str, Any] = {}
    for each in fields(Chip):
        if "key" in each.metadata:
            key, absent = each.metadata["key"], each.metadata["absent"]
            constants[each.name] = value[key] if absent is None else value.get(key, absent)
    chip = Chip(
        **constants,
        accumulator_grows=accumulator_grows,
        datapath=datapath,
        **(choices or {}),
        fixed_operations="compute.accumulate" in value,
        accumulate_convolution=value.get("compute.accumulate_convolution", constants["accumulate"]),
        fixed_neuron="neuron.access" in value,
        weights=_port("weights", value),
        states=_port("states", value),
        spikes=_port("spikes", value),
        has_dram="dram.energy" in value,
    )
    if not chip.wire:
        return chip
    weights, states, spikes = (_wired(chip, memory) for memory in (chip.weights, chip.states, chip.spikes))
    return replace(chip, weights=weights, states=states, spikes=spikes)


def _wired(chip: Chip, memory: Port) -> Port:
    """A memory whose reads and writes go through the wires to the processing elements (eq. 67)."""
    way = memory.word * chip.wire * chip.wire_length(memory)
    return replace(memory, read=memory.read + way, write=memory.write + way)


def _port(memory: str, value: Mapping[str, float]) -> Port:
    prefix = f"memories.{memory}."
    return Port(**{key.removeprefix(prefix): v for key, v in value.items() if key.startswith(prefix)})
