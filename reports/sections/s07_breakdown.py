"""Where energy and memory go, per component and per stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from reports.number_text import UNITS, band_text, quantity, scale, short_name
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed, style
from reports.plots.description import Axis, Bars, Chart
from reports.plots.interactive import Plot
from reports.run import Breakdown, FinishedRun
from reports.sections._binding import Binding, binding_of, what_binds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Energy and memory"
QUANTITIES = {"energy": "energy_j", "memory": "memory_bytes"}


@dataclass(frozen=True)
class CostParts:
    """One quantity, SI: `by_component[id][component]` and `by_stage[id][stage]`, in the order of the names."""

    components: tuple[str, ...]
    stages: tuple[str, ...]
    by_component: dict[str, tuple[float, ...]]
    by_stage: dict[str, tuple[tuple[float, ...], ...]]


@dataclass(frozen=True)
class CostBreakdown:
    """Energy and memory of the detailed designs; `compared` are (name, id) of those drawn side by side.

    `binding` is the time [s] of the stages of the first of them by the resource that binds their layers.

    `by_stage[id][stage]` splits a stage by component, `bands` has the least and greatest energy [J] of the compared,
    `component_bands` those of its components by design, `stage_bands` those of a stage and component by design.
    """

    parts: dict[str, CostParts]
    compared: tuple[tuple[str, str], ...]
    binding: Binding = ()
    bands: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    component_bands: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    stage_bands: dict[str, dict[str, dict[str, tuple[float, float]]]] = field(default_factory=dict)

    def band(self, name: str, design: str, component: str) -> tuple[float, float] | None:
        """Least and greatest of a component of the energy of a compared design; None where it is not known."""
        return self.component_bands.get(design, {}).get(component) if name == "energy" else None


def record(run: FinishedRun) -> CostBreakdown | None:
    """The breakdown of the front and the baselines; None when the run has no breakdown.csv, or an empty one."""
    if not run.breakdown:
        return None
    known = {design for _, design, _, _ in run.breakdown}
    wanted = [("recommended", run.recommended), ("guided", run.baselines.get("guided"))]
    wanted += [(o.replace("-", " "), i) for o, i in run.baselines.items() if o in ("uniform-8", "uniform-4")]
    compared = tuple((n, i) for n, i in wanted if i is not None and i in known)
    stages = tuple(dict.fromkeys(layer.stage for layer in run.layers))
    parts = {name: _parts(run.breakdown, column, stages) for name, column in QUANTITIES.items()}
    bands = {design: run.by_id(design).energy_band for _, design in compared}
    own: dict[str, dict[str, tuple[float, float]]] = {}
    for (design, layer, part), band in run.energy_parts.items():
        if not layer:
            own.setdefault(design, {})[part] = band
    by_stage: dict[str, dict[str, dict[str, tuple[float, float]]]] = {}
    for (design, stage, part), band in run.stage_bands.items():
        by_stage.setdefault(design, {}).setdefault(stage, {})[part] = band
    binding = binding_of(run.breakdown, compared[0][1], stages) if compared else ()
    return CostBreakdown(parts, compared, binding, bands, own, by_stage)


def _parts(breakdown: Breakdown, column: str, stages: tuple[str, ...]) -> CostParts:
    """One quantity of all designs, sorted by id; what a stage does not have is zero."""
    values = {key[1:]: value for key, value in breakdown.items() if key[0] == column}
    components = tuple(dict.fromkeys(component for _, _, component in values))
    met = {stage for _, stage, _ in values}
    stages = tuple(stage for stage in stages if stage in met)
    ids = sorted({design for design, _, _ in values})
    cube = np.array([[[values.get((i, s, c), 0.0) for c in components] for s in stages] for i in ids])
    cube = cube.reshape(len(ids), len(stages), len(components))
    by_stage = {i: tuple(map(tuple, part)) for i, part in zip(ids, cube.tolist(), strict=True)}
    by_component = {i: tuple(part) for i, part in zip(ids, cube.sum(axis=1).tolist(), strict=True)}
    return CostParts(components, stages, by_component, by_stage)


def draw(r: CostBreakdown | None) -> Drawing:
    """Stacked bars per component for a few designs, and per stage for the selected one."""
    if r is None:
        return Drawing(html.not_measured("the breakdown", "`svit-dse search` writes breakdown.csv for a chip's model."))
    body = html.join(
        html.text(_lead(r), "lead"),
        html.columns(*(_place(r, n, "component") for n in QUANTITIES)),
        html.columns(*(_place(r, n, "stage") for n in QUANTITIES)),
        *what_binds(r.binding, _first(r)),
        html.details("The same as a table", _table(r)),
    )
    plots = {f"{n}-component": components_on_page(r, n) for n in QUANTITIES}
    plots |= {f"{n}-stage": stages_on_page(r, n) for n in QUANTITIES}
    caption = f"Energy per image and memory by component, of {_names(r)}, and by stage of {_first(r)}."
    return Drawing(body, plots, {"breakdown": StaticFigure(caption, lambda: figure(r))} if r.compared else {})


def _names(r: CostBreakdown) -> str:
    return ", ".join(name for name, _ in r.compared)


def _first(r: CostBreakdown) -> str:
    return r.compared[0][0] if r.compared else "no design"


def _lead(r: CostBreakdown) -> str:
    """What the plots show of this run: the recommended design is there only where breakdown.csv has it."""
    compared = f" The upper pair compares {_names(r)} and the design selected on this page." if r.compared else ""
    return (
        f"Modelled cost of one image, by component.{compared} The lower pair splits the selected design by "
        "stage. Only the front, the verified designs and the baselines have a breakdown; selecting "
        "another design changes nothing here."
    )


def _place(r: CostBreakdown, name: str, by: str) -> Markup:
    title = f"{name.capitalize()} by {by}" + (" of the selected design" if by == "stage" else "")
    legend = (
        html.key((f"box c{i}", readable(c)) for i, c in enumerate(r.parts[name].components))
        if by == "component"
        else ""
    )
    return html.join(html.heading(title), legend, html.plot(f"{name}-{by}", 230 if by == "component" else 300, title))


def readable(component: str) -> str:
    """A component's name in words."""
    return component.replace("_", " ")


