"""A finished run in Python: `dse.load("runs/x")`, its front as a table, its designs by name.

run = dse.load("runs/first")
run.front.plot()
run.pick("recommended").widths          # bits by layer
run.pick("uniform-4").export("chip")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dse.api.front import Front
from dse.config.quantities import show
from dse.problem.widths_file import write_widths
from dse.results import tables
from dse.results.described import COSTS, Described, described, drop_text, unseen_drop
from dse.results.naming import RECOMMENDED
from dse.results.run import Run, open_run

if TYPE_CHECKING:
    from dse.workflows.evaluate import Measured
    from dse.workflows.export import Export


def load(path: str | Path) -> LoadedRun:
    """A finished run.

    path  the run directory, the --out of `svit-dse search`

    Raises ConfigError, naming file and remedy, for what no finished search wrote.
    """
    return LoadedRun(open_run(Path(path)))


@dataclass(frozen=True, eq=False, repr=False)
class LoadedDesign:
    """One design of a run: `facts` is what the run knows of it (`dse.results.described.Described`)."""

    run: Run
    facts: Described

    @property
    def id(self) -> str:
        """Its id."""
        return self.facts.id

    @property
    def widths(self) -> dict[str, int]:
        """Weight width [bit] by layer, in network order."""
        return dict(zip(self.facts.design.layers, self.facts.design.weight_bits, strict=True))

    @property
    def time_steps(self) -> int:
        """Time steps."""
        return self.facts.design.time_steps

    @property
    def costs(self) -> dict[str, float]:
        """Costs by column of results.csv [SI, mm2]."""
        return dict(self.facts.costs)

    @property
    def drops(self) -> dict[str, dict[str, float]]:
        """Drops [percentage points] by what they are: verified, expected, searched; each value, low, high."""
        return {kind: dict(drop) for kind, drop in self.facts.drops.items()}

    def save(self, path: str | Path) -> Path:
        """Write the widths as .csv, .json or .yaml for `--widths` of the command line; returns the path."""
        write_widths(Path(path), self.facts.design)
        return Path(path)

    def export(self, out: str | Path, golden: int = 0) -> Export:
        """Write packed integers, a specification and golden vectors of `golden` images into the new folder `out`."""
        from dse.workflows.export import export_design  # loads torch

        return export_design(self.run.path, self.id, Path(out), golden)

    def evaluate(self, images: int | None = None, split: str = "verify") -> Measured:
        """Measure the design on `images` images of a split (default: all of it)."""
        from dse.results.experiment import experiment_of  # loads torch
        from dse.workflows.evaluate import evaluated

        return evaluated(experiment_of(self.run, self.id), self.facts.design, split, images)

    def __repr__(self) -> str:
        kind, drop = next(iter(self.facts.drops.items()))
        costs = ", ".join(show(self.facts.costs[q.column], q.unit) for q in COSTS if q.column in self.facts.costs)
        return f"design {self.id} ({', '.join(self.facts.names)}): {costs}; drop {drop_text(drop)} ({kind})"

    def _repr_html_(self) -> str:
        counts = pd.Series(list(self.widths.values())).value_counts().sort_index()
        widths = ", ".join(f"{count} layers at {bits} bit" for bits, count in counts.items())
        return f"<p>{escape(repr(self))}</p><p>{widths}, T = {self.time_steps}</p>"


@dataclass(frozen=True, eq=False, repr=False)
class LoadedRun:
    """A finished run; `files` (`dse.results.run.Run`) has its tables as they are written."""

    files: Run

    @property
    def front(self) -> Front:
        """The front of the search with the picks and all verified designs, by rising memory."""
        return self._listed(tables.front_of(self.files.table, self.files.chosen))

    @property
    def designs(self) -> Front:
        """Every evaluated design, the float network among them, by rising memory."""
        every = self.files.table.drop_duplicates("id")
        return self._listed(every.sort_values(["memory_bytes", "drop", "id"]))

    def pick(self, name: str = RECOMMENDED) -> LoadedDesign:
        """A design by name: `recommended`, `knee`, an origin such as `uniform-4`, an id or its beginning.

        Raises ConfigError for a name that no design has.
        """
        return LoadedDesign(self.files, described(self.files, name))

    def report(self, out: str | Path | None = None, sections: Sequence[str] = ()) -> Path:
        """Build the report; returns the path of its index.html (default: in the folder `report` of the run).

        `sections` are files of your own, FILE.py or FILE.py:NAME, which come last.
        """
        import reports

        return reports.build(self.files.path, None if out is None else Path(out), sections=sections)

    def _listed(self, rows: pd.DataFrame) -> Front:
        found = [described(self.files, str(design)) for design in rows["id"]]
        shown = [next(iter(each.drops.items())) for each in found]
        table = pd.DataFrame(
            {
                "name": [", ".join(_names(each)) for each in found],
                "drop": [drop["value"] for _, drop in shown],
                "drop_low": [drop["low"] for _, drop in shown],
                "drop_high": [drop["high"] for _, drop in shown],
                "status": [unseen_drop(self.files, each.id)[1] for each in found],
                "searched_drop": [each.drops["searched"]["value"] for each in found],
                **{q.column: [each.costs.get(q.column, float("nan")) for each in found] for q in COSTS},
                "time_steps": [each.design.time_steps for each in found],
                "mean_weight_bits": [each.mean_weight_bits for each in found],
            },
            index=pd.Index([each.id for each in found], name="id"),
        )
        return Front(table)

    def __repr__(self) -> str:
        m, path = self.files.manifest, self.files.path
        network, chip = m["checkpoint"]["network"], m["hardware"]["name"]
        count = self.files.table["id"].nunique() - 1
        best = repr(self.pick()) if RECOMMENDED in self.files.named_picks else "no design is recommended"
        return f"run {path}: {network} on {chip}, {count} designs; recommended: {best}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.front._repr_html_()}"


def _names(found: Described) -> list[str]:
    """Names that say more than which strategy proposed a design."""
    from dse.results.origin import Kind, origin_of

    return [name for name in found.names if origin_of(name).kind is not Kind.STRATEGY or name in _PICKS]


_PICKS = ("recommended", "knee", "runner-up", "most-accurate", "least-power", "least-energy", "least-latency")
