"""The numbers of an accelerator in SI units, as the equations read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


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
        return self.banks * (min(clock, 1.0 / self.cycle) if self.cycle > 0 else clock)


@dataclass(frozen=True)
class Chip:
    """One accelerator; energies in J, rates in 1/s, sizes and widths in bit."""

    clock: float
    processing_elements: float
    tile_positions: float
    cores: float
    neurons_per_core: float
    spike_group: float
    synchronisation: float
    logic_leakage: float
    frame_rate: float
    state_bits: float
    scale_bits: float
    bias_bits: float
    accumulator_bits: float
    accumulator_grows: bool
    add_per_bit: float
    multiply_per_bit2: float
    multiply_per_bit: float
    float_add: float
    float_multiply: float
    register_per_bit: float
    control_factor: float
    control_per_operation: float
    fixed_operations: bool
    accumulate: float
    accumulate_convolution: float
    multiply_accumulate: float
    fixed_neuron: bool
    neuron_access: float
    neuron_update: float
    neuron_spike: float
    weights: Port
    states: Port
    spikes: Port
    has_dram: bool
    dram_energy: float
    dram_bandwidth: float
    hop: float
    message: float
    hops: float
    packet_rate: float

    @property
    def leakage(self) -> float:
        """Static power of memories and logic [W]."""
        return self.logic_leakage + self.weights.leakage + self.states.leakage + self.spikes.leakage

    @property
    def memory_area(self) -> float:
        """Area of the on-chip memories [mm2]; logic is not modelled."""
        return self.weights.area + self.states.area + self.spikes.area


def chip_of(value: Mapping[str, float], accumulator_grows: bool) -> Chip:
    """The chip whose constants are `value` by dotted key; what a chip does not have costs nothing."""

    def get(key: str, default: float = 0.0) -> float:
        return value.get(key, default)

    def port(name: str) -> Port:
        prefix = f"memories.{name}."
        return Port(**{key.removeprefix(prefix): v for key, v in value.items() if key.startswith(prefix)})

    return Chip(
        clock=value["clock"],
        processing_elements=value["processing_elements"],
        tile_positions=get("tile_positions", 1.0),
        cores=get("cores", 1.0),
        neurons_per_core=get("neurons_per_core", math.inf),
        spike_group=get("spike_group", 1.0),
        synchronisation=get("synchronisation"),
        logic_leakage=value["logic_leakage"],
        frame_rate=value["frame_rate"],
        state_bits=value["widths.state"],
        scale_bits=value["widths.scale"],
        bias_bits=value["widths.bias"],
        accumulator_bits=value["compute.accumulator_bits"],
        accumulator_grows=accumulator_grows,
        add_per_bit=get("compute.add_per_bit"),
        multiply_per_bit2=get("compute.multiply_per_bit2"),
        multiply_per_bit=get("compute.multiply_per_bit"),
        float_add=get("compute.float_add"),
        float_multiply=get("compute.float_multiply"),
        register_per_bit=get("compute.register_per_bit"),
        control_factor=get("compute.control_factor", 1.0),
        control_per_operation=get("compute.control_per_operation"),
        fixed_operations="compute.accumulate" in value,
        accumulate=get("compute.accumulate"),
        accumulate_convolution=get("compute.accumulate_convolution", get("compute.accumulate")),
        multiply_accumulate=get("compute.multiply_accumulate"),
        fixed_neuron="neuron.access" in value,
        neuron_access=get("neuron.access"),
        neuron_update=get("neuron.update"),
        neuron_spike=get("neuron.spike"),
        weights=port("weights"),
        states=port("states"),
        spikes=port("spikes"),
        has_dram="dram.energy" in value,
        dram_energy=get("dram.energy"),
        dram_bandwidth=get("dram.bandwidth", math.inf),
        hop=get("noc.hop"),
        message=get("noc.message"),
        hops=get("noc.hops"),
        packet_rate=get("noc.rate", math.inf),
    )
