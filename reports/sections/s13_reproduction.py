"""What made this run, so that somebody else can make it again."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun

TITLE = "Reproduction"


@dataclass(frozen=True)
class Reproduction:
    """The manifest in words: (what, value) pairs, the command, and the resolved configuration."""

    command: str
    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    config: str
    dirty: bool


def record(run: FinishedRun) -> Reproduction:
    """The manifest of a run in words."""
    m, made = run.manifest, run.manifest.origin
    local = ", with local changes" if made.dirty else ""
    facts = [
        ("Tool", f"{made.tool} {made.version}"),
        ("Source", "not a checkout" if made.commit is None else f"commit {made.commit}{local}"),
        ("Created", made.created or "unknown"),
        ("Seed", made.seed),
        ("Checkpoint", f"{m.checkpoint.path}, sha256 {m.checkpoint.sha256}"),
        ("Images", f"{m.images.name}, split {m.images.split}, {m.images.count:,}, sha256 {m.images.sha256}"),
        ("Hardware", f"{m.hardware.path}, sha256 {m.hardware.sha256}"),
        ("Machine", made.machine),
        ("Python", made.python),
    ]
    if m.recosted_from:
        facts.append(("Costs", f"computed again from {m.recosted_from}; no accuracy was measured again"))
    if m.mixed_inputs:
        facts.append(("Mixed inputs", f"{m.mixed_inputs}; the study joins measurements made with different inputs"))
    return Reproduction(made.command, tuple(facts), made.packages, run.config, made.dirty)


def draw(r: Reproduction) -> Drawing:
    """The manifest as a table, the command, the configuration."""
    command = Markup("<pre><code>{}</code></pre>").format(r.command) if r.command else Markup("")
    body = html.join(
        html.text(
            f"{_repeatable(r)} All hashes and the image ids are in manifest.json.",
            "lead",
        ),
        command,
        html.table(("What", "Value"), r.facts, kind="plain"),
        html.details("Package versions", html.table(("Package", "Version"), r.packages, kind="plain")),
        html.details("Resolved configuration", Markup("<pre><code>{}</code></pre>").format(r.config)),
    )
    return Drawing(body)


def _repeatable(r: Reproduction) -> str:
    """What repeating the run gives; several workers of one database propose in the order of their measurements."""
    if "--storage" in r.command.split():
        return (
            "The study was kept in a database. With one worker, the same inputs, seed and versions give the same "
            "results.csv. Several workers may propose other designs."
        )
    return "The same inputs, seed and versions give the same results.csv."
