"""What else a model could have been: other constants, other forms of the chip, other activity of the designs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from costmodels.estimation.actions import actions
from costmodels.estimation.candidates import Candidates, Part
from costmodels.estimation.estimate import estimate
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.constants import Constant
from costmodels.hardware.hardware import Hardware, resolve
from costmodels.hardware.op_energy import op_tables
from costmodels.hardware.quantity import Energy
from costmodels.studies.variants import variants
from costmodels.workload.activity import Activity
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]

_UNCERTAIN = ("J", "J/bit", "J/bit2", "J/bit/mm", "J/mm2", "W", "s", "bit/s")
_ALSO = ("compute.control_factor", "noc.hops", "spike_group")
_AT_LEAST_ONE = ("compute.control_factor", "spike_group")
RATES = (0.8, 1.2)
"""Firing rates of a variation over the measured ones."""
STEPS = (0.5, 2.0)
"""Time steps of a variation over the design's own."""


@dataclass(frozen=True, eq=False)
class Variation:
    """One changed thing: `kind` is constant or form, `name` what changes, `change` how."""

    kind: str
    name: str
    change: str
    candidates: Candidates
    hardware: Hardware


def uncertain(hardware: Hardware) -> tuple[str, ...]:
    """The constants that are measured or guessed, not chosen, and not zero."""
    return tuple(
        key for key, c in hardware.table.items() if c.value > 0 and (c.dimension in _UNCERTAIN or key in _ALSO)
    )


def bounded(key: str, value: float) -> float:
    """The value, at least 1 where the constant is a factor that cannot be less."""
    return max(1.0, value) if key in _AT_LEAST_ONE else value


def range_of(constant: Constant) -> tuple[float, float, bool]:
    """Low and high of a constant (SI), and whether its source states them; half and twice its value otherwise."""
    if constant.low is not None and constant.high is not None:
        return constant.low, constant.high, True
    return bounded(constant.key, constant.value / 2), constant.value * 2, False


@dataclass(frozen=True, eq=False)
class Moved:
    """The candidates at other activity, which no chip enters: at other firing rates, or over other time steps."""

    name: str
    change: str
    candidates: Candidates


def moved(candidates: Candidates) -> list[Moved]:
    """The candidates at other firing rates and over other numbers of time steps."""
    found = [Moved("firing rates", f"x{factor:g}", _at_rates(candidates, factor)) for factor in RATES]
    for factor in STEPS:
        changed = _at_steps(candidates, factor)
        if changed is not None:
            found.append(Moved("time steps", f"x{factor:g}", changed))
    return found


def variations(
    candidates: Candidates, hardware: Hardware, reference: int, others: Sequence[Moved] | None = None
) -> Iterator[Variation]:
    """Every variation of the study, constants first; `reference` is the design that keeps its control energy.

    others  what `moved` gives for the candidates, where several chips share it
    """
    for key in uncertain(hardware):
        value = hardware.table[key].value
        for factor in (0.5, 2.0):
            chip = hardware.with_constant(key, bounded(key, value * factor))
            yield Variation("constant", key, f"x{factor:g}", candidates, chip)
    if hardware.op_table:
        for name in op_tables():
            if name != hardware.op_table:
                yield Variation("constant", "compute.table", name, candidates, hardware.with_op_table(name))
    yield from _of_chip(candidates, hardware, reference)
    for each in moved(candidates) if others is None else others:
        yield Variation("form", each.name, each.change, each.candidates, hardware)


def _of_chip(candidates: Candidates, hardware: Hardware, reference: int) -> Iterator[Variation]:
    """Datapath, control, pinning, wires and utilisation."""
    compute = hardware.file.compute
    if isinstance(compute, IntegerCompute):
        for form, unit, chip in list(variants(candidates, hardware))[1:]:
            yield Variation("form", "datapath", f"{form.replace('_', '-')}, {unit}", candidates, chip)
        if compute.control_factor is not None and compute.control_factor.value > 1:
            chip = _control_per_operation(*candidates.one(reference), hardware, compute)
            yield Variation("form", "control", "per operation", candidates, chip)
    if hardware.file.dram is not None and hardware.chip.pins:
        dram = hardware.file.dram.model_copy(update={"pinning": "none"})
        chip = replace(hardware, file=hardware.file.model_copy(update={"dram": dram}))
        yield Variation("form", "pinning", "none", candidates, chip)
    wire = hardware.table.get("wire")
    if wire is not None and (wire.value or wire.high):
        chip = hardware.with_constant("wire", 0.0 if wire.value else float(wire.high or 0.0))
        yield Variation("form", "wires", "none" if wire.value else "as long as measured", candidates, chip)
    elements = hardware.table["processing_elements"].value
    chip = hardware.with_constant("processing_elements", elements / 2)
    yield Variation("form", "utilisation", "x0.5", candidates, chip)


def _control_per_operation(workload: Workload, design: object, hardware: Hardware, compute: IntegerCompute) -> Hardware:
    """The chip with one control energy for operations of all widths, the same in sum for one design."""
    cost, counts = estimate(workload, hardware, design), actions(workload, hardware, design)  # type: ignore[arg-type]
    events = float((counts["additions"] + counts["multiplications"] + counts["neuron_steps"]).sum())
    once = float(cost.energy_by_component["control"].sum()) / max(events, 1.0)
    stated = Energy(value=once * 1e12, unit="pJ", source="the same control energy in one design")
    changed = compute.model_copy(update={"control_factor": None, "control_per_operation": stated})
    file = hardware.file.model_copy(update={"compute": changed})
    return resolve(file, hardware.name, hardware.path, hardware.sha256)


def _limits(work: Workload) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The most non-zero inputs, spikes and operations of every row over all steps, (R,) each."""
    steps, column = work.time_steps, work.columns
    return work.geometry.in_elements * steps, column["neurons"] * steps, column["macs"] * steps


def at_rate(work: Workload, activity: Activity, factor: float) -> Activity:
    """Activity at `factor` times the firing rates.

    Rows with multi-bit input keep theirs, a product of two streams changes twice; nothing fires more than is possible.
    """
    spiking = ~work.geometry.multibit
    once = np.where(spiking, factor, 1.0)
    twice = np.where(work.geometry.two_streams, once * once, once)
    inputs, emitted, operations = _limits(work)
    return Activity(
        np.minimum(activity.spikes * once, inputs),
        np.minimum(activity.lif_spikes * factor, emitted),
        np.minimum(activity.synops * twice, operations),
    )


def _at_rates(candidates: Candidates, factor: float) -> Candidates:
    parts = []
    for work, designs, places in candidates.settled().parts:
        given = designs.spikes if isinstance(designs.spikes, Activity) else work.activity
        parts.append(Part(work, replace(designs, spikes=at_rate(work, given, factor)), places))
    return Candidates(tuple(parts))


def _at_steps(candidates: Candidates, factor: float) -> Candidates | None:
    """The candidates over other numbers of steps at the same firing rates; None where no design changes."""
    parts, changed = [], False
    for work, designs, places in candidates.settled().parts:
        steps = max(1, round(work.time_steps * factor))
        share = steps / work.time_steps
        changed |= share != 1
        own = designs.spikes
        if isinstance(own, Activity):
            own = Activity(own.spikes * share, own.lif_spikes * share, own.synops * share)
        parts.append(Part(work.with_time_steps(steps), replace(designs, time_steps=None, spikes=own), places))
    return Candidates(tuple(parts)) if changed else None
