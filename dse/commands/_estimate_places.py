"""Where the memory of designs lies, what the way to DRAM takes, and where their average power goes."""

from __future__ import annotations

from typing import Any

import numpy as np

import costmodels
from costmodels import Cost, Designs, Workload
from dse.commands._estimate_rows import each
from dse.config.quantities import show
from dse.workflows.estimate import Selection

LEAKAGE = "leakage"


def _cost(chosen: Selection, workload: Workload, designs: Designs) -> Cost:
    """The costs of designs, with their components."""
    return costmodels.estimate(workload, chosen.hardware, designs, frame_rate=chosen.frame_rate)


def places(chosen: Selection) -> list[dict[str, Any]]:
    """By design, bytes that only fill up words (`packing_bytes`), energy of DRAM [J], and what binds its layers."""
    candidates = chosen.candidates.settled()  # the activity of a design is worked out once for both
    packing, dram = np.empty((2, len(candidates)))
    for workload, designs, at in candidates.parts:
        cost = _cost(chosen, workload, designs)
        packing[at], dram[at] = cost.memory_by_component["packing"], cost.energy_by_component["dram"]
    rows = []
    for place, name in enumerate(candidates.names):
        workload, design = candidates.one(place)
        resource, share = costmodels.binding(workload, chosen.hardware, design)
        row = {"design": name, "packing_bytes": float(packing[place]), "dram_j": float(dram[place])}
        rows.append(row | {"binding": resource, "binding_share": share})
    return rows


def place_text(row: dict[str, Any]) -> dict[str, str]:
    """The same in words, from a row that also has the bytes on the chip and off it; unused bits fill up words."""
    return {
        "design": row["design"],
        "on chip": show(row["on_chip_bytes"], "B"),
        "DRAM": show(row["off_chip_bytes"], "B"),
        "unused bits": show(row["packing_bytes"], "B"),
        "DRAM energy": show(row["dram_j"], "J"),
        "bound by": f"{row['binding']}, {row['binding_share']:.0%}",
    }


def power_parts(chosen: Selection) -> dict[str, dict[str, float]]:
    """Average power at the frame rate by component [W], by design; empty where the chip does not reach the rate.

    Actions take their energy per inference times the rate. What flows between them, in the energy of an inference one
    part, is split: the clock, which a gated one takes during inferences only, the DRAM's background, and leakage.
    """
    chip = chosen.hardware.chip
    found: dict[str, dict[str, float]] = {}
    for name, workload, design in each(chosen):
        cost = _cost(chosen, workload, design)
        if bool(cost.violations["frame_rate"].any()):
            found[name] = {}
            continue
        parts = {k: float(v.sum()) * chosen.frame_rate for k, v in cost.energy_by_component.items() if k != LEAKAGE}
        running = chip.gated_power * float(cost.latency_s.sum()) * chosen.frame_rate
        clock = {"clock": running + chip.clock_power - chip.gated_power, "dram background": chip.dram_background}
        rest = float(cost.power_w.sum()) - sum(parts.values()) - sum(clock.values())
        found[name] = parts | clock | {LEAKAGE: rest}
    return found
