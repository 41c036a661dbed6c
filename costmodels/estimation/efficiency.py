"""What one synaptic operation costs, and where: the figures that chips print, of one design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from costmodels.estimation.actions import actions
from costmodels.estimation.breakdown import breakdown
from costmodels.estimation.designs import Designs
from costmodels.estimation.loads import load_of
from costmodels.estimation.request import request
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

OFF_CHIP, STATIC = "dram", "leakage"


@dataclass(frozen=True)
class Efficiency:
    """One design's energy by place and kind of row, and the figures that follow.

    spiking_j, multibit_j  energy on the chip of rows with spikes (attention included) and of rows with numbers [J]
    off_chip_j             DRAM [J]
    static_j               leakage during the inference [J]
    synops                 synaptic operations of the spiking rows
    multiplications        operations of the other rows
    per_synop_j            spiking_j / synops [J]; nan without synaptic operations
    bit_operations         operations x width of the weight x width of the input, summed (the bit budget of Shen et al.,
                           CVPR 2024, NS-ACE)
    """

    spiking_j: float
    multibit_j: float
    off_chip_j: float
    static_j: float
    synops: float
    multiplications: float
    bit_operations: float

    @property
    def per_synop_j(self) -> float:
        """Energy on the chip of one synaptic operation [J]."""
        return self.spiking_j / self.synops if self.synops > 0 else float("nan")


def efficiency(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> Efficiency:
    """What an operation of one design costs on a chip.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`
    """
    table = breakdown(workload, hardware, design)
    energy = table[table["quantity"] == "energy_j"]
    counts = actions(workload, hardware, design).set_index("layer")
    multibit = workload.geometry.multibit
    numbers = set(np.array(workload.names)[multibit])
    place = energy["component"].isin([OFF_CHIP, STATIC])
    rows = energy["layer"].isin(numbers)

    def total(mask: object) -> float:
        return float(energy.loc[mask, "value"].sum())

    operations = (counts["additions"] + counts["multiplications"]).to_numpy(dtype=float)
    return Efficiency(
        spiking_j=total(~place & ~rows),
        multibit_j=total(~place & rows),
        off_chip_j=total(energy["component"] == OFF_CHIP),
        static_j=total(energy["component"] == STATIC),
        synops=float(operations[~multibit].sum()),
        multiplications=float(operations[multibit].sum()),
        bit_operations=bit_budgets(workload, hardware, design).happening,
    )


class BitBudgets(NamedTuple):
    """Products of the widths of weight and input, summed over operations (Shen et al., CVPR 2024: ACE and NS-ACE).

    dense      over all of them: time steps count as activation bits do
    happening  over those whose input is not zero
    """

    dense: float
    happening: float


def bit_budgets(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> BitBudgets:
    """The bit budgets of one design; widths of weights as stored, of attention that of the second operand.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`
    """
    asked = request(workload, hardware, Designs.of(design), None)
    load = load_of(asked, asked.only("bit budgets are"))
    work = asked.workload
    wide = np.where(work.geometry.attention, work.geometry.operand_bits, load.weight_bits) * load.input_bits
    every = work.columns["macs"] * work.time_steps
    return BitBudgets(float((every * wide).sum()), float((load.synops * wide).sum()))
