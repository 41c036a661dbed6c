"""What made this run, so that somebody else can make it again."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.page import html as drawing
from reports.page.html import Drawing
from reports.run import Run

TITLE = "Reproduction"


@dataclass(frozen=True)
class Reproduction:
    """The manifest in words: (what, value) pairs, the command, and the resolved configuration."""

    command: str
    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    config: str
    dirty: bool


def record(run: Run) -> Reproduction:
    """The manifest of a run in words."""
    m = run.manifest
    git = m.get("git") or {}
    commit = git.get("commit")
    machine = m.get("machine") or {}
    facts = [
        ("Tool", f"{m['tool']['name']} {m['tool']['version']}"),
        (
            "Source",
            "not a checkout"
            if commit is None
            else f"commit {commit}{', with local changes' if git.get('dirty') else ''}",
        ),
        ("Created", str(m.get("created", "unknown"))),
        ("Seed", str(m.get("seed", "unknown"))),
        (
            "Checkpoint",
            f"{m['checkpoint'].get('path') or m['checkpoint']['name']}, sha256 {m['checkpoint'].get('sha256')}",
        ),
        (
            "Images",
            f"{m['data']['name']}, split {m['data'].get('split')}, {m['data']['images']:,}, "
            f"sha256 {m['data'].get('sha256')}",
        ),
        ("Hardware", f"{m['hardware'].get('path') or m['hardware']['name']}, sha256 {m['hardware'].get('sha256')}"),
        (
            "Machine",
            " ".join(str(machine[k]) for k in ("system", "processor") if k in machine)
            + f", {machine.get('cpus')} CPUs",
        ),
        ("Python", str(m.get("python", "unknown"))),
    ]
    if m.get("recosted_from"):
        facts.append(("Costs", f"computed again from {m['recosted_from'].get('run')}; nothing was measured again"))
    if m.get("mixed"):
        facts.append(("Mixed inputs", f"{m['mixed']}; the study joins measurements made with different inputs"))
    packages = tuple(sorted((str(k), str(v)) for k, v in (m.get("packages") or {}).items()))
    return Reproduction(str(m.get("command", "")), tuple(facts), packages, run.config, bool(git.get("dirty")))


def draw(r: Reproduction) -> Drawing:
    """The manifest as a table, the command, the configuration."""
    command = Markup("<pre><code>{}</code></pre>").format(r.command) if r.command else Markup("")
    html = drawing.join(
        drawing.text(
            "The same inputs, seed and versions give the same results.csv. All hashes and the image "
            "ids are in manifest.json.",
            "lead",
        ),
        command,
        drawing.table(("What", "Value"), r.facts, kind="plain"),
        drawing.details("Package versions", drawing.table(("Package", "Version"), r.packages, kind="plain")),
        drawing.details("Resolved configuration", Markup("<pre><code>{}</code></pre>").format(r.config)),
    )
    return Drawing(html)
