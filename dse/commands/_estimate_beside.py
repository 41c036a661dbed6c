"""The tables of `svit-dse estimate` that put designs beside other networks and other datapaths."""

from __future__ import annotations

import numpy as np

import costmodels
from dse.commands._estimate_rows import each, readable, title
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
    table = costmodels.comparisons(workload, chosen.hardware, design, widths=widths, frame_rate=chosen.frame_rate)
    rows = table.to_dict("records")
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [readable(row, "network") for row in rows]
    print_rows([{k: v for k, v in row.items() if k != "latency"} for row in shown], title(chosen))
    budgets = [
        {"network": row["network"], "all operations": f"{row['ace']:.3g}", "not zero": f"{row['ns_ace']:.3g}"}
        for row in rows
    ]
    print_rows(budgets, "bit budgets: operations x width of weight x width of input")


def crossover(chosen: Selection, as_json: bool) -> None:
    """Energy of every design over the firing rate, beside the dense non-spiking network with the same weights."""
    found = {name: costmodels.crossover(w, chosen.hardware, d) for name, w, d in each(chosen)}
    if as_json:
        heads = {name: {"design": name, "crossover": one.rate} for name, one in found.items()}
        print_rows([heads[n] | row for n, one in found.items() for row in one.curve.to_dict("records")], as_json=True)
        return
    for name, one in found.items():
        said = {0.0: "at no firing rate", 1.0: "at every firing rate"}.get(
            one.rate, f"below {one.rate:.1%} firing rate"
        )
        rows = [
            {
                "firing rate": f"{row['rate']:.0%}",
                "spiking": show(row["spiking_j"], "J"),
                "dense non-spiking": show(row["non_spiking_j"], "J"),
                "ratio": f"{row['ratio']:.2f}",
            }
            for row in one.curve.to_dict("records")
        ]
        print_rows(rows, f"{name} on {chosen.hardware.name}: less energy as spikes {said}, T={one.time_steps}")


def forms(chosen: Selection, as_json: bool) -> None:
    """What narrow weights save under every form of the datapath."""
    rows = costmodels.forms(chosen.candidates, chosen.hardware, frame_rate=chosen.frame_rate).to_dict("records")
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
