"""What the search did: hypervolume over evaluations, phases with their cost, why it stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Chart, Line, Shade
from reports.run import FinishedRun, Phase

TITLE = "Search record"


@dataclass(frozen=True)
class FinetunedDesign:
    """A design after training at its widths: drop [pp] with 95 % interval; `before` is its drop untrained, or None."""

    id: str
    top1: float
    drop: float
    low: float
    high: float
    images: int
    before: float | None


@dataclass(frozen=True)
class SearchRecord:
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
    model_says: tuple[str, ...]
    finetuned: tuple[FinetunedDesign, ...]


def record(run: FinishedRun) -> SearchRecord:
    """The search record of a run."""
    m = run.manifest
    history = run.history or ()
    named = set(run.baselines.values())
    leading = next((i for i, row in enumerate(history) if row.id not in named), len(history))
    return SearchRecord(
        phases=m.phases,
        stop_reason=m.stop_reason,
        failures=m.failures,
        hypervolume=tuple(row.hypervolume for row in history),
        ids=tuple(row.id for row in history),
        baselines=leading,
        origins=dict(Counter(d.origin for d in run.designs)),
        chaos=None if m.chaos is None else m.chaos.figures,
        needed_images=run.picks.needed_images,
        model_says=m.model_says,
        finetuned=_finetuned(run),
    )


def _finetuned(run: FinishedRun) -> tuple[FinetunedDesign, ...]:
    before = {d.id: d.drop for d in run.designs}
    return tuple(
        FinetunedDesign(r.id, r.top1, r.drop, r.drop_low, r.drop_high, r.images, before.get(r.id))
        for r in run.finetuned or ()
    )


def draw(r: SearchRecord) -> Drawing:
    """Phases, chaos floor, failures, designs trained further, and the hypervolume curve."""
    origins = ", ".join(f"{o} {n}" for o, n in r.origins.items() if n > 1)
    parts: list[Markup] = [
        html.text(f"Stopped: {r.stop_reason}. Designs by origin: {origins or 'one of each baseline'}.", "lead"),
        _phase_table(r.phases),
        _chaos(r),
        _failures(r),
        *(html.text(f"{line[:1].upper()}{line[1:]}.") for line in r.model_says),
    ]
    if r.finetuned:
        parts += [html.heading("Trained further or re-estimated at their widths"), _finetuned_table(r.finetuned)]
    if not r.hypervolume:
        return Drawing(html.join(*parts))
    parts += [
        html.heading("Hypervolume over evaluations"),
        html.text(
            "The share of the objective space that the designs so far dominate. The space reaches from zero to 10 "
            "points of drop and to the largest cost of any design. If the curve is flat at its end, the search was "
            "finding little more. The "
            "shaded region marks the baselines.",
            "lead",
        ),
        html.plot("hypervolume", 290, "Hypervolume after every evaluation"),
    ]
    caption = "Hypervolume of the designs measured so far; baselines shaded."
    shown = chart(r)
    figure = StaticFigure(caption, lambda: printed.figure(shown, height=2.8))
    return Drawing(html.join(*parts), {"hypervolume": interactive.plot(shown)}, {"hypervolume": figure})


def _phase_table(phases: tuple[Phase, ...]) -> Markup:
    rows: list[tuple[str | Markup, ...]] = [
        (
            p.name,
            Markup("{}<small>{}</small>").format(p.what, p.why),
            f"{p.evaluations:,}",
            f"{p.images:,}",
            _time(p.seconds),
        )
        for p in phases
    ]
    total = ("sum", "", f"{sum(p.evaluations for p in phases):,}", f"{sum(p.images for p in phases):,}")
    rows.append((*total, _time(sum(p.seconds for p in phases))))
    return html.table(("Phase", "What and why", "Evaluations", "Images", "Time"), rows, numeric=(2, 3, 4))


def _chaos(r: SearchRecord) -> Markup:
    """What noise on the weights alone does to the predictions."""
    if r.chaos is None:
        return html.not_measured(
            "the chaos floor (the share of predictions that noise on the weights changes)",
            "`svit-dse search` measures it.",
        )
    how = f" (every weight times 1 + {r.chaos['noise']:g} × a standard normal number)" if "noise" in r.chaos else ""
    needs = (
        f" Judging by the images that the recommended design changes, {r.needed_images:,} images are needed to tell "
        f"a drop of half the budget from one beyond it without the prediction of the search."
        if r.needed_images
        else ""
    )
    return html.text(
        f"Noise on the weights{how} changes the predicted class of {tidy(100 * r.chaos['changed'])} % of the images: "
        f"the chaos floor of this network.{needs}"
    )


def _failures(r: SearchRecord) -> Markup:
    if not r.failures:
        return html.text("No evaluation failed.")
    errors = html.table(("Error",), [(f,) for f in r.failures])
    return html.details(f"{len(r.failures)} evaluations failed", errors)


def _finetuned_table(rows: tuple[FinetunedDesign, ...]) -> Markup:
    cells = [
        (
            f.id,
            quantity(f.before, "pp"),
            quantity(f.drop, "pp"),
            f"{tidy(f.low)} … {tidy(f.high)}",
            share(f.top1),
            f"{f.images:,}",
        )
        for f in rows
    ]
    head = ("Design", "Drop before", "Drop after", "95 % interval", "Top-1", "Search images")
    return html.table(head, cells, numeric=(1, 2, 3, 4, 5))


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def chart(r: SearchRecord) -> Chart:
    """The curve, with the baselines shaded."""
    count = len(r.hypervolume)
    curve = Line(range(1, count + 1), r.hypervolume, "accent", 1.4, shape="hv", ids=r.ids)
    return Chart(
        (curve,),
        x=Axis("evaluations", limits=(0.5, count + 0.5)),
        y=Axis("hypervolume", from_zero=True),
        shade=Shade(0.5, r.baselines + 0.5, "baselines") if r.baselines else None,
    )
