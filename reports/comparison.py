"""Several runs in one report: their fronts in one plot, their picks in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports.errors import ReportError
from reports.number_text import NAMES, UNITS, quantity, share, tidy
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.page.page import Part, page
from reports.plots.front import AGAINST
from reports.run import Run, read_run
from reports.run_report import dumped, plain, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
MARKS = ("o", "s", "D", "^", "v", "P", "*", "h")


@dataclass(frozen=True)
class Point:
    """A design on a front: paired drop with its 95 % interval [pp], top-1 share, memory [B], energy [J]."""

    id: str
    drop: float
    low: float
    high: float
    top1: float
    memory_bytes: float
    energy_j: float
    feasible: bool


@dataclass(frozen=True)
class Side:
    """One run of the comparison; `recommended` is an id or None, `verdict` that of the recommended design."""

    name: str
    network: str
    checkpoint: str
    hardware: str
    data: str
    tool: str
    float_top1: float
    evaluations: int
    budgets: dict[str, float]
    recommended: str | None
    verdict: str
    front: tuple[Point, ...]


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side; `warnings` say what makes their numbers hard to compare."""

    sides: tuple[Side, ...]
    warnings: tuple[str, ...]


def compare_runs(run_dirs: list[Path], out: Path, progress: Callable[[int, int], None]) -> Path:
    """See `reports.compare`."""
    if len(run_dirs) < 2:
        raise ReportError(
            f"compare takes at least two run directories; given: {', '.join(map(str, run_dirs)) or 'none'}"
        )
    resolved = [r.resolve() for r in run_dirs]
    for path, given in zip(resolved, run_dirs, strict=True):
        if resolved.count(path) > 1:
            raise ReportError(f"{given}: is given twice; compare takes different run directories")
        if out.resolve() == path:
            raise ReportError(f"{out}: is one of the runs; give the comparison another --out")
    runs: list[Run] = []
    for path in run_dirs:
        progress(len(runs), len(run_dirs) + 1)
        runs.append(read_run(path))
    progress(len(runs), len(run_dirs) + 1)  # the last part is drawing
    r = record(runs, run_dirs)
    title = f"Comparison of {len(r.sides)} runs"
    parts = [Part("comparison", "Fronts", draw(r))]
    numbers = plain(
        {"format": 1, "title": title, "tool": {"name": "svit-dse", "version": r.sides[0].tool}, "comparison": r}
    )
    with replacing(out) as new:
        (new / "report.json").write_text(dumped(numbers), encoding="utf-8")
        (new / "index.html").write_text(page(title, parts, numbers), encoding="utf-8")
        from reports.static.figures import write_figures

        for _ in write_figures(new, title, None, parts):
            pass
    progress(len(runs) + 1, len(run_dirs) + 1)
    return out / "index.html"


def record(runs: list[Run], names: list[Path]) -> Comparison:
    """What the comparison shows."""
    labels = [n.name or str(n) for n in names]
    labels = [n if labels.count(n) == 1 else str(p) for n, p in zip(labels, names, strict=True)]
    sides = tuple(_side(run, name) for run, name in zip(runs, labels, strict=True))
    return Comparison(sides, _warnings(sides))


def _side(run: Run, name: str) -> Side:
    m = run.manifest
    picks = run.picks["picks"]
    good = bool(picks) and all(r["verdict"] == "OK" for r in picks[0]["rows"])
    return Side(
        name=name,
        network=str(m["checkpoint"].get("network") or m["checkpoint"]["name"]),
        checkpoint=str(m["checkpoint"].get("sha256", "")),
        hardware=f"{m['hardware']['name']} {str(m['hardware'].get('sha256', ''))[:8]}",
        data=f"{m['data']['name']} {str(m['data'].get('sha256', ''))[:8]}",
        tool=str(m["tool"]["version"]),
        float_top1=float(m["float"]["top1"]),
        evaluations=len(run.results),
        budgets=run.budgets,
        recommended=run.recommended,
        verdict="OK" if good else "REVIEW",
        front=tuple(
            Point(
                id=str(row["id"]),
                drop=float(row["drop"]),
                low=float(row["drop_low"]),
                high=float(row["drop_high"]),
                top1=float(row["top1"]),
                memory_bytes=float(row["memory_bytes"]),
                energy_j=float(row["energy_j"]),
                feasible=bool(row["feasible"]),
            )
            for row in run.front.to_dict("records")
        ),
    )


def _warnings(sides: tuple[Side, ...]) -> tuple[str, ...]:
    checks = (
        ("data", "The runs use different images; drops are paired within a run, not between runs."),
        (
            "network",
            "The runs use different networks: compare top-1 beside the drop, which is against each float network.",
        ),
        ("tool", "The runs were made by different versions of svit-dse."),
    )
    said = [text for field, text in checks if len({getattr(s, field) for s in sides}) > 1]
    if len({tuple(sorted(s.budgets.items())) for s in sides}) > 1:
        said.append("The runs were judged against different budgets.")
    return tuple(said)


