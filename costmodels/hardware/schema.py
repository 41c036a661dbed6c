"""The schema of a hardware file: every number is {value, unit, source}, with low and high where a range is known.

`costmodels/data/hardware.schema.json` is generated from these models for editors; a test keeps it current.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from costmodels.hardware.compute import IntegerCompute, PerOperationCompute
from costmodels.hardware.quantity import (
    Area,
    Bandwidth,
    Count,
    Energy,
    EnergyPerArea,
    EnergyPerBit,
    EnergyPerLength,
    Factor,
    Node,
    NonEmpty,
    Power,
    Quantity,
    Rate,
    Section,
    Size,
    Temperature,
    Time,
    Width,
)
from costmodels.hardware.supply import Supply


class Neuron(Section):
    """Energy per neuron and time step where the chip states it; the adders' energy otherwise."""

    access: Energy
    update: Energy
    spike: Energy


class Memory(Section):
    """An on-chip SRAM; what is not given comes from the CACTI grid for node, device and temperature."""

    size: Size = Field(description="capacity of all banks together")
    word: Width = Field(description="width of a port")
    banks: Count | None = Field(None, description="equal banks that work at the same time; absent: one")
    device: Literal["itrs-lstp", "itrs-lop", "itrs-hp"] | None = None
    temperature: Temperature | None = None
    read: Energy | None = Field(None, description="energy of reading a word")
    write: Energy | None = Field(None, description="energy of writing a word")
    leakage: Power | None = Field(None, description="of all banks together")
    area: Area | None = Field(None, description="of all banks together")
    cycle: Time | None = Field(None, description="shortest time between two accesses of a bank")

    @model_validator(mode="after")
    def _complete(self) -> Memory:
        given = [self.read, self.write, self.leakage, self.area, self.cycle]
        if any(q is None for q in given) and (self.device is None or self.temperature is None):
            missing = [n for n in ("read", "write", "leakage", "area", "cycle") if getattr(self, n) is None]
            said, it = ("is missing; give it", "it") if len(missing) == 1 else ("are missing; give them", "them")
            raise ValueError(f"{', '.join(missing)} {said}, or device and temperature to take {it} from CACTI")
        return self


class Memories(Section):
    """The on-chip memories; one that a data flow never uses may be absent."""

    weights: Memory | None = None
    states: Memory | None = None
    spikes: Memory | None = None


class Dram(Section):
    """Off-chip memory."""

    energy: EnergyPerBit
    bandwidth: Bandwidth
    burst: Size | None = Field(None, description="size of one transfer; absent: 64 bytes")
    background: Power | None = Field(None, description="power of refresh and standby; absent: 0")
    pinning: Literal["none", "partial"] = Field(
        "partial",
        description="if the weights do not fit, those that do stay on the chip (partial), or all are fetched (none)",
    )
    buffer: Size | None = Field(
        None, description="part of the weight memory that weights stream through, in two halves; absent: 64 KiB"
    )


class Network(Section):
    """The network on chip, for data flows over several cores."""

    hop: Energy = Field(description="energy of moving one packet by one hop")
    message: Energy = Field(description="energy of making and receiving one packet")
    hops: Factor = Field(description="mean distance of a packet")
    rate: Rate = Field(description="packets per second of the whole network")


class Widths(Section):
    """Widths of what is not searched layer by layer."""

    state: Width = Field(description="membrane potential")
    scale: Width = Field(description="scale of an output channel")
    bias: Width = Field(description="constant of an output channel")


class ArrayGeometry(Section):
    """The processing elements as an array; they work on a tile of positions and some channels at a time."""

    positions: Count = Field(description="output positions at a time, in a tile as square as possible")
    channels: Count = Field(description="output channels at a time")


class Knobs(Section):
    """Values to choose from, in the unit of the entry that they replace."""

    node: tuple[float, ...] = ()
    clock: tuple[float, ...] = ()
    processing_elements: tuple[float, ...] = ()
    tile_positions: tuple[float, ...] = ()
    dataflow: tuple[str, ...] = ()
    memories: dict[Literal["weights", "states", "spikes"], MemoryKnobs] = Field(default_factory=dict)


