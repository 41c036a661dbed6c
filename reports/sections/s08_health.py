"""Whether the neurons still work: firing rates of the picked network against the float network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reports.number_text import share, short_names, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Chart, Marker, Points, Segments
from reports.run import FinishedRun, HealthRow

TITLE = "Spike health"
LARGE_CHANGE = 0.25  # relative change of a layer's rate that a reviewer should look at


@dataclass(frozen=True)
class Firing:
    """Firing per row of the layer table that owns neurons: spikes per neuron and time step, float and picked.

    `spike_change` is the relative change of all spikes; `moved` are the indices of layers whose rate changes by more
    than LARGE_CHANGE or falls silent. `dead` and `saturated` are shares of neurons per network, None where the run
    has no health.csv. `fixed_point` says whether the design has fixed-point membrane potentials, `health_fixed_point`
    whether dead and saturated neurons were counted with them.
    """

    design: str
    names: tuple[str, ...]
    short: tuple[str, ...]
    float_rate: tuple[float, ...]
    rate: tuple[float, ...]
    spike_change: float
    silent: int
    moved: tuple[int, ...]
    dead: tuple[float, float] | None
    saturated: tuple[float, float] | None
    fixed_point: bool = False
    health_fixed_point: bool = False


def record(run: FinishedRun) -> Firing | None:
    """Rates of the float and the recommended network; None without spikes.csv or without a pick."""
    spikes, picked, reference = run.spikes, run.recommended, run.baselines.get("float")
    if spikes is None or picked is None or reference is None:
        return None
    if picked not in spikes or reference not in spikes:
        return None
    layers = [layer for layer in run.layers if layer.neurons > 0 and layer.lif]
    capacity = np.array([layer.neurons * layer.time_steps for layer in layers], dtype=float)
    before, after = (_spikes(spikes[i], [layer.lif for layer in layers]) for i in (reference, picked))
    design = run.by_id(picked)
    # a design may run another number of time steps than the float network
    steps = design.time_steps / run.by_id(reference).time_steps
    old, new = before / capacity, after / (capacity * steps)
    change = np.abs(new - old) / np.maximum(old, 1e-12)
    short = short_names(layer.name for layer in run.layers)
    rows = run.health or ()
    return Firing(
        design=picked,
        names=tuple(layer.name for layer in layers),
        short=tuple(short[layer.name] for layer in layers),
        float_rate=tuple(old.tolist()),
        rate=tuple(new.tolist()),
        spike_change=float(after.sum() / max(before.sum(), 1e-12) - 1),
        silent=int(((new == 0) & (old > 0)).sum()),
        moved=tuple(int(i) for i in np.flatnonzero(change > LARGE_CHANGE)),
        dead=_shares([(_of(rows, i), [row.dead for row in _of(rows, i)]) for i in (reference, picked)]),
        saturated=_shares([(_of(rows, i), [row.saturated for row in _of(rows, i)]) for i in (reference, picked)]),
        fixed_point=bool(design.state_bits),
        health_fixed_point=any(row.membrane == "fixed" for row in _of(rows, picked)),
    )


def _spikes(counts: Mapping[str, float], lifs: Sequence[str]) -> np.ndarray:
    """Spikes per image of every layer; `lifs` joins the LIF layers that one layer feeds by `;`."""
    return np.array([sum(counts.get(name, 0.0) for name in joined.split(";")) for joined in lifs])


def _of(rows: Sequence[HealthRow], design: str) -> list[HealthRow]:
    return [row for row in rows if row.id == design]


def _shares(networks: Sequence[tuple[Sequence[HealthRow], Sequence[float]]]) -> tuple[float, float] | None:
    """The share of neurons in both networks, given that of every LIF layer; None where one has no rows."""
    if not all(rows for rows, _ in networks):
        return None
    first, second = (
        float(np.sum(np.array(shares) * [row.neurons for row in rows]) / sum(row.neurons for row in rows))
        for rows, shares in networks
    )
    return first, second


def draw(r: Firing | None) -> Drawing:
    """Rates per layer, the shares of dead and saturated neurons, and what moved."""
    if r is None:
        return Drawing(html.not_measured("spike counts", "`svit-dse search` writes spikes.csv for every design."))
    moved = ", ".join(f"{r.short[i]} ({share(r.float_rate[i])} → {share(r.rate[i])})" for i in r.moved[:8])
    more = f" and {len(r.moved) - 8} more" if len(r.moved) > 8 else ""
    changes = (
        f"Layers whose rate changes by more than {share(LARGE_CHANGE, 0)}: {moved}{more}."
        if moved
        else f"No layer's rate changes by more than {share(LARGE_CHANGE, 0)}."
    )
    silent = f" {r.silent} layers fell silent." if r.silent else ""
    direction = "more" if r.spike_change >= 0 else "fewer"
    lead = (
        f"Design {r.design} fires {share(abs(r.spike_change))} {direction} spikes per image than the float "
        f"network. {changes}{silent} Rates are spikes per neuron and time step. {_membranes(r)}"
    )
    shown = chart(r)
    body = html.join(
        html.text(lead, "lead"),
        _neurons(r),
        html.key((("muted", "float"), ("accent", "picked"))),
        html.plot("health", 310, "Firing rate of every layer, float and picked", wide=True),
    )
    caption = f"Firing rate per layer of the float network and of design {r.design}."
    figure = StaticFigure(caption, lambda: printed.figure(shown, height=3.2, legend_columns=2))
    return Drawing(body, {"health": interactive.plot(shown)}, {"health": figure})


def _membranes(r: Firing) -> str:
    """With which membrane potentials the rates were measured."""
    if r.fixed_point:
        return "The rates of the picked design are those of its integer network, with fixed-point membrane potentials."
    return "All rates were measured with float32 membrane potentials."


def _neurons(r: Firing) -> Markup:
    """The shares of dead and saturated neurons, and with which potentials they were counted."""
    if r.dead is None or r.saturated is None:
        return html.not_measured(
            "dead and saturated neurons", "`svit-dse search` writes health.csv for the float network and the picks."
        )
    table = html.table(
        ("Neurons", "Float", "Picked"),
        [
            ("that never fire (dead)", *(share(v, 2) for v in r.dead)),
            ("that fire at every step (saturated)", *(share(v, 2) for v in r.saturated)),
        ],
        numeric=(1, 2),
    )
    if r.fixed_point == r.health_fixed_point:
        return table
    note = "This table was measured with float32 membrane potentials; those of the picked design are fixed-point."
    return html.join(table, html.text(note))


def chart(r: Firing) -> Chart:
    """Two markers per layer joined by a line."""
    x = range(len(r.names))
    series = (
        ("float", r.float_rate, Marker("paper", size=6, edge="muted", edge_width=1.2)),
        ("picked", r.rate, Marker("accent", size=6)),
    )
    points = tuple(
        Points(
            x,
            rates,
            marker,
            name,
            hover=[f"{s}, {name}: {tidy(100 * v)} %" for s, v in zip(r.short, rates, strict=True)],
        )
        for name, rates, marker in series
    )
    return Chart(
        (Segments(x, r.float_rate, r.rate), *points),
        x=Axis(categories=r.short, limits=(-1, len(r.names)), grid=False),
        y=Axis("spikes per neuron and step", from_zero=True),
    )
