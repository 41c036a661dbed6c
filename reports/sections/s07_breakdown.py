"""Where energy and memory go, per component and per stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports.number_text import UNITS, quantity, scale, short_name
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Energy and memory"
QUANTITIES = {"energy": "energy_j", "memory": "memory_bytes"}


@dataclass(frozen=True)
class Parts:
    """One quantity, SI: `by_component[id][component]` and `by_stage[id][stage]`, in the order of the names."""

    components: tuple[str, ...]
    stages: tuple[str, ...]
    by_component: dict[str, tuple[float, ...]]
    by_stage: dict[str, tuple[tuple[float, ...], ...]]


@dataclass(frozen=True)
class Breakdown:
    """Energy and memory of the detailed designs; `compared` are (name, id) of those drawn side by side.

    `by_stage[id][stage]` splits a stage by component.
    """

    parts: dict[str, Parts]
    compared: tuple[tuple[str, str], ...]


def record(run: Run) -> Breakdown | None:
    """The breakdown of the front and the baselines; None when the run has no breakdown.csv."""
    table = run.breakdown
    if table is None:
        return None
    known = set(table["id"])
    wanted = [("recommended", run.recommended), ("guided", run.baselines.get("guided"))]
    wanted += [(o.replace("-", " "), i) for o, i in run.baselines.items() if o in ("uniform-8", "uniform-4")]
    compared = tuple((n, i) for n, i in wanted if i is not None and i in known)
    return Breakdown({name: _parts(run, column) for name, column in QUANTITIES.items()}, compared)


def _parts(run: Run, column: str) -> Parts:
    assert run.breakdown is not None
    table = run.breakdown[run.breakdown["quantity"] == column]
    components = tuple(dict.fromkeys(table["component"]))
    stages = tuple(s for s in dict.fromkeys(run.layers["stage"]) if s in set(table["stage"]))
    cube = table.pivot_table(index=["id", "stage"], columns="component", values="value", aggfunc="sum", fill_value=0.0)
    ids = list(dict.fromkeys(map(str, cube.index.get_level_values("id"))))
    full = pd.MultiIndex.from_product([ids, stages])
    values = cube.reindex(index=full, columns=list(components), fill_value=0.0).to_numpy(dtype=float)
    values = values.reshape(len(ids), len(stages), len(components))
    by_stage = {i: tuple(map(tuple, part)) for i, part in zip(ids, values.tolist(), strict=True)}
    by_component = {i: tuple(part) for i, part in zip(ids, values.sum(axis=1).tolist(), strict=True)}
    return Parts(components, stages, by_component, by_stage)


def draw(r: Breakdown | None) -> Drawing:
    """Stacked bars per component for a few designs, and per stage for the selected one."""
    if r is None:
        return Drawing(drawing.not_measured("the breakdown", "`svit-dse search` writes breakdown.csv."))
    html = drawing.join(
        drawing.text(
            "Modelled cost of one image, split by what causes it. The upper pair compares the recommended design with "
            "the baselines and the design selected on this page; the lower pair splits the selected design by stage.",
            "lead",
        ),
        drawing.columns(*(_place(r, n, "component") for n in QUANTITIES)),
        drawing.columns(*(_place(r, n, "stage") for n in QUANTITIES)),
        drawing.details("The same as a table", _table(r)),
    )
    plots = {f"{n}-component": by_component(r, n) for n in QUANTITIES} | {
        f"{n}-stage": by_stage(r, n) for n in QUANTITIES
    }
    caption = "Energy per image and memory by component, recommended design against baselines, and by stage."
    return Drawing(html, plots, {"breakdown": StaticFigure(caption, lambda: figure(r))} if r.compared else {})


def _place(r: Breakdown, name: str, by: str) -> Markup:
    title = f"{name.capitalize()} by {by}" + (" of the selected design" if by == "stage" else "")
    legend = (
        drawing.key((f"box c{i}", readable(c)) for i, c in enumerate(r.parts[name].components))
        if by == "component"
        else ""
    )
    return drawing.join(
        drawing.heading(title), legend, drawing.plot(f"{name}-{by}", 230 if by == "component" else 300, title)
    )


def readable(component: str) -> str:
    """A component's name in words."""
    return component.replace("_", " ")


