"""The best chips that the knobs of a chip file span, per design, and whether they lie at the edge of the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, listed, quantity, share
from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun, KnobTable

TITLE = "Hardware and bits together"
COSTS = ("energy_j", "latency_s", "power_w", "area_mm2")
OTHERS = ("id", "design", "objective", "feasible", "file_value", "energy_low", "energy_high", "gain", "memory_bytes")
WORDS = {
    "node": "Node",
    "clock": "Clock",
    "processing_elements": "Processing elements",
    "tile_positions": "Positions per tile",
    "dataflow": "Data flow",
    "weights": "Weight memory",
    "states": "State memory",
    "spikes": "Spike memory",
    "size": "",
    "word": "word",
    "banks": "banks",
}
OBJECTIVES = {"energy_j": "energy", "power_w": "power", "energy_delay_js": "energy × latency"}
UNKNOWN = (
    "This run was made by a version that did not record the swept values, so it is not known whether a best value is "
    "at the edge of its range. `svit-dse report RUN --hardware CHIP --out FOLDER` costs the run again and records "
    "them."
)
AREA = "element_area"  # the constant that a chip states where its processing elements have an area


@dataclass(frozen=True)
class Knob:
    """A knob of the chip: its key and name, the unit of its values, and the values that were swept, where known."""

    key: str
    name: str
    unit: str
    swept: tuple[float | str, ...]


@dataclass(frozen=True)
class BestChip:
    """A chip that costs a design least by some objectives: `gains` are their savings against the chip file.

    `setting` has a value for every knob, `costs` the columns of codesign.csv [SI], `energy_band` least and greatest.
    """

    id: str
    design: str
    gains: dict[str, float]
    setting: tuple[float | str, ...]
    costs: dict[str, float]
    energy_band: tuple[float, float] | None
    feasible: bool


@dataclass(frozen=True)
class Codesign:
    """The knobs, the best chips, and the knobs whose best values lie at the edge of what was swept, in sentences.

    `logic` says whether processing elements have an area on this chip.
    """

    knobs: tuple[Knob, ...]
    chips: tuple[BestChip, ...]
    edges: tuple[str, ...]
    logic: bool


def record(run: FinishedRun) -> Codesign | None:
    """The co-design of a run; None when no hardware knob was searched."""
    if run.codesign is None:
        return None
    units = {row.key: row.unit for row in run.hardware or ()}
    keys = [c for c in run.codesign.columns if c not in (*OTHERS, *COSTS)]
    swept: dict[str, list[float | str]] = {}
    for row in run.knobs or ():
        swept.setdefault(row.knob, []).append(_number(row.value))
    knobs = tuple(Knob(k, knob_name(k), units.get(k, "1").removesuffix("1"), tuple(swept.get(k, ()))) for k in keys)
    chips = _chips(run.codesign, keys)
    return Codesign(knobs, chips, _edges(knobs, chips), AREA in units)


def _chips(table: KnobTable, keys: Sequence[str]) -> tuple[BestChip, ...]:
    """A chip per design and setting, with all objectives that it is the best for."""
    found: dict[tuple[str | float, ...], BestChip] = {}
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        setting = tuple(cells[k] for k in keys)
        place = (cells["id"], *setting)
        if place not in found:
            ends = cells.get("energy_low"), cells.get("energy_high")
            band = (float(ends[0]), float(ends[1])) if ends[0] is not None and ends[1] is not None else None
            costs = {c: float(cells[c]) for c in COSTS if c in cells}
            fits = str(cells.get("feasible", "True")) == "True"
            found[place] = BestChip(str(cells["id"]), str(cells["design"]), {}, setting, costs, band, fits)
        found[place].gains[str(cells["objective"])] = float(cells["gain"])
    return tuple(found.values())


def _edges(knobs: Sequence[Knob], chips: Sequence[BestChip]) -> tuple[str, ...]:
    """By knob, the ends of its range at which best chips lie; a knob of words, or of two values or fewer, has none."""
    lines = []
    for place, knob in enumerate(knobs):
        values = [v for v in knob.swept if isinstance(v, float)]
        if len(set(values)) < 3 or len(values) < len(knob.swept):
            continue
        least, most = min(values), max(values)
        parts = []
        for end, word in ((least, "least"), (most, "greatest")):
            by = dict.fromkeys(name for chip in chips if chip.setting[place] == end for name in chip.gains)
            if by:
                parts.append(f"the {word} for {listed([_objective(name) for name in by])}")
        if parts:
            lines.append(
                f"{knob.name} from {_amount(least, knob.unit)} to {_amount(most, knob.unit)}: {'; '.join(parts)}."
            )
    return tuple(lines)


def knob_name(key: str) -> str:
    """A knob in words: `memories.weights.size` is `Weight memory`."""
    parts = [WORDS.get(part, part) for part in key.removeprefix("memories.").split(".")]
    return " ".join(part for part in parts if part)


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def draw(r: Codesign | None) -> Drawing:
    """A row per best chip, and what lies at the edge."""
    if r is None:
        return Drawing(
            html.join(
                Markup(
                    '<p class="absent">The chip file declares no knobs, so there is no other setting to compare.</p>'
                )
            )
        )
    shown = [i for i, knob in enumerate(r.knobs) if len({chip.setting[i] for chip in r.chips}) > 1]
    same = [f"{k.name} {_amount(r.chips[0].setting[i], k.unit)}" for i, k in enumerate(r.knobs) if i not in shown]
    lead = (
        "Every setting of the chip's knobs was costed for every picked design. Each row is the best setting of a "
        "design for the objectives named, with the saving against the setting of the chip file. The bits do not "
        "change."
    )
    parts = [html.text(lead, "lead")]
    if same:
        parts.append(html.text(f"The same in all rows: {', '.join(same)}.", "lead"))
    parts.append(_table(r, shown))
    if r.edges:
        parts.append(html.heading("At the edge of the swept range"))
        parts.append(
            html.text("Some best values are the first or last of their range, so a better chip may lie beyond it.")
        )
        parts.append(html.items(r.edges))
    if not any(knob.swept for knob in r.knobs):
        parts.append(Markup("<p>{}</p>").format(html.code_in(UNKNOWN)))
    if not r.logic and any(knob.key == "processing_elements" for knob in r.knobs):
        parts.append(html.text("The chip file states no area of processing elements: more of them cost no area here."))
    return Drawing(html.join(*parts))


def _table(r: Codesign, shown: Sequence[int]) -> Markup:
    costs = [c for c in COSTS if any(c in chip.costs for chip in r.chips)]
    names = {"area_mm2": "Area" if r.logic else "SRAM area"}
    head = ["Design", "Best for, saved", *(_head(r.knobs[i]) for i in shown), *(names.get(c, label(c)) for c in costs)]
    rows = [_row(chip, shown, costs) for chip in r.chips]
    return html.table(head, rows, numeric=range(2 + len(shown), len(head)), kind="knobs")


def _row(chip: BestChip, shown: Sequence[int], costs: Sequence[str]) -> tuple[str | Markup, ...]:
    gains = Markup("<br>").join(f"{_objective(name)} {share(gain, 0)}" for name, gain in chip.gains.items())
    reached = {c: quantity(chip.costs.get(c), UNITS.get(c, "")) for c in costs}
    energy = {"energy_j": html.with_band(reached["energy_j"], chip.energy_band, "J")} if "energy_j" in reached else {}
    design = Markup("{}<small>{}{}</small>").format(
        html.design_link(chip.id), chip.design, "" if chip.feasible else ", does not fit"
    )
    settings = (_amount(chip.setting[i], "") for i in shown)
    return (design, gains, *settings, *(reached | energy).values())


def _head(knob: Knob) -> str:
    return f"{knob.name} [{knob.unit}]" if knob.unit else knob.name


def _objective(name: str) -> str:
    return OBJECTIVES.get(name, label(name).lower())


def _amount(value: float | str, unit: str) -> str:
    shown = f"{value:,.6g}" if isinstance(value, float) else value.replace("_", " ")
    return f"{shown} {unit}".strip()
