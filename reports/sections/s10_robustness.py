"""How far the decision hangs on what is uncertain: the datapath's form, and constants (tornado, ranks, the front)."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Band, FinishedRun, FormRow, Scenario, Swing
from reports.sections import _tornado

TITLE = "Robustness of the decision"


@dataclass(frozen=True)
class Robustness:
    """Widest swing first; `survival` is the share of scenarios in which each front design stays on the front.

    `others` are the swings of the other costs that the search looked at.
    `forms` is the recommended design under every form of the datapath, the chip's own first; `bands` are the costs [SI]
    of the picked designs; `regret` is the greatest of the recommended design.
    """

    objective: str
    designs: int
    swings: tuple[Swing, ...]
    scenarios: tuple[Scenario, ...]
    survival: dict[str, float]
    recommended: str | None
    forms: tuple[FormRow, ...] = ()
    bands: tuple[Band, ...] = ()
    regret: float | None = None
    notes: tuple[str, ...] = ()
    others: tuple[_tornado.Tornado, ...] = ()


def record(run: FinishedRun) -> Robustness | None:
    """What stability.json says; None when the run has none."""
    studied = run.stability
    if studied is None:
        return None
    return Robustness(
        objective=studied.objective,
        designs=len(run.designs) if studied.designs is None else studied.designs,
        swings=_tornado.tornado(studied.objective, studied.swings).swings,
        others=tuple(_tornado.tornado(name, swings) for name, swings in studied.others),
        scenarios=tuple(sorted(studied.scenarios, key=lambda s: (s.tau, s.constant, s.change))),
        survival={s.design: s.share for s in studied.survival},
        recommended=run.recommended,
        bands=tuple(band for band in studied.bands if band.design in {pick.id for pick in run.picks.picks}),
        regret=studied.regret,
        notes=studied.notes,
        forms=tuple(row for row in run.forms or () if row.id == run.recommended),
    )


def draw(r: Robustness | None) -> Drawing:
    """Tornados, the scenarios that shake the ranking most, and the recommended design's survival."""
    if r is None:
        return Drawing(
            html.not_measured(
                "how the ranking of designs changes with uncertain constants",
                "`svit-dse search` changes every uncertain constant in turn and writes stability.json.",
            )
        )
    rows = [
        (s.constant, s.change, tidy(s.tau, 3), share(s.front_kept, 0), _becomes(s, r.recommended), share(s.regret))
        for s in r.scenarios[:8]
    ]
    swings = _tornado.draw((_tornado.Tornado(r.objective, r.swings), *r.others))
    body = html.join(
        html.text(_lead(r), "lead"),
        *_forms(r.forms),
        *_bands(r),
        swings.html,
        html.table(
            ("Constant", "Change", "Kendall's tau of the ranking", "Front kept", "Recommended", "Regret"),
            rows,
            "The scenarios that change the ranking most",
            numeric=(2, 3, 5),
        ),
    )
    return Drawing(body, swings.plots, swings.figures)


def _becomes(scenario: Scenario, recommended: str | None) -> str | Markup:
    """Whether the recommended design stays the cheapest of those that lose no more, or which one is."""
    if not scenario.cheapest:
        return "–"
    return "unchanged" if scenario.cheapest == recommended else html.design_link(scenario.cheapest)


def _forms(rows: tuple[FormRow, ...]) -> tuple[Markup, ...]:
    """The savings of the recommended design by datapath; nothing where the run has none."""
    if not rows:
        return ()
    energies = sorted(row.energy_saving for row in rows)
    least, most = share(energies[0]), share(energies[-1])
    saved = least if least == most else f"{least} to {most}"
    lead = (
        "The form of the datapath decides how much narrow weights save in adders, registers and multipliers. Against "
        f"8-bit weights in every layer, the recommended design saves {saved} of the energy; this chip "
        f"is {rows[0].form.replace('_', '-')}."
    )
    body = [
        (
            *(row.form.replace("_", "-"), row.unit),
            *(
                html.with_band(quantity(row.energy_j, "J"), (row.energy_low, row.energy_high), "J"),
                share(row.energy_saving),
            ),
            *(quantity(row.latency_s, UNITS["latency_s"]), share(row.latency_saving)),
        )
        for row in rows
    ]
    head = ("Datapath", "Unit", "Energy", "Energy saved", "Latency", "Time saved")
    caption = "The recommended design under every form of the datapath, against the same design with 8-bit weights"
    return (
        html.heading("The form of the datapath"),
        html.text(lead),
        html.table(head, body, caption, numeric=range(2, 6)),
    )


def _bands(r: Robustness) -> tuple[Markup, ...]:
    """The cost of every pick with the least and the greatest over all variations."""
    if not r.bands:
        return ()
    unit = UNITS[r.objective]
    body = [
        (html.design_link(band.design), *(quantity(value, unit) for value in (band.value, band.low, band.high)))
        for band in r.bands
    ]
    head = ("Design", label(r.objective), "Least", "Greatest")
    caption = "The picks, with their least and greatest values over all variations of the model"
    return (html.table(head, body, caption, numeric=range(1, 4)),)


def _lead(r: Robustness) -> str:
    """How many scenarios there are, what the worst one does to the ranking, and how the recommended design fares."""
    sentences = [
        f"Each uncertain constant, the form of the chip, the firing rates and the time steps were changed in turn, "
        f"and {r.designs:,} designs were costed again: {len(r.scenarios)} scenarios."
    ]
    sentences += [f"{note[0].upper()}{note[1:]}." for note in r.notes]
    if r.regret is not None:
        more = f"{share(r.regret)} more than the best design with no greater drop"
        sentences.append(f"At worst the recommended design costs {more}.")
    if r.scenarios and not r.notes:
        worst = r.scenarios[0]
        sentences.append(
            f"The ranking changes most with {worst.constant} ({worst.change}): Kendall's tau {tidy(worst.tau)}."
        )
    if r.recommended in r.survival:
        kept = share(r.survival[r.recommended], 0)
        sentences.append(f"The recommended design stays on the front in {kept} of them.")
    return " ".join(sentences)