def by_component(r: Breakdown, name: str) -> Plot:
    """Horizontal stacked bars, one per compared design; `app.js` adds the selected design."""
    parts, unit = r.parts[name], UNITS[QUANTITIES[name]]
    factor, prefixed = _unit(r, name)
    names = [n for n, _ in r.compared][::-1]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "y": names,
            "x": [parts.by_component[i][k] / factor for _, i in r.compared][::-1],
            "marker": {"color": f"$c{k}", "line": {"width": 0}},
            "text": [f"{readable(c)}: {quantity(parts.by_component[i][k], unit)}" for _, i in r.compared][::-1],
            "textposition": "none",
            "hovertemplate": "%{y}<br>%{text}<extra></extra>",
            "meta": k,
        }
        for k, c in enumerate(parts.components)
    ]
    meta = {"breakdown": name, "factor": factor, "unit": prefixed}
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": f"{name} [{prefixed}]"}},
        "yaxis": {"showgrid": False},
        "meta": meta,
    }
    return {"data": data, "layout": layout}


def _unit(r: Breakdown, name: str) -> tuple[float, str]:
    totals = [sum(r.parts[name].by_component[i]) for _, i in r.compared] or [1.0]
    return scale(max(totals), UNITS[QUANTITIES[name]])


def by_stage(r: Breakdown, name: str) -> Plot:
    """Stacked bars per stage of the first compared design; `app.js` redraws them for the selected one."""
    parts, unit = r.parts[name], UNITS[QUANTITIES[name]]
    shown = (
        np.array(parts.by_stage[r.compared[0][1]])
        if r.compared
        else np.zeros((len(parts.stages), len(parts.components)))
    )
    factor, prefixed = scale(float(shown.sum(axis=1).max(initial=0.0)), unit)
    data = [
        {
            "type": "bar",
            "x": [short_name(s) for s in parts.stages],
            "y": (shown[:, k] / factor).tolist(),
            "marker": {"color": f"$c{k}", "line": {"width": 0}},
            "hovertemplate": f"%{{x}}, {readable(c)}: %{{y:.3g}} {prefixed}<extra></extra>",
            "meta": k,
        }
        for k, c in enumerate(parts.components)
    ]
    meta = {"stages": name, "factor": factor}
    layout = {
        "barmode": "stack",
        "yaxis": {"title": {"text": f"{name} [{prefixed}]"}},
        "xaxis": {"showgrid": False, "tickangle": 0, "tickfont": {"size": 10}},
        "meta": meta,
    }
    return {"data": data, "layout": layout}


def _table(r: Breakdown) -> Markup:
    out = []
    for name, column in QUANTITIES.items():
        parts = r.parts[name]
        rows = []
        for k, c in enumerate(parts.components):
            rows.append((readable(c), *(quantity(parts.by_component[i][k], UNITS[column]) for _, i in r.compared)))
        rows.append(("sum", *(quantity(sum(parts.by_component[i]), UNITS[column]) for _, i in r.compared)))
        head = (name.capitalize(), *(n for n, _ in r.compared))
        out.append(drawing.table(head, rows, numeric=range(1, len(head))))
    return drawing.join(*out)


def figure(r: Breakdown) -> Figure:
    """Components of the compared designs, and the stages of the first, for slides and print."""
    from reports.plots import style

    made, axes = style.new(2, 2, height=4.6)
    for row, name in zip(axes.T, QUANTITIES, strict=True):
        parts = r.parts[name]
        factor, prefixed = _unit(r, name)
        values = np.array([parts.by_component[i] for _, i in r.compared]) / factor
        left = np.zeros(len(values))
        for k, c in enumerate(parts.components):
            row[0].barh(
                [n for n, _ in r.compared], values[:, k], left=left, color=style.CATEGORIES[k % 10], label=readable(c)
            )
            left += values[:, k]
        row[0].invert_yaxis()
        row[0].set_xlabel(f"{name} [{prefixed}]")
        row[0].set_title(name.capitalize())
        row[0].legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.2), fontsize=6)
        stages = np.array(parts.by_stage[r.compared[0][1]])
        factor, prefixed = scale(float(stages.sum(axis=1).max()), UNITS[QUANTITIES[name]])
        bottom = np.zeros(len(stages))
        for k in range(len(parts.components)):
            row[1].bar(
                [short_name(s) for s in parts.stages],
                stages[:, k] / factor,
                bottom=bottom,
                color=style.CATEGORIES[k % 10],
            )
            bottom += stages[:, k] / factor
        row[1].tick_params(axis="x", rotation=90)
        row[1].set_ylabel(f"{name} [{prefixed}]")
        row[1].set_title(f"By stage, {r.compared[0][0]}")
    return made
