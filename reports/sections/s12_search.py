"""What the search did: hypervolume over evaluations, phases with their cost, why it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports.number_text import share, tidy
from reports.page import html
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Search record"


@dataclass(frozen=True)
class Phase:
    """A phase of the methodology: evaluations, images through the network, wall seconds."""

    name: str
    what: str
    why: str
    evaluations: int
    images: int
    seconds: float


@dataclass(frozen=True)
class Finetuned:
    """A design after training at its widths: drop [pp] with 95 % interval; `before` is its drop untrained, or None."""

    id: str
    top1: float
    drop: float
    low: float
    high: float
    images: int
    before: float | None


@dataclass(frozen=True)
class Search:
    """The search in numbers; `hypervolume[i]` is that of the first i + 1 designs, `baselines` how many of them lead."""

    phases: tuple[Phase, ...]
    stop_reason: str
    failures: tuple[str, ...]
    hypervolume: tuple[float, ...]
    ids: tuple[str, ...]
    baselines: int
    origins: dict[str, int]
    chaos: dict[str, float] | None
    needed_images: int | None
    finetuned: tuple[Finetuned, ...]


def record(run: Run) -> Search:
    """The search record of a run."""
    m = run.manifest
    phases = tuple(
        Phase(
            str(p["name"]), str(p["what"]), str(p["why"]), int(p["evaluations"]), int(p["images"]), float(p["seconds"])
        )
        for p in m["phases"]
    )
    history = run.history
    hypervolume: tuple[float, ...] = ()
    ids: tuple[str, ...] = ()
    leading = 0
    if history is not None:
        hypervolume = tuple(history["hypervolume"].astype(float))
        ids = tuple(history["id"].astype(str))
        named = set(run.baselines.values())
        leading = next((i for i, design in enumerate(ids) if design not in named), len(ids))
    chaos = m.get("chaos")
    return Search(
        phases=phases,
        stop_reason=str(m.get("stop_reason", "")),
        failures=tuple(str(f) for f in m.get("failures", [])),
        hypervolume=hypervolume,
        ids=ids,
        baselines=leading,
        origins={str(k): int(v) for k, v in run.results["origin"].value_counts(sort=False).items()},
        chaos=None if not chaos else {k: float(v) for k, v in chaos.items() if isinstance(v, int | float)},
        needed_images=run.picks.get("needed_images"),
        finetuned=_finetuned(run),
    )


def _finetuned(run: Run) -> tuple[Finetuned, ...]:
    if run.finetuned is None:
        return ()
    known = run.results["drop"]
    return tuple(
        Finetuned(
            id=str(r["id"]),
            top1=float(r["top1"]),
            drop=float(r["drop"]),
            low=float(r["drop_low"]),
            high=float(r["drop_high"]),
            images=int(r["images"]),
            before=float(known[str(r["id"])]) if str(r["id"]) in known.index else None,
        )
        for r in run.finetuned.to_dict("records")
    )


def draw(r: Search) -> Drawing:
    """Hypervolume curve, phases, failures."""
    rows: list[tuple[str | Markup, ...]] = [
        (
            p.name,
            Markup("{}<small>{}</small>").format(p.what, p.why),
            f"{p.evaluations:,}",
            f"{p.images:,}",
            _time(p.seconds),
        )
        for p in r.phases
    ]
    total = ("sum", "", f"{sum(p.evaluations for p in r.phases):,}", f"{sum(p.images for p in r.phases):,}")
    rows.append((*total, _time(sum(p.seconds for p in r.phases))))
    origins = ", ".join(f"{o} {n}" for o, n in r.origins.items() if n > 1)
    parts: list[Markup] = [
        html.text(f"Stopped: {r.stop_reason}. Designs by origin: {origins or 'one of each baseline'}.", "lead"),
        html.table(("Phase", "What and why", "Evaluations", "Images", "Time"), rows, numeric=(2, 3, 4)),
    ]
    if r.chaos is None:
        parts.append(
            html.not_measured(
                "the chaos floor (how many predictions noise alone flips)", "`svit-dse search` measures it."
            )
        )
    else:
        needs = (
            f" A promise within the drop budget therefore takes {r.needed_images:,} images." if r.needed_images else ""
        )
        how = f" (every weight times 1 + {r.chaos['noise']:g} × a standard normal number)" if "noise" in r.chaos else ""
        parts.append(
            html.text(
                f"Noise on the weights{how} changes the predicted class of {tidy(100 * r.chaos['changed'])} % "
                f"of the images: the chaos floor of this network.{needs}"
            )
        )
    if r.failures:
        parts.append(
            html.details(f"{len(r.failures)} evaluations failed", html.table(("Error",), [(f,) for f in r.failures]))
        )
    else:
        parts.append(html.text("No evaluation failed."))
    if r.finetuned:
        parts += [html.heading("Trained further at their widths"), _finetuned_table(r.finetuned)]
    if not r.hypervolume:
        return Drawing(html.join(*parts))
    parts += [
        html.heading("Hypervolume over evaluations"),
        html.text(
            "The share of the objective box, from zero to 10 points of drop and to the largest cost seen, that the "
            "designs so far dominate. A curve that is flat at its end found little more; the "
            "shaded part are the baselines.",
            "lead",
        ),
        html.plot("hypervolume", 290, "Hypervolume after every evaluation"),
    ]
    caption = "Hypervolume of the designs measured so far; baselines shaded."
    figures = {"hypervolume": StaticFigure(caption, lambda: figure(r))}
    return Drawing(html.join(*parts), {"hypervolume": plotted(r)}, figures)


def _finetuned_table(rows: tuple[Finetuned, ...]) -> Markup:
    cells = [
        (
            f.id,
            "–" if f.before is None else f"{tidy(f.before)} pp",
            f"{tidy(f.drop)} pp",
            f"{tidy(f.low)} … {tidy(f.high)}",
            share(f.top1),
            f"{f.images:,}",
        )
        for f in rows
    ]
    head = ("Design", "Drop before", "Drop after", "95 % interval", "Top-1", "Images")
    return html.table(head, cells, numeric=(1, 2, 3, 4, 5))


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plotted(r: Search) -> Plot:
    """The curve with the baselines shaded."""
    x = list(range(1, len(r.hypervolume) + 1))
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "ids": list(r.ids),
            "x": x,
            "y": list(r.hypervolume),
            "line": {"color": "$accent", "width": 1.4, "shape": "hv"},
            "marker": {"size": 3.5, "color": "$accent"},
        }
    ]
    shade = {
        "type": "rect",
        "yref": "paper",
        "x0": 0.5,
        "x1": r.baselines + 0.5,
        "y0": 0,
        "y1": 1,
        "fillcolor": "$rule",
    }
    layout = {
        "xaxis": {"title": {"text": "evaluations"}, "range": [0.5, len(x) + 0.5]},
        "yaxis": {"title": {"text": "hypervolume"}, "rangemode": "tozero"},
        "shapes": [{**shade, "opacity": 0.5, "line": {"width": 0}, "layer": "below"}] if r.baselines else [],
    }
    return {"data": data, "layout": layout}


def figure(r: Search) -> Figure:
    """The curve for slides and print."""
    from reports.plots import style

    made, ax = style.new(height=2.8)
    x = range(1, len(r.hypervolume) + 1)
    ax.step(x, r.hypervolume, where="post", color=style.ACCENT, lw=1.2)
    if r.baselines:
        ax.axvspan(0.5, r.baselines + 0.5, color="#e9ecf0", lw=0, zorder=0)
        ax.text(
            0.5 + r.baselines / 2,
            0.02,
            "baselines",
            ha="center",
            va="bottom",
            fontsize=6.5,
            color=style.MUTED,
            transform=ax.get_xaxis_transform(),
        )
    ax.set_xlim(0.5, len(r.hypervolume) + 0.5)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("evaluations")
    ax.set_ylabel("hypervolume")
    ax.grid(True)
    return made
