"""The question of every review: would the same weights cost less in a network without spikes, on the same chip?"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.number_text import UNITS, quantity
from reports.page import html as drawing
from reports.page.html import Drawing
from reports.run import Run

TITLE = "The same weights without spikes"
COSTS = ("memory_bytes", "energy_j", "latency_s", "power_w")


@dataclass(frozen=True)
class Network:
    """One network of the comparison; `costs` in the order of COSTS, SI units."""

    id: str
    origin: str
    network: str
    time_steps: int
    costs: tuple[float, ...]


@dataclass(frozen=True)
class NonSpiking:
    """The rows of comparisons.csv, and of how many designs the spiking network needs less energy than either other."""

    networks: tuple[Network, ...]
    designs: int
    spiking_wins: int


def record(run: Run) -> NonSpiking | None:
    """The comparison; None for a run without comparisons.csv."""
    path = run.directory / "comparisons.csv"
    if not path.is_file():
        return None
    networks = tuple(
        Network(str(r["id"]), str(r["origin"]), str(r["network"]), int(r["time_steps"]), tuple(r[c] for c in COSTS))
        for r in pd.read_csv(path).to_dict("records")
    )
    spiking = {n.id: n.costs[1] for n in networks if n.network == "spiking"}
    others: dict[str, float] = {}
    for n in networks:
        if n.network != "spiking":
            others[n.id] = min(n.costs[1], others.get(n.id, n.costs[1]))
    return NonSpiking(networks, len(others), sum(spiking[i] < energy for i, energy in others.items()))


def draw(r: NonSpiking | None) -> Drawing:
    """One table, and in words which way it goes."""
    if r is None:
        return Drawing(drawing.not_measured("the comparison", "`svit-dse search` writes comparisons.csv."))
    rows = [
        (
            drawing.design_link(n.id),
            n.origin,
            n.network,
            str(n.time_steps),
            *(quantity(v, UNITS[c]) for c, v in zip(COSTS, n.costs, strict=True)),
        )
        for n in r.networks
    ]
    html = drawing.join(
        drawing.text(
            f"For {r.spiking_wins} of {r.designs} designs the spiking network needs less energy than its non-spiking "
            "equivalent, which has the same weights and shapes, one pass, and activations of ceil(log2(T + 1)) "
            "bits, with as many non-zero inputs as there are spikes (or, dense, all of them). Its accuracy was not "
            "measured.",
            "lead",
        ),
        drawing.table(
            ("Design", "Origin", "Network", "T", "Memory", "Energy", "Latency", "Power"), rows, numeric=(3, 4, 5, 6, 7)
        ),
    )
    return Drawing(html)
