"""Whether the neurons still work: firing rates of the picked network against the float network's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports.number_text import share, short_names, tidy
from reports.page import html
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Spike health"
LARGE_CHANGE = 0.25  # relative change of a layer's rate that a reviewer should look at


@dataclass(frozen=True)
class Health:
    """Firing per row of the layer table that owns neurons: spikes per neuron and time step, float and picked.

    `spike_change` is the relative change of all spikes; `moved` are the indices of layers whose rate changes by more
    than LARGE_CHANGE or falls silent. `dead` and `saturated` are shares of neurons per network, None where the run
    has no health.csv.
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


def record(run: Run) -> Health | None:
    """Rates of the float and the recommended network; None without spikes.csv or without a pick."""
    spikes, chosen, reference = run.spikes, run.recommended, run.baselines.get("float")
    if spikes is None or chosen is None or reference is None:
        return None
    counts = spikes.drop_duplicates("id").set_index("id")
    if chosen not in counts.index or reference not in counts.index:
        return None
    rows = run.layers[(run.layers["neurons"] > 0) & run.layers["lif"].notna()]
    capacity = (rows["neurons"] * rows["time_steps"]).to_numpy(dtype=float)
    before, after = (_spikes(counts.loc[i], rows["lif"]) for i in (reference, chosen))
    # a design may run another number of time steps than the float network
    steps = float(run.results.loc[chosen, "time_steps"]) / float(run.results.loc[reference, "time_steps"])
    old, new = before / capacity, after / (capacity * steps)
    change = np.abs(new - old) / np.maximum(old, 1e-12)
    short = short_names(run.layers["name"])
    health = run.health
    return Health(
        design=chosen,
        names=tuple(rows["name"]),
        short=tuple(short[n] for n in rows["name"]),
        float_rate=tuple(old.tolist()),
        rate=tuple(new.tolist()),
        spike_change=float(after.sum() / max(before.sum(), 1e-12) - 1),
        silent=int(((new == 0) & (old > 0)).sum()),
        moved=tuple(int(i) for i in np.flatnonzero(change > LARGE_CHANGE)),
        dead=_share(health, "dead", reference, chosen),
        saturated=_share(health, "saturated", reference, chosen),
    )


def _spikes(counts: pd.Series, lif: pd.Series) -> Any:
    return np.array([sum(float(counts.get(f"s:{name}", 0.0)) for name in joined.split(";")) for joined in lif])


def _share(health: pd.DataFrame | None, column: str, *ids: str) -> tuple[float, float] | None:
    if health is None:
        return None
    out = []
    for i in ids:
        part = health[health["id"] == i]
        if part.empty:
            return None
        out.append(float((part[column] * part["neurons"]).sum() / part["neurons"].sum()))
    return out[0], out[1]


def draw(r: Health | None) -> Drawing:
    """Rates per layer, the shares of dead and saturated neurons, and what moved."""
    if r is None:
        return Drawing(html.not_measured("spike counts", "`svit-dse search` writes spikes.csv for every design."))
    moved = ", ".join(f"{r.short[i]} ({share(r.float_rate[i])} → {share(r.rate[i])})" for i in r.moved[:8])
    more = f" and {len(r.moved) - 8} more" if len(r.moved) > 8 else ""
    told = (
        f"Layers whose rate changes by more than {share(LARGE_CHANGE, 0)}: {moved}{more}."
        if moved
        else (f"No layer's rate changes by more than {share(LARGE_CHANGE, 0)}.")
    )
    silent = f" {r.silent} layers fell silent." if r.silent else ""
    direction = "more" if r.spike_change >= 0 else "fewer"
    parts: list[Markup] = [
        html.text(
            f"Design {r.design} fires {share(abs(r.spike_change))} {direction} spikes per image than the float "
            f"network. {told}{silent} A rate is spikes per neuron and time step.",
            "lead",
        )
    ]
    if r.dead is not None and r.saturated is not None:
        parts.append(
            html.table(
                ("Neurons", "Float", "Picked"),
                [
                    ("that never fire (dead)", *(share(v, 2) for v in r.dead)),
                    ("that fire at every step (saturated)", *(share(v, 2) for v in r.saturated)),
                ],
                numeric=(1, 2),
            )
        )
    else:
        parts.append(
            html.not_measured(
                "dead and saturated neurons",
                "`sviT_models.spike_health` measures them per layer; health.csv holds them.",
            )
        )
    parts += [
        html.key((("muted", "float"), ("accent", "picked"))),
        html.plot("health", 310, "Firing rate of every layer, float and picked", wide=True),
    ]
    caption = f"Firing rate per layer of the float network and of design {r.design}."
    return Drawing(html.join(*parts), {"health": plotted(r)}, {"health": StaticFigure(caption, lambda: figure(r))})


def plotted(r: Health) -> Plot:
    """Two markers per layer joined by a line."""
    x = list(range(len(r.names)))
    joined_x = [v for i in x for v in (i, i, None)]
    joined_y = [v for a, b in zip(r.float_rate, r.rate, strict=True) for v in (a, b, None)]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": joined_x,
            "y": joined_y,
            "line": {"color": "$faint", "width": 1},
            "hoverinfo": "skip",
        }
    ]
    for what, values, colour, symbol in (
        ("float", r.float_rate, "$muted", "circle-open"),
        ("picked", r.rate, "$accent", "circle"),
    ):
        text = [f"{s}, {what}: {tidy(100 * v)} %" for s, v in zip(r.short, values, strict=True)]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": x,
                "y": list(values),
                "marker": {"color": colour, "symbol": symbol, "size": 6},
                "text": text,
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    step = max(1, len(x) // 38)
    ticks = {
        "tickvals": x[::step],
        "ticktext": list(r.short[::step]),
        "tickangle": -90,
        "showgrid": False,
        "range": [-1, len(x)],
    }
    return {
        "data": data,
        "layout": {"xaxis": ticks, "yaxis": {"title": {"text": "spikes per neuron and step"}, "rangemode": "tozero"}},
    }


def figure(r: Health) -> Figure:
    """Rates for slides and print."""
    from reports.plots import style

    made, ax = style.new(height=3.2)
    x = np.arange(len(r.names))
    ax.vlines(x, r.float_rate, r.rate, color=style.FAINT, lw=0.8)
    ax.plot(x, r.float_rate, "o", ms=3, mfc="white", mec=style.MUTED, mew=0.8, label="float")
    ax.plot(x, r.rate, "o", ms=3, color=style.ACCENT, mew=0, label="picked")
    step = max(1, len(x) // 32)
    ax.set_xticks(x[::step], r.short[::step], rotation=90, fontsize=5.5)
    ax.set_xlim(-1, len(x))
    ax.set_ylim(bottom=0)
    ax.set_ylabel("spikes per neuron and step")
    ax.grid(True, axis="y")
    made.legend(loc="outside upper center", ncols=2)
    return made