def draw(r: Comparison) -> Drawing:
    """Table, two projections, and the warnings."""
    html = drawing.join(
        *(Markup('<p class="absent">{}</p>').format(w) for w in r.warnings),
        _table(r),
        drawing.key([(f"c{i % 10}", s.name) for i, s in enumerate(r.sides)]),
        drawing.columns(
            *(drawing.plot(f"fronts-{n}", 430, f"Accuracy drop against {n} of every run") for n in AGAINST)
        ),
    )
    plots = {f"fronts-{n}": plotted(r, n) for n in AGAINST}
    caption = "Fronts of all runs with 95 % intervals; designs over a budget of their run are hollow."
    return Drawing(html, plots, {"fronts": StaticFigure(caption, lambda: figure(r))})


def _table(r: Comparison) -> Markup:
    head = (
        "Run",
        "Network",
        "Hardware",
        "Images",
        "Float top-1",
        "Recommended",
        "Drop",
        "Top-1",
        "Memory",
        "Energy",
        "",
    )
    rows = []
    for s in r.sides:
        chosen = next((p for p in s.front if p.id == s.recommended), None)
        values = ("–",) * 4
        if chosen is not None:
            memory, energy = quantity(chosen.memory_bytes, "B"), quantity(chosen.energy_j, "J")
            values = (f"{tidy(chosen.drop)} pp", share(chosen.top1), memory, energy)
        rows.append(
            (
                s.name,
                s.network,
                s.hardware,
                s.data,
                share(s.float_top1),
                s.recommended or "none",
                *values,
                drawing.verdict(s.verdict),
            )
        )
    return drawing.table(head, rows, numeric=(4, 6, 7, 8, 9))


def _every(r: Comparison) -> list[Point]:
    return [p for s in r.sides for p in s.front]


def plotted(r: Comparison, name: str) -> Plot:
    """One projection with a line and markers per run."""
    from reports.plots.style import drop_ticks, root, units_axis

    column = AGAINST[name]
    every = _every(r)
    if not every:
        return {"data": [], "layout": {}}
    _, unit, ticks, texts = units_axis([getattr(p, column) for p in every], UNITS[column])
    drops = drop_ticks(min(p.low for p in every), max(p.high for p in every))
    data: list[dict[str, Any]] = []
    for i, s in enumerate(r.sides):
        points = sorted(s.front, key=lambda p: (getattr(p, column), p.drop))
        centre = root([p.drop for p in points])
        unit_text = UNITS[column]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": s.name,
                "x": [getattr(p, column) for p in points],
                "y": centre.tolist(),
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": (root([p.high for p in points]) - centre).tolist(),
                    "arrayminus": (centre - root([p.low for p in points])).tolist(),
                    "color": f"$c{i % 10}",
                    "thickness": 1,
                    "width": 0,
                },
                "marker": {
                    "symbol": [SHAPES[i % 8] + ("" if p.feasible else "-open") for p in points],
                    "color": f"$c{i % 10}",
                    "size": 8,
                },
                "text": [
                    f"{s.name} {p.id}<br>{tidy(p.drop)} pp, {quantity(getattr(p, column), unit_text)}" for p in points
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    layout = {
        "xaxis": {
            "type": "log",
            "tickvals": ticks,
            "ticktext": texts,
            "title": {"text": f"{NAMES[column].lower()} [{unit}]"},
        },
        "yaxis": {
            "tickvals": root(drops).tolist(),
            "ticktext": [f"{t:g}".replace("-", "−") for t in drops],
            "title": {"text": "accuracy drop [pp]"},
        },
    }
    return {"data": data, "layout": layout}


def figure(r: Comparison) -> Figure:
    """Both projections for slides and print."""
    from reports.plots import style

    made, axes = style.new(1, 2, height=3.6)
    every = _every(r)
    for ax, column in zip(axes, AGAINST.values(), strict=True):
        if not every:
            continue
        _, unit, ticks, texts = style.units_axis([getattr(p, column) for p in every], UNITS[column])
        ax.set_xscale("log")
        style.drop_axis(ax, min(p.low for p in every), max(p.high for p in every))
        for i, s in enumerate(r.sides):
            x = [getattr(p, column) for p in s.front]
            colour = style.CATEGORIES[i % 10]
            ax.vlines(x, [p.low for p in s.front], [p.high for p in s.front], color=colour, lw=0.7, alpha=0.7)
            for fill, good in ((colour, True), ("white", False)):
                points = [p for p in s.front if p.feasible == good]
                xs, ys = [getattr(p, column) for p in points], [p.drop for p in points]
                ax.plot(xs, ys, MARKS[i % 8], ms=3.6, mfc=fill, mec=colour, mew=0.8)
            ax.plot([], [], MARKS[i % 8], color=colour, ms=4, label=s.name if ax is axes[0] else None)
        style.set_cost_ticks(ax, ticks, texts)
        ax.set_xlabel(f"{NAMES[column].lower()} [{unit}]")
        ax.grid(True)
    made.legend(loc="outside upper center", ncols=3)
    return made
