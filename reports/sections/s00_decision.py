"""Page one: what is recommended, against which budgets, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports.number_text import label, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Run

TITLE = "Decision"


@dataclass(frozen=True)
class Judged:
    """One budget of one pick, SI units; `slack` is budget minus achieved."""

    quantity: str
    unit: str
    budget: float
    achieved: float
    slack: float
    verdict: str
    note: str


@dataclass(frozen=True)
class Pick:
    """A design put forward, with its verdict: OK where every budget is, REVIEW otherwise."""

    name: str
    id: str
    why: str
    verdict: str
    probability: float | None
    images: int
    rows: tuple[Judged, ...]


@dataclass(frozen=True)
class Saving:
    """Shares of memory and energy that the recommended design saves against a baseline."""

    against: str
    memory: float
    energy: float


@dataclass(frozen=True)
class Decision:
    """What the first page says. `identity` are (what, name, hash) of network, checkpoint, data and hardware."""

    question: str
    sentence: str
    verdict: str
    identity: tuple[tuple[str, str, str], ...]
    picks: tuple[Pick, ...]
    savings: tuple[Saving, ...]


def record(run: Run) -> Decision:
    """What the first page says about a run."""
    picks = tuple(_pick(p) for p in run.picks["picks"])
    savings = run.picks.get("savings") or {"against": {}}
    saved = tuple(Saving(o, float(s["memory"]), float(s["energy"])) for o, s in savings["against"].items())
    return Decision(
        question=_question(run),
        sentence=_sentence(picks, saved, run.picks.get("needed_images")),
        verdict=picks[0].verdict if picks else "REVIEW",
        identity=_identity(run),
        picks=picks,
        savings=saved,
    )


def _pick(pick: dict[str, Any]) -> Pick:
    rows = tuple(
        Judged(
            quantity=str(r["quantity"]),
            unit=str(r["unit"]).replace("mm2", "mm²"),
            budget=float(r["budget"]),
            achieved=float(r["achieved"]),
            slack=float(r["slack"]),
            verdict=str(r["verdict"]),
            note=str(r.get("note", "")),
        )
        for r in pick["rows"]
    )
    verdict = "OK" if all(r.verdict == "OK" for r in rows) else "REVIEW"
    sure = pick.get("p_drop_within_budget")
    images = int((pick.get("verified_drop") or {}).get("images", 0))
    return Pick(
        pick["name"], str(pick["id"]), pick["why"], verdict, None if sure is None else float(sure), images, rows
    )


def _question(run: Run) -> str:
    network = run.manifest["checkpoint"].get("network") or run.manifest["checkpoint"]["name"]
    limits = [f"{label(c).lower()} of at most {_amount(c, v)}" for c, v in run.budgets.items()]
    within = f" with {_listed(limits)}" if limits else ""
    return f"Which layer of {network} may have how many bits on {run.manifest['hardware']['name']}{within}?"


def _amount(column: str, value: float) -> str:
    from reports.number_text import UNITS

    unit = UNITS.get(column, "")
    return f"{value:g} pp" if unit == "pp" else quantity(value, unit)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _sentence(picks: tuple[Pick, ...], savings: tuple[Saving, ...], needed: int | None) -> str:
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
            f"P(drop ≤ {drop.budget:g} pp) = {first.probability:.2f}, verified on {first.images:,} images "
            f"that the search never saw"
        )
    sentence = f"{words[0]}: {'; '.join(words[1:])}." if len(words) > 1 else f"{words[0]}."
    if needed is not None and first.images < needed:
        sentence += f" A promise on this network takes {needed:,} images."
    return sentence


def _identity(run: Run) -> tuple[tuple[str, str, str], ...]:
    m = run.manifest
    reference = m["float"].get("verify") or m["float"]
    return (
        ("Network", str(m["checkpoint"].get("network") or m["checkpoint"]["name"]), ""),
        ("Checkpoint", str(m["checkpoint"]["name"]), str(m["checkpoint"].get("sha256", ""))),
        ("Images", f"{m['data']['name']}, {m['data']['images']:,} in the search", str(m["data"].get("sha256", ""))),
        ("Hardware", str(m["hardware"]["name"]), str(m["hardware"].get("sha256", ""))),
        (
            "Float network",
            f"top-1 {share(reference['top1'])} ± {tidy(100 * reference['top1_stderr'])} pp "
            f"on {reference['images']:,} images",
            "",
        ),
    )


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
    parts = [Markup('<p class="question">{}</p>').format(r.question), answer, _budget_table(r)]
    if r.savings:
        parts.append(_savings_table(r))
    parts.append(Markup('<dl class="facts">{}</dl>').format(facts))
    return Drawing(html.join(*parts))


def _budget_table(r: Decision) -> Markup:
    body = Markup("")
    for pick in r.picks:
        for i, row in enumerate(pick.rows):
            lead = Markup('<th scope="rowgroup" rowspan="{}">{}<br>{}<small>{}</small></th>').format(
                len(pick.rows), pick.name.capitalize(), html.design_link(pick.id), pick.why
            )
            body += Markup(
                '<tr class="{}">{}<td>{}</td><td class="number" data-label="budget">{}</td>'
                '<td class="number" data-label="achieved">{}</td>'
                '<td class="number" data-label="slack">{}</td><td>{}</td></tr>'
            ).format(
                "first" if i == 0 else "",
                lead if i == 0 else "",
                Markup("{}<small>{}</small>").format(label(row.quantity), row.note if row.quantity == "drop" else ""),
                _amount(row.quantity, row.budget),
                quantity(row.achieved, row.unit),
                quantity(row.slack, row.unit),
                html.verdict(row.verdict),
            )
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="number"') if h in _RIGHT else "", h)
        for h in ("Design", "Quantity", "Budget", "Achieved", "Slack", "Verdict")
    )
    return Markup(
        '<div class="scroll"><table class="budgets"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


_RIGHT = ("Budget", "Achieved", "Slack")


def _savings_table(r: Decision) -> Markup:
    rows = [(s.against, _bar(s.memory), _bar(s.energy)) for s in r.savings]
    caption = f"What {r.picks[0].id} saves" if r.picks else "Savings"
    return html.table(("Against", "Memory saved", "Energy saved"), rows, caption, kind="savings")


def _bar(value: float) -> Markup:
    return Markup('<span class="meter"><i style="width:{:.1f}%"></i></span> {}').format(
        max(0.0, min(100.0, 100 * value)), share(value)
    )
