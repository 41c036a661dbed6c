"""The tables of `svit-dse estimate` that put designs beside other networks and other datapaths."""

from __future__ import annotations

from typing import Any

import numpy as np

import costmodels
from dse.commands._estimate_rows import each, ends, readable, say_why, title
from dse.commands._show import print_rows
from dse.config.quantities import show
from dse.errors import ConfigError
from dse.problem.design import FLOAT
from dse.workflows.estimate import Selection


def compare(chosen: Selection, as_json: bool) -> None:
    """One design, or uniform widths, beside the float and the non-spiking networks."""
    if chosen.drop is None:
        workload, designs, _ = chosen.candidates.parts[0]
        widths, design = [int(row[0]) for row in np.asarray(designs.weight_bits) if row[0] != FLOAT], None
    else:
        if len(chosen.candidates) != 1:
            raise ConfigError(f"--compare is for one design, not {len(chosen.candidates)}; name it with --design")
        widths, (workload, design) = [8, 4], chosen.candidates.one(0)
    table = costmodels.comparisons(
        workload, chosen.hardware, design, widths=widths, frame_rate=chosen.frame_rate, bands=True
    )
    rows = table.to_dict("records")
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [readable(row, "network") for row in rows]
    print_rows([{k: v for k, v in row.items() if k != "latency"} for row in shown], title(chosen))
    print_rows(
        [
            {
                "network": row["network"],
                "least to greatest energy": ends(row["energy_low"], row["energy_high"]),
                "all operations": f"{row['ace']:.3g}",
                "not zero": f"{row['ns_ace']:.3g}",
            }
            for row in rows
        ],
        "energy over all variations; bit budget: sum over operations of weight width x input width",
    )
    say_why((row["network"], row["reasons"]) for row in rows)


def crossover(chosen: Selection, as_json: bool) -> None:
    """Energy of every design over the firing rate, beside the dense non-spiking network with the same weights."""
    found = {name: costmodels.crossover(w, chosen.hardware, d, bands=True) for name, w, d in each(chosen)}
    if as_json:
        heads = {}
        for name, one in found.items():
            low, high = one.rate_band or (one.rate, one.rate)
            heads[name] = {"design": name, "crossover": one.rate, "crossover_low": low, "crossover_high": high}
        print_rows([heads[n] | row for n, one in found.items() for row in one.curve.to_dict("records")], as_json=True)
        return
    for name, one in found.items():
        said = {0.0: "at no firing rate", 1.0: "at every firing rate"}.get(
            one.rate, f"below {one.rate:.1%} firing rate"
        )
        rows = one.curve.to_dict("records")
        head = f"{name} on {chosen.hardware.name}: less energy as spikes {said}, T={one.time_steps}"
        print_rows([_at_rate(row) for row in rows], head)
        if one.rate_band is not None:
            low, high = one.rate_band
            title = f"least and greatest over all variations; the rate: {low:.1%} to {high:.1%}"
            print_rows([_ends_at_rate(row) for row in rows], title)


def _at_rate(row: dict[str, Any]) -> dict[str, str]:
    return {
        "firing rate": f"{row['rate']:.0%}",
        "spiking": show(row["spiking_j"], "J"),
        "dense non-spiking": show(row["non_spiking_j"], "J"),
        "ratio": f"{row['ratio']:.2f}",
    }


def _ends_at_rate(row: dict[str, Any]) -> dict[str, str]:
    return {
        "firing rate": f"{row['rate']:.0%}",
        "spiking": ends(row["spiking_low"], row["spiking_high"]),
        "dense non-spiking": ends(row["non_spiking_low"], row["non_spiking_high"]),
        "ratio": f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}",
    }


def forms(chosen: Selection, as_json: bool) -> None:
    """What narrow weights save under every form of the datapath."""
    table = costmodels.forms(chosen.candidates, chosen.hardware, frame_rate=chosen.frame_rate, bands=True)
    rows = table.to_dict("records")
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [
        {
            "design": row["design"],
            "datapath": row["form"].replace("_", "-"),
            "energy": show(row["energy_j"], "J"),
            "latency": show(row["latency_s"], "s"),
            "energy saved": f"{row['energy_saving']:.1%}",
            "time saved": f"{row['latency_saving']:.1%}",
            "fits": row["feasible"],
        }
        for row in rows
    ]
    print_rows(shown, f"{title(chosen)}: saved against 8-bit weights, by datapath")
    bands = [
        {
            "design": row["design"],
            "datapath": row["form"].replace("_", "-"),
            "unit": row["unit"],
            "least to greatest energy": ends(row["energy_low"], row["energy_high"]),
        }
        for row in rows
    ]
    print_rows(bands, "energy with this datapath over all other variations")
    say_why((f"{row['design']}, {row['form'].replace('_', '-')}", row["reasons"]) for row in rows)
