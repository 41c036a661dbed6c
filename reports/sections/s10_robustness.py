"""How far the decision hangs on uncertain constants: tornado, rank stability, survival on the front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.errors import ReportError
from reports.number_text import label, share, tidy
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Robustness of the decision"
MOST_BARS = 14


@dataclass(frozen=True)
class Swing:
    """A constant and the relative change of the objective at the low and the high end of its range."""

    constant: str
    range: str
    low: float
    high: float


@dataclass(frozen=True)
class Scenario:
    """One changed constant: Kendall's tau of the ranking, the share of the front that stays on it."""

    constant: str
    change: str
    tau: float
    front_kept: float


@dataclass(frozen=True)
class Robustness:
    """Widest swing first; `survival` is the share of scenarios in which each front design stays on the front."""

    objective: str
    designs: int
    swings: tuple[Swing, ...]
    scenarios: tuple[Scenario, ...]
    survival: dict[str, float]
    recommended: str | None


def record(run: Run) -> Robustness | None:
    """What stability.json says; None when the run has none."""
    told = run.stability
    if told is None:
        return None
    try:
        swings = [
            Swing(str(t["constant"]), str(t["range"]), float(t["low_change"]), float(t["high_change"]))
            for t in told["tornado"]
        ]
        scenarios = [
            Scenario(str(s["constant"]), str(s["change"]), float(s["tau"]), float(s["front_kept"]))
            for s in told["scenarios"]
        ]
        survival = {_design(run, s["design"]): float(s["share"]) for s in told.get("survival", [])}
    except (KeyError, TypeError) as error:
        raise ReportError(
            f"{run.directory / 'stability.json'}: {error} is missing or of another form; write it again"
        ) from None
    return Robustness(
        objective=str(told.get("objective", "energy_j")),
        designs=int(told.get("designs", len(run.results))),
        swings=tuple(sorted(swings, key=lambda s: -abs(s.high - s.low))),
        scenarios=tuple(sorted(scenarios, key=lambda s: (s.tau, s.constant, s.change))),
        survival=survival,
        recommended=run.recommended,
    )


def _design(run: Run, entry: Any) -> str:
    """A design is named by its id or by its row in results.csv."""
    if isinstance(entry, str):
        return entry
    if not 0 <= int(entry) < len(run.rows):
        raise ReportError(
            f"{run.directory / 'stability.json'}: design {entry} is no row of results.csv; write it again"
        )
    return run.rows[int(entry)]


def draw(r: Robustness | None) -> Drawing:
    """Tornado, the scenarios that shake the ranking most, and the recommended design's survival."""
    if r is None:
        return Drawing(
            drawing.not_measured(
                "how the ranking of designs changes with uncertain constants",
                "`costmodels.studies.stability` changes every constant in turn; its record is stability.json.",
            )
        )
    stays = r.survival.get(r.recommended or "")
    told = f" The recommended design stays on the front in {share(stays, 0)} of them." if stays is not None else ""
    worst = r.scenarios[0] if r.scenarios else None
    rank = (
        f" The ranking changes most with {worst.constant} ({worst.change}): Kendall's tau {tidy(worst.tau)}."
        if worst
        else ""
    )
    left = f" The {len(r.swings) - MOST_BARS} narrowest are in report.json." if len(r.swings) > MOST_BARS else ""
    rows = [(s.constant, s.change, tidy(s.tau, 3), share(s.front_kept, 0)) for s in r.scenarios[:8]]
    html = drawing.join(
        drawing.text(
            f"Every uncertain constant was moved in turn and {r.designs:,} designs were costed again: "
            f"{len(r.scenarios)} scenarios.{rank}{told}",
            "lead",
        ),
        drawing.heading(f"{label(r.objective)} when one constant moves over its range"),
        drawing.text(f"Bars show the relative change at the low and at the high end of the range.{left}", "lead"),
        drawing.key((("box c4", "low end"), ("box c0", "high end"))),
        drawing.plot(
            "tornado", 90 + 26 * min(len(r.swings), MOST_BARS), "Relative change of the objective per constant"
        ),
        drawing.table(
            ("Constant", "Change", "Kendall's tau of the ranking", "Front kept"),
            rows,
            "The scenarios that change the ranking most",
            numeric=(2, 3),
        ),
    )
    caption = f"Relative change of the {label(r.objective).lower()} when one constant moves over its range."
    return Drawing(
        html, {"tornado": plotted(r)}, {"tornado": StaticFigure(caption, lambda: figure(r))} if r.swings else {}
    )


def plotted(r: Robustness) -> Plot:
    """Two bars per constant, widest at the top."""
    shown = r.swings[:MOST_BARS][::-1]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [s.constant for s in shown],
            "x": [100 * getattr(s, end) for s in shown],
            "marker": {"color": colour, "line": {"width": 0}},
            "text": [f"{s.constant} at its {end} end ({s.range}): {tidy(100 * getattr(s, end), 1)} %" for s in shown],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
        for end, colour in (("low", "$c4"), ("high", "$c0"))
    ]
    layout = {
        "barmode": "overlay",
        "xaxis": {"title": {"text": "change [%]"}, "zeroline": True, "zerolinecolor": "$muted"},
        "yaxis": {"showgrid": False, "tickfont": {"size": 10}},
    }
    return {"data": data, "layout": layout}


def figure(r: Robustness) -> Figure:
    """The tornado for slides and print."""
    from reports.plots import style

    shown = r.swings[:MOST_BARS]
    made, ax = style.new(height=1.0 + 0.24 * len(shown))
    names = [s.constant for s in shown]
    ax.barh(names, [100 * s.low for s in shown], color=style.CATEGORIES[4], label="low end")
    ax.barh(names, [100 * s.high for s in shown], color=style.CATEGORIES[0], label="high end")
    ax.axvline(0, color=style.MUTED, lw=0.8)
    ax.invert_yaxis()
    ax.set_xlabel(f"change of the {label(r.objective).lower()} [%]")
    ax.grid(True, axis="x")
    made.legend(loc="outside upper center", ncols=2)
    return made
