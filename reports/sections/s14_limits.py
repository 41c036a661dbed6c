"""What this report does not say, and when to make it again."""

from __future__ import annotations

from dataclasses import dataclass

from reports.number_text import tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Run

TITLE = "Limits"


@dataclass(frozen=True)
class Limits:
    """Sentences on what holds in general, on what this run lacks, and on when to make it again."""

    general: tuple[str, ...]
    here: tuple[str, ...]
    redo: tuple[str, ...]


GENERAL = (
    "Accuracy was measured by torch on weights that were really rounded to integers; the arithmetic between layers was "
    "float. A chip with narrower accumulators or membrane potentials may differ.",
    "Memory, energy, latency and power are models on stated constants, not measurements on silicon. Compare designs "
    "with them; do not read them as absolute promises.",
    "Spikes are those of the images of this run. Images that make the network fire more cost more energy.",
    "The front is the best of the evaluated designs, not of all possible ones.",
)
REDO = (
    "the checkpoint, the data or the hardware file changes (their hashes stand on page one)",
    "the frame rate or the number of time steps changes",
    "a constant in the hardware table is measured: `svit-dse report RUN --hardware FILE` computes every cost again "
    "without running the network",
)


def record(run: Run) -> Limits:
    """The limits of a run."""
    here = []
    m = run.manifest
    if run.verified is None:
        here.append(
            "No design was measured on unseen images: the drops are those of the images that the search chose by."
        )
    wide = run.results["drop_high"] - run.results["drop_low"]
    wide = wide[run.results["on_front"]] / 2
    if len(wide):
        here.append(
            f"The half width of the 95 % intervals on the front is {tidy(float(wide.median()))} pp in the median."
        )
    chaos = m.get("chaos")
    if chaos:
        here.append(
            f"Noise on the weights alone changes {tidy(100 * float(chaos['changed']))} % of the predictions; smaller "
            "differences between designs are chance."
        )
    if (m.get("git") or {}).get("dirty"):
        here.append("The source tree had local changes that no commit holds.")
    if m.get("mixed"):
        here.append("The study joins evaluations that were made with different inputs; see Reproduction.")
    if m.get("failures"):
        here.append(f"{len(m['failures'])} evaluations failed and are missing from the tables.")
    if m.get("recosted_from"):
        here.append(
            "The costs were computed again on another chip; the search was guided by the costs of the first one."
        )
    return Limits(GENERAL, tuple(here), REDO)


def draw(r: Limits) -> Drawing:
    """Three lists."""
    from markupsafe import Markup

    def listed(sentences: tuple[str, ...]) -> Markup:
        items = Markup("").join(Markup("<li>{}</li>").format(html.code_in(s)) for s in sentences)
        return Markup("<ul>{}</ul>").format(items)

    parts = [listed(r.general)]
    if r.here:
        parts += [html.heading("In this run"), listed(r.here)]
    parts += [html.heading("Make the report again when"), listed(r.redo)]
    return Drawing(html.join(*parts))
