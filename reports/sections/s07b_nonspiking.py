"""The question of every review: would the same weights cost less in a network without spikes, on the same chip?"""

from __future__ import annotations

from dataclasses import dataclass

from reports.number_text import UNITS, quantity
from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun

TITLE = "The same weights without spikes"
COSTS = ("memory_bytes", "energy_j", "latency_s", "power_w")


@dataclass(frozen=True)
class ComparedNetwork:
    """One network of the comparison; `costs` in the order of COSTS, SI units; the band of a spiking one's energy."""

    id: str
    origin: str
    network: str
    time_steps: int
    costs: tuple[float, ...]
    energy_band: tuple[float, float] | None = None


@dataclass(frozen=True)
class NonSpiking:
    """The rows of comparisons.csv, and of how many designs the spiking network needs less energy than either other."""

    networks: tuple[ComparedNetwork, ...]
    designs: int
    spiking_wins: int


def record(run: FinishedRun) -> NonSpiking | None:
    """The comparison; None for a run without comparisons.csv."""
    if run.comparisons is None:
        return None
    bands = {d.id: d.energy_band for d in run.designs}
    networks = tuple(
        ComparedNetwork(
            *(r.id, r.origin, r.network, r.time_steps, (r.memory_bytes, r.energy_j, r.latency_s, r.power_w)),
            energy_band=bands.get(r.id) if r.network == "spiking" else None,
        )
        for r in run.comparisons
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
        return Drawing(html.not_measured("the comparison", "`svit-dse search` writes comparisons.csv."))
    rows = [
        (
            html.design_link(n.id),
            n.origin,
            n.network,
            str(n.time_steps),
            *(
                html.with_band(quantity(v, UNITS[c]), n.energy_band if c == "energy_j" else None, UNITS[c])
                for c, v in zip(COSTS, n.costs, strict=True)
            ),
        )
        for n in r.networks
    ]
    body = html.join(
        html.text(
            f"For {r.spiking_wins} of {r.designs} designs the spiking network needs less energy than its non-spiking "
            "equivalent, which has the same weights and shapes, one pass, and activations of ceil(log2(T + 1)) "
            "bits, with as many non-zero inputs as there are spikes (or, dense, all of them). Its accuracy was not "
            "measured.",
            "lead",
        ),
        html.table(
            ("Design", "Origin", "Network", "T", "Memory", "Energy", "Latency", "Power"), rows, numeric=(3, 4, 5, 6, 7)
        ),
    )
    return Drawing(body)