def component_chart(r: CostBreakdown, name: str) -> Chart:
    """Horizontal stacked bars, one per compared design, the first at the top."""
    parts, unit = r.parts[name], UNITS[QUANTITIES[name]]
    factor, prefixed = _unit(r, name)
    rows = r.compared[::-1]
    bars = tuple(
        Bars(
            names=[n for n, _ in rows],
            values=[parts.by_component[i][k] / factor for _, i in rows],
            colour=f"c{k % 10}",
            name=readable(component),
            hover=[
                f"{readable(component)}: {band_text(quantity(parts.by_component[i][k], unit), band, unit)}"
                for _, i in rows
                for band in [r.band(name, i, component)]
            ],
            key=k,
        )
        for k, component in enumerate(parts.components)
    )
    return Chart(bars, x=Axis(f"{name} [{prefixed}]"), y=Axis(grid=False), stacked=True, title=name.capitalize())


def components_on_page(r: CostBreakdown, name: str) -> Plot:
    """The chart by component; `app.js` adds the selected design."""
    factor, prefixed = _unit(r, name)
    plot = interactive.plot(component_chart(r, name))
    plot["layout"]["meta"] = {"breakdown": name, "factor": factor, "unit": prefixed}
    return plot


def _unit(r: CostBreakdown, name: str) -> tuple[float, str]:
    totals = [sum(r.parts[name].by_component[i]) for _, i in r.compared] or [1.0]
    return scale(max(totals), UNITS[QUANTITIES[name]])


def _stages(r: CostBreakdown, name: str) -> tuple[np.ndarray, float, str]:
    """Stages by components of the first compared design in the prefixed unit, the factor of that unit, and the unit."""
    parts = r.parts[name]
    shape = (len(parts.stages), len(parts.components))
    values = np.array(parts.by_stage[r.compared[0][1]]) if r.compared else np.zeros(shape)
    factor, prefixed = scale(float(values.sum(axis=1).max(initial=0.0)), UNITS[QUANTITIES[name]])
    return values / factor, factor, prefixed


def stage_chart(r: CostBreakdown, name: str) -> Chart:
    """Stacked bars per stage of the first compared design."""
    parts = r.parts[name]
    values, factor, unit = _stages(r, name)
    names = [short_name(s) for s in parts.stages]
    own = r.stage_bands.get(r.compared[0][1], {}) if r.compared and name == "energy" else {}
    si = UNITS[QUANTITIES[name]]
    bars = tuple(
        Bars(
            names,
            values[:, k].tolist(),
            f"c{k % 10}",
            readable(c),
            hover=[
                f"{readable(c)}: {band_text(quantity(float(value) * factor, si), own.get(stage, {}).get(c), si)}"
                for stage, value in zip(parts.stages, values[:, k], strict=True)
            ],
            unit=unit,
            horizontal=False,
            key=k,
        )
        for k, c in enumerate(parts.components)
    )
    title = f"By stage, {r.compared[0][0]}" if r.compared else ""
    return Chart(bars, x=Axis(grid=False), y=Axis(f"{name} [{unit}]"), stacked=True, title=title)


def stages_on_page(r: CostBreakdown, name: str) -> Plot:
    """The chart by stage; `app.js` redraws it for the selected design."""
    plot = interactive.plot(stage_chart(r, name))
    plot["layout"]["xaxis"] |= {"tickangle": 0, "tickfont": {"size": 10}}
    plot["layout"]["meta"] = {"stages": name, "factor": _stages(r, name)[1]}
    return plot


def _table(r: CostBreakdown) -> Markup:
    out = []
    for name, column in QUANTITIES.items():
        parts = r.parts[name]
        rows: list[tuple[str | Markup, ...]] = []
        for k, c in enumerate(parts.components):
            said = ((quantity(parts.by_component[i][k], UNITS[column]), r.band(name, i, c)) for _, i in r.compared)
            rows.append((readable(c), *(html.with_band(text, band, UNITS[column]) for text, band in said)))
        bands = r.bands if name == "energy" else {}
        totals = ((quantity(sum(parts.by_component[i]), UNITS[column]), bands.get(i)) for _, i in r.compared)
        rows.append(("sum", *(html.with_band(said, band, UNITS[column]) for said, band in totals)))
        head = (name.capitalize(), *(n for n, _ in r.compared))
        out.append(html.table(head, rows, numeric=range(1, len(head))))
    return html.join(*out)


def figure(r: CostBreakdown) -> Figure:
    """Components of the compared designs, and the stages of the first, for slides and print."""
    made, axes = style.new(2, 2, height=4.6)
    for (above, below), name in zip(axes.T, QUANTITIES, strict=True):
        printed.draw(above, component_chart(r, name))
        above.grid(False)
        above.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.2), fontsize=6)
        printed.draw(below, stage_chart(r, name))
        below.grid(False)
        below.tick_params(axis="x", rotation=90)
    return made
