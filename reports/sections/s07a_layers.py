"""The recommended design layer by layer: what binds it, and where its energy goes."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import quantity, scale, share, short_name
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Bars, Chart
from reports.run import FinishedRun, LayerCost
from reports.run.layer_costs import DRAM, LEAKAGE, MULTIBIT, SPIKING, Band

TITLE = "Layer by layer"


@dataclass(frozen=True)
class LayerByLayer:
    """Layers of the recommended design in network order, energy by kind of row and place [J], its bands in the same
    order, and that of the sum.
    """

    design: str
    layers: tuple[LayerCost, ...]
    spiking_j: float
    multibit_j: float
    off_chip_j: float
    static_j: float
    energy_band: Band = None
    part_bands: tuple[Band, Band, Band, Band] = (None, None, None, None)


def record(run: FinishedRun) -> LayerByLayer | None:
    """The layers of the recommended design; None where breakdown.csv does not hold it."""
    layers = run.layer_costs
    if not layers or run.recommended is None:
        return None
    design = run.recommended

    def known(part: str) -> Band:
        return run.energy_parts.get((design, "", part))

    on_chip = [(layer, layer.energy_j - layer.off_chip_j - layer.static_j) for layer in layers]
    return LayerByLayer(
        design=run.recommended,
        layers=layers,
        spiking_j=sum(energy for layer, energy in on_chip if layer.spiking),
        multibit_j=sum(energy for layer, energy in on_chip if not layer.spiking),
        off_chip_j=sum(layer.off_chip_j for layer in layers),
        static_j=sum(layer.static_j for layer in layers),
        energy_band=run.by_id(run.recommended).energy_band,
        part_bands=(known(SPIKING), known(MULTIBIT), known(DRAM), known(LEAKAGE)),
    )


def draw(r: LayerByLayer | None) -> Drawing:
    """A bar per layer in the colour of what binds it, the four parts of the energy, and all layers as a table."""
    if r is None:
        return Drawing(html.not_measured("the layers of the recommended design", "`svit-dse search` writes them."))
    parts = {
        "spiking rows, on chip": r.spiking_j,
        "multi-bit rows, on chip": r.multibit_j,
        "off chip (DRAM)": r.off_chip_j,
        "leakage and clock": r.static_j,
    }
    whole = sum(parts.values()) or 1.0
    rows: list[tuple[str | Markup, ...]] = [
        (name, html.with_band(quantity(value, "J"), band, "J"), share(value / whole))
        for (name, value), band in zip(parts.items(), r.part_bands, strict=True)
    ]
    rows.append(("sum", html.with_band(quantity(whole, "J"), r.energy_band, "J"), share(1.0)))
    bound = _resources(r)
    body = html.join(
        html.table(("Energy of the recommended design", "", "Share"), rows, numeric=(1, 2)),
        html.text(
            "Time of every layer over all time steps. The colour is the resource that limits it: the slowest of "
            "compute, memory ports, network and DRAM. A faster resource shortens only the layers that it limits.",
            "lead",
        ),
        html.key((f"box c{i}", name) for i, name in enumerate(bound)),
        html.plot("layer-times", 300, "Time of every layer by limiting resource"),
        html.details("All layers as a table", _table(r)),
    )
    shown = chart(r)
    caption = "Time of every layer of the recommended design, by the resource that limits it."
    plot = interactive.plot(shown)
    plot["layout"]["xaxis"] |= {"showticklabels": False}
    return Drawing(
        body, {"layer-times": plot}, {"layer-times": StaticFigure(caption, lambda: printed.figure(shown, 3.0))}
    )


def _resources(r: LayerByLayer) -> tuple[str, ...]:
    """What binds any layer, the most time first."""
    times: dict[str, float] = {}
    for layer in r.layers:
        times[layer.binding] = times.get(layer.binding, 0.0) + layer.time_s
    return tuple(sorted((name for name in times if name), key=lambda name: -times[name]))


def chart(r: LayerByLayer) -> Chart:
    """A bar per layer, a series per resource."""
    factor, unit = scale(max(layer.time_s for layer in r.layers), "s")
    marks = []
    for place, name in enumerate(_resources(r)):
        layers = [layer for layer in r.layers if layer.binding == name]
        marks.append(
            Bars(
                names=[layer.layer for layer in layers],
                values=[layer.time_s / factor for layer in layers],
                colour=f"c{place}",
                name=name,
                hover=[f"{layer.layer}: {quantity(layer.time_s, 's')}, {name}" for layer in layers],
                horizontal=False,
                key=place,
            )
        )
    order = tuple(layer.layer for layer in r.layers)
    return Chart(tuple(marks), x=Axis(grid=False, categories=order), y=Axis(f"time [{unit}]"), stacked=True)


def _table(r: LayerByLayer) -> Markup:
    total = html.with_band(quantity(sum(layer.energy_j for layer in r.layers), "J"), r.energy_band, "J")
    rows: list[tuple[str | Markup, ...]] = [
        (
            *(layer.layer, short_name(layer.stage), "spikes" if layer.spiking else "numbers", layer.binding),
            quantity(layer.time_s, "s"),
            html.with_band(quantity(layer.energy_j, "J"), layer.energy_band, "J"),
            html.with_band(quantity(layer.off_chip_j, "J"), layer.off_chip_band, "J"),
        )
        for layer in r.layers
    ]
    rows.append(("sum", "", "", "", "", total, html.with_band(quantity(r.off_chip_j, "J"), r.part_bands[2], "J")))
    head = ("Layer", "Stage", "Input", "Bound by", "Time", "Energy", "of it DRAM")
    return html.table(head, rows, numeric=(4, 5, 6))
