"""The question of every review: would the same weights cost less in a network without spikes, on the same chip?

At the firing rates that were measured, and over all of them: the rate up to which spikes need less energy.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Chart, Line, Marker, Points, Rule
from reports.run import CrossoverRow, FinishedRun

TITLE = "The same weights without spikes"
COSTS = ("memory_bytes", "energy_j", "latency_s", "power_w")


@dataclass(frozen=True)
class ComparedNetwork:
    """One network of the comparison; `costs` in the order of COSTS, SI units; the band of its energy."""

    id: str
    origin: str
    network: str
    time_steps: int
    costs: tuple[float, ...]
    energy_band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """Spiking over non-spiking energy of the recommended design at some firing rates.

    `crossover` is the rate up to which spikes need less energy (0: none, 1: every), `own_rate` that of the design; the
    bands are least and greatest over all variations.
    """

    design: str
    rates: tuple[float, ...]
    ratios: tuple[float, ...]
    crossover: float
    own_rate: float
    time_steps: int
    ratio_bands: tuple[tuple[float, float], ...] = ()
    crossover_band: tuple[float, float] | None = None


@dataclass(frozen=True)
class NonSpiking:
    """The rows of comparisons.csv, of how many designs the spiking network needs less energy than either other, and the
    energy over the firing rate.
    """

    networks: tuple[ComparedNetwork, ...]
    designs: int
    spiking_wins: int
    curve: Curve | None = None


def record(run: FinishedRun) -> NonSpiking | None:
    """The comparison; None for a run without comparisons.csv."""
    if run.comparisons is None:
        return None
    known = {d.id: d.energy_band for d in run.designs}
    networks = tuple(
        ComparedNetwork(
            *(r.id, r.origin, r.network, r.time_steps, (r.memory_bytes, r.energy_j, r.latency_s, r.power_w)),
            energy_band=(r.energy_low, r.energy_high)
            if r.energy_low == r.energy_low
            else known.get(r.id)
            if r.network == "spiking"
            else None,
        )
        for r in run.comparisons
    )
    spiking = {n.id: n.costs[1] for n in networks if n.network == "spiking"}
    others: dict[str, float] = {}
    for n in networks:
        if n.network != "spiking":
            others[n.id] = min(n.costs[1], others.get(n.id, n.costs[1]))
    wins = sum(spiking[i] < energy for i, energy in others.items())
    return NonSpiking(networks, len(others), wins, _curve(run.crossover))


def _curve(rows: tuple[CrossoverRow, ...] | None) -> Curve | None:
    """The rows of crossover.csv, which are of one design."""
    if not rows:
        return None
    rates, ratios = tuple(row.rate for row in rows), tuple(row.ratio for row in rows)
    first, ends = rows[0], tuple((row.ratio_low, row.ratio_high) for row in rows)
    band = (first.crossover_low, first.crossover_high)
    known = band[0] == band[0]  # NaN in older runs
    return Curve(
        *(first.id, rates, ratios, first.crossover, first.own_rate, first.time_steps),
        ratio_bands=ends if known else (),
        crossover_band=band if known else None,
    )


def draw(r: NonSpiking | None) -> Drawing:
    """One table, and in words which way it goes."""
    if r is None:
        return Drawing(html.not_measured("the comparison", "`svit-dse search` writes comparisons.csv."))
    rows = [(html.design_link(n.id), n.origin, n.network, str(n.time_steps), *_costs(n)) for n in r.networks]
    body = html.join(
        html.text(
            f"For {r.spiking_wins} of {r.designs} designs the spiking network needs less energy than its non-spiking "
            "equivalent, which has the same weights and shapes, one pass, and activations of ceil(log2(T + 1)) "
            "bits, with as many non-zero inputs as there are spikes (in the dense form, all). Its accuracy was not "
            "measured.",
            "lead",
        ),
        html.table(
            ("Design", "Origin", "Network", "T", "Memory", "Energy", "Latency", "Power"), rows, numeric=(3, 4, 5, 6, 7)
        ),
    )
    if r.curve is None:
        return Drawing(body)
    shown, over = chart(r.curve), _over_the_firing_rate(r.curve)
    caption = "Energy of the recommended design divided by that of the dense non-spiking network, by firing rate."
    figure = StaticFigure(caption, lambda: printed.figure(shown, 2.6))
    return Drawing(html.join(body, over), {"crossover": interactive.plot(shown)}, {"crossover": figure})


def _costs(n: ComparedNetwork) -> tuple[Markup | str, ...]:
    """The cells of one network's costs, that of the energy with its band."""
    return tuple(
        html.with_band(quantity(v, UNITS[c]), n.energy_band if c == "energy_j" else None, UNITS[c])
        for c, v in zip(COSTS, n.costs, strict=True)
    )


def _over_the_firing_rate(c: Curve) -> Markup:
    """The sentence, the plot and the table of the curve."""
    return html.join(
        html.heading("Over the firing rate"),
        html.text(said(c), "lead"),
        html.plot("crossover", 300, "Spiking over non-spiking energy by firing rate; the table holds the same numbers"),
        html.table(("Firing rate", "Spiking over non-spiking energy"), _curve_rows(c), numeric=(0, 1)),
    )


def _curve_rows(c: Curve) -> list[tuple[str | Markup, ...]]:
    """The points of the curve, with the ends of the ratio where the run has them."""
    ends = c.ratio_bands or (None,) * len(c.rates)
    return [(share(x), html.with_band(tidy(y), band, "")) for x, y, band in zip(c.rates, c.ratios, ends, strict=True)]


def said(c: Curve) -> str:
    """Up to which firing rate spikes need less energy, where the design stands, and what was published."""
    until = {0.0: "At no firing rate", 1.0: "At every firing rate"}.get(
        c.crossover, f"Below {share(c.crossover)} firing"
    )
    if c.crossover_band is not None:
        low, high = (share(rate) for rate in c.crossover_band)
        until += f" ({low} … {high} over all variations)"
    return (
        f"{until} the recommended design, T = {c.time_steps}, needs less energy than the dense non-spiking network "
        f"with the same weights on this chip; it fires at {share(c.own_rate)}. Yan et al. (arXiv 2409.08290 v4) "
        f"publish 5.7 % at T = 5, for hardware whose constants we have not read. Rates are spikes per neuron and "
        f"time step; all layers are scaled by the same factor."
    )


def chart(c: Curve) -> Chart:
    """The ratio of the two energies over the firing rate; below 1 spikes need less."""
    rates = [100 * rate for rate in c.rates]
    hover = [f"{share(x)}: {tidy(y)}" for x, y in zip(c.rates, c.ratios, strict=True)]
    return Chart(
        (Line(rates, c.ratios, "c0", width=2), Points(rates, c.ratios, Marker("c0"), hover=hover)),
        x=Axis("firing rate [%]", from_zero=True),
        y=Axis("spiking over non-spiking energy", from_zero=True),
        rules=(Rule("y", 1.0), Rule("x", 100 * c.own_rate)),
    )