class MemoryKnobs(Section):
    """Values to choose from for one memory."""

    size: tuple[float, ...] = ()
    word: tuple[float, ...] = ()
    banks: tuple[float, ...] = ()


class HardwareFile(Section):
    """One accelerator."""

    title: NonEmpty
    description: NonEmpty
    node: Node
    dataflow: NonEmpty = Field(description="a file of costmodels/dataflows, or a FILE.py of your own")
    weight_widths: tuple[Annotated[int, Field(ge=1, le=32)], ...] = Field(min_length=1)
    frame_rate: Rate = Field(description="inferences per second at which average power is stated")
    clock: Rate
    processing_elements: Count = Field(description="accumulators that work at the same time, all cores together")
    geometry: ArrayGeometry | None = Field(
        None, description="utilisation and repeated reads follow from it; absent: utilisation is `balance`"
    )
    tile_positions: Count | None = Field(None, description="output positions that share one fetched weight; absent: 1")
    cores: Count | None = Field(None, description="cores with a memory of their own; absent: 1")
    neurons_per_core: Count | None = Field(None, description="absent: bounded by the state memory only")
    spike_group: Count | None = Field(
        None,
        description="spikes that share one read and write of the sums they touch, in event-driven cores; absent: 1",
    )
    still_image: Literal["every_step", "once"] = Field(
        "every_step",
        description="whether tick-batched chips compute layers with a still image as input in every time step, or once",
    )
    sums: Literal["memory", "potential"] = Field(
        "memory",
        description="where event-driven cores accumulate: in separate sums, which a sweep adds to the potentials, "
        "or in the potentials",
    )
    synchronisation: Time | None = Field(None, description="additional time of every time step, for synchronisation")
    logic_leakage: Power
    supply: Supply | None = Field(None, description="absent: all numbers hold at the chip's supply")
    idle_per_cycle: Energy | None = Field(
        None,
        description="energy of clock and idle logic in every cycle, also when idle (1 uW/MHz = 1 pJ); absent: none",
    )
    clock_gating: Literal["none", "between_inferences"] = Field(
        "none", description="whether the clock, and with it idle logic, stops between inferences"
    )
    element_area: Area | None = Field(None, description="area of one processing element; absent: not counted")
    register_area: Area | None = Field(
        None, description="area of one register bit of sums and potentials; absent: not counted"
    )
    clock_per_area: EnergyPerArea | None = Field(
        None, description="energy of clock and idle logic per cycle and area of logic, also when idle; absent: none"
    )
    wire: EnergyPerLength | None = Field(
        None,
        description="wires from the memories to the processing elements, in addition to CACTI's; absent: no energy",
    )
    compute: Annotated[IntegerCompute | PerOperationCompute, Field(discriminator="style")]
    neuron: Neuron | None = Field(None, description="absent: three additions at state width (leak, integrate, compare)")
    widths: Widths
    memories: Memories = Memories()
    dram: Dram | None = Field(None, description="absent: a design that does not fit on the chip is infeasible")
    noc: Network | None = None
    knobs: Knobs = Knobs()

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Every number of the file by dotted key, in the order of the schema."""
        yield from _quantities(self, "")


def _quantities(section: BaseModel, prefix: str) -> Iterator[tuple[str, Quantity]]:
    for name in type(section).model_fields:
        value: Any = getattr(section, name)
        if isinstance(value, Quantity):
            yield f"{prefix}{name}", value
        elif isinstance(value, BaseModel) and not isinstance(value, Knobs):
            yield from _quantities(value, f"{prefix}{name}.")


def json_schema() -> dict[str, Any]:
    """The JSON schema of hardware files; costmodels/data/hardware.schema.json holds the same for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | HardwareFile.model_json_schema()
