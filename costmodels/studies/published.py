"""SDTv2's published energies against the literature convention: a band of consistency, nothing is tuned to it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from costmodels.estimation.estimate import estimate
from costmodels.hardware.library import load_hardware
from costmodels.hardware.op_energy import DATA
from costmodels.widths import FLOAT
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def measured_operations() -> pd.DataFrame:
    """What chips state for one synaptic operation: `chip, node_nm, supply_v, pj, denominator, source`.

    The denominators differ, and so do supply and node: the table is a scale, not a ranking.
    """
    import pandas as pd

    return pd.read_csv(DATA / "synaptic_operations.csv")


def published_consistency(rates: Sequence[float] = (0.1, 0.2, 0.3)) -> pd.DataFrame:
    """One row per published network and form (unfused as trained, or each linear chain fused into one convolution).

    rates  assumed firing rates, spikes per neuron and time step

    `gmac` is one step; `implied_rate` the mean firing rate at which E = T (4.6 pJ FL_image + 0.9 pJ R FL_rest) gives
    the published energy, with every other layer counted as spiking; `ratio_R` what the literature data flow says at an
    assumed rate R over the published energy, with multi-bit layers counted as the multiplications they are.
    """
    import pandas as pd

    chip = load_hardware("literature_45nm")
    rows = []
    with (DATA / "published.csv").open(encoding="utf-8", newline="") as stream:
        published = list(csv.DictReader(stream))
    for entry in published:
        for fused in (False, True):
            work = Workload.example(entry["example"], time_steps=int(entry["time_steps"]), fused=fused)
            steps, energy = work.time_steps, float(entry["energy_mj"]) * 1e-3
            macs, image = work.columns["macs"], work.geometry.image
            rest = np.sum(macs[~image & ~work.geometry.attention])
            multiply, add = chip.chip.multiply_accumulate, chip.chip.accumulate
            implied = (energy - multiply * steps * np.sum(macs[image])) / (add * steps * rest)
            row = {"model": entry["model"], "form": "fused" if fused else "unfused", "gmac": float(macs.sum()) / 1e9}
            row |= {"published_mj": float(entry["energy_mj"]), "implied_rate": float(implied)}
            for rate in rates:
                at = Workload.example(entry["example"], rate=rate, time_steps=steps, fused=fused)
                row[f"ratio_{rate:g}"] = float(estimate(at, chip, FLOAT).energy_j) / energy
            rows.append(row)
    return pd.DataFrame(rows)
