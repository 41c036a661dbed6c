"""Page one: what is recommended, against which budgets, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, listed, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Accuracy, BudgetCheck, FinishedRun, Saving, share_interval
from reports.sections._signing import Fact, advice, checks_of, facts

TITLE = "Decision"


@dataclass(frozen=True)
class JudgedPick:
    """A design put forward, with its verdict: OK where every budget is, REVIEW otherwise."""

    name: str
    id: str
    why: str
    verdict: str
    probability: float | None
    images: int
    rows: tuple[BudgetCheck, ...]
    energy_band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Result:
    """One quantity of the recommended design [SI, pp]; `budget` and `slack` are None where there is none.

    `low` and `high` are the 95 % interval of a drop, of an energy the least and the greatest over all variations;
    None where there are no such ends.
    """

    quantity: str
    unit: str
    achieved: float
    budget: float | None
    slack: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Decision:
    """What the first page says. `identity` are (what, name, hash) of network, checkpoint, data and hardware.

    `results` are all quantities of the recommended design, with budget and slack where there is a budget; `facts` are
    what else has to be known before signing, `advice` what would make it OK.
    """

    question: str
    sentence: str
    verdict: str
    identity: tuple[tuple[str, str, str], ...]
    picks: tuple[JudgedPick, ...]
    savings: tuple[Saving, ...]
    results: tuple[Result, ...] = ()
    facts: tuple[Fact, ...] = ()
    advice: tuple[str, ...] = ()


def record(run: FinishedRun) -> Decision:
    """What the first page says about a run."""
    picks = tuple(
        JudgedPick(
            *(p.name, p.id, p.why, p.verdict, p.probability, p.verified_images, checks_of(run, p)),
            energy_band=run.by_id(p.id).energy_band,
        )
        for p in run.picks.picks
    )
    savings = run.picks.savings
    return Decision(
        question=_question(run),
        sentence=run.banner or _sentence(picks, savings, run.picks.needed_images),
        verdict=picks[0].verdict if picks else "REVIEW",
        identity=_identity(run),
        picks=picks,
        savings=savings,
        results=_results(run),
        facts=facts(run),
        advice=advice(run),
    )


def _results(run: FinishedRun) -> tuple[Result, ...]:
    """All quantities of the recommended design in the order of the units; empty where none is recommended."""
    if run.recommended is None:
        return ()
    design, first = run.by_id(run.recommended), run.picks.picks[0]
    reached = {column: getattr(design, column) for column in UNITS}
    reached = {column: value for column, value in reached.items() if value == value}  # an area may be unknown
    reached |= {check.quantity: check.achieved for check in first.checks} | {"drop": design.unseen.drop}
    out = []
    for column, unit in UNITS.items():
        if column in reached:
            budget = run.picks.budgets.get(column)
            slack = None if budget is None else budget - reached[column]
            bands = {"drop": (design.unseen.low, design.unseen.high), "energy_j": design.energy_band}
            ends = bands.get(column) or (None, None)
            out.append(Result(column, unit, reached[column], budget, slack, *ends))
    return tuple(out)


def _question(run: FinishedRun) -> str:
    limits = [f"{label(c).lower()} of at most {_amount(c, v)}" for c, v in run.picks.budgets.items()]
    within = f" with {listed(limits)}" if limits else ""
    return f"How many bits may each layer of {run.manifest.network} have on {run.manifest.hardware.name}{within}?"


def _amount(column: str, value: float) -> str:
    unit = UNITS.get(column, "")
    return f"{value:g} pp" if unit == "pp" else quantity(value, unit)


def _sentence(picks: tuple[JudgedPick, ...], savings: tuple[Saving, ...], needed: int | None) -> str:
    if not picks:
        return "No design is recommended: none of the verified candidates meets the budgets on cost."
    first = picks[0]
    gain = [f"{share(s.memory, 0)} less memory and {share(s.energy, 0)} less energy than {s.against}" for s in savings]
    better = [g for g, s in zip(gain, savings, strict=True) if s.against != "float"][:1] or gain[:1]
    words = [f"Build {first.id}" if first.verdict == "OK" else f"Check {first.id} before building it"]
    if better and "−" not in better[0]:
        words.append(f"it takes {better[0]}")
    by = {r.quantity: r for r in first.rows}
    if first.probability is not None and "drop" in by:
        drop = by["drop"]
        words.append(
            f"P(drop ≤ {drop.budget:g} pp) = {first.probability:.2f} by the search and {first.images:,} unseen images"
        )
    sentence = f"{words[0]}: {'; '.join(words[1:])}." if len(words) > 1 else f"{words[0]}."
    if first.verdict != "OK" and needed is not None and first.images < needed:
        sentence += f" Judging by the images that this design changes, a clear answer takes about {needed:,}."
    return sentence


def _identity(run: FinishedRun) -> tuple[tuple[str, str, str], ...]:
    m = run.manifest
    reference = m.float_unseen or m.float_search
    return (
        ("Network", m.network, ""),
        ("Checkpoint", m.checkpoint.name, m.checkpoint.sha256),
        ("Images", f"{m.images.name}, {m.images.count:,} in the search", m.images.sha256),
        ("Hardware", m.hardware.name, m.hardware.sha256),
        (
            "Float network",
            _float_text(reference),
            "",
        ),
    )


def _float_text(reference: Accuracy) -> str:
    low, high = share_interval(reference.top1, reference.images)
    return f"top-1 {share(reference.top1)} ({share(low)} … {share(high)}, 95 %) on {reference.images:,} images"


def draw(r: Decision) -> Drawing:
    """The first page."""
    facts = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}{}</dd></div>").format(
            what, name, Markup(' <code title="{}">{}</code>').format(sha, sha[:12]) if sha else ""
        )
        for what, name, sha in r.identity
    )
    answer = Markup('<div class="answer {}"><p>{} {}</p></div>').format(
        r.verdict.lower(), html.verdict(r.verdict), r.sentence
    )
    parts = [Markup('<p class="question">{}</p>').format(r.question), answer]
    if r.advice:
        parts.append(html.items(r.advice))
    if r.results:
        parts.append(_results_table(r))
    if r.facts:
        parts.append(html.table(("", ""), r.facts, "Before signing", kind="plain"))
    parts.append(_budget_table(r))
    if r.savings:
        parts.append(_savings_table(r))
    parts.append(Markup('<dl class="facts">{}</dl>').format(facts))
    return Drawing(html.join(*parts))


def _results_table(r: Decision) -> Markup:
    """A column per quantity: what the recommended design reaches, its budget and what is left of it."""
    head = ("", *(label(each.quantity) for each in r.results))
    reached = tuple(_reached(each) for each in r.results)
    budgets = tuple("–" if each.budget is None else _amount(each.quantity, each.budget) for each in r.results)
    slack = tuple("–" if each.slack is None else quantity(each.slack, each.unit) for each in r.results)
    rows = [("Achieved", *reached), ("Budget", *budgets), ("Slack", *slack)]
    return html.table(head, rows, f"Results of {r.picks[0].id}", kind="plain")


def _reached(result: Result) -> str | Markup:
    shown = quantity(result.achieved, result.unit)
    if result.low is None or result.high is None:
        return shown
    if result.quantity != "drop":
        return html.with_band(shown, (result.low, result.high), result.unit)
    return Markup("{}<small>{} … {}, 95 %</small>").format(shown, tidy(result.low), tidy(result.high))


def _budget_table(r: Decision) -> Markup:
    body = Markup("").join(_budget_row(pick, i, check) for pick in r.picks for i, check in enumerate(pick.rows))
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="number"') if h in _RIGHT else "", h)
        for h in ("Design", "Quantity", "Budget", "Achieved", "Slack", "Verdict")
    )
    return Markup(
        '<div class="scroll"><table class="budgets"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def _budget_row(pick: JudgedPick, place: int, check: BudgetCheck) -> Markup:
    """One budget of a pick; the first row of a pick names it."""
    energy = check.quantity == "energy_j"
    lead = Markup('<th scope="rowgroup" rowspan="{}">{}<br>{}<small>{}</small></th>').format(
        len(pick.rows), pick.name.capitalize(), html.design_link(pick.id), pick.why
    )
    return Markup(
        '<tr class="{}">{}<td>{}</td><td class="number" data-label="budget">{}</td>'
        '<td class="number" data-label="achieved">{}</td>'
        '<td class="number" data-label="slack">{}</td><td>{}</td></tr>'
    ).format(
        "first" if place == 0 else "",
        lead if place == 0 else "",
        Markup("{}<small>{}</small>").format(label(check.quantity), check.note if check.quantity == "drop" else ""),
        _amount(check.quantity, check.budget),
        html.with_band(quantity(check.achieved, check.unit), pick.energy_band if energy else None, check.unit),
        quantity(check.slack, check.unit),
        html.verdict(check.verdict),
    )


_RIGHT = ("Budget", "Achieved", "Slack")


def _savings_table(r: Decision) -> Markup:
    rows = [(s.against, _bar(s.memory), _bar(s.energy)) for s in r.savings]
    caption = f"What {r.picks[0].id} saves" if r.picks else "Savings"
    return html.table(("Against", "Memory saved", "Energy saved"), rows, caption, kind="savings")


def _bar(value: float) -> Markup:
    return Markup('<span class="meter"><i style="width:{:.1f}%"></i></span> {}').format(
        max(0.0, min(100.0, 100 * value)), share(value)
    )
