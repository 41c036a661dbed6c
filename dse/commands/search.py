"""`svit-dse search` searches the bit allocations of a network on a chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dse.commands._options import CHECKPOINT, JSON, NETWORK, OPTION
from dse.commands._storage import storage as storage_option
from dse.strategies import names

if TYPE_CHECKING:
    from dse.config.schema import Config
    from dse.results.picks_file import Picks

EXAMPLE = "Example: svit-dse search my.yaml --out runs/first --evaluations 200"


def search(
    config: Annotated[Path, typer.Argument(help="Configuration file; `svit-dse init` writes one.")],
    out: Annotated[Path, typer.Option(help="Run directory; an existing one is resumed.")] = Path("runs/search"),
    network: NETWORK = None,
    option: OPTION = None,
    checkpoint: CHECKPOINT = None,
    strategy: Annotated[
        str | None, typer.Option(help=f"Instead of the file's: {', '.join(names())}, or FILE.py.")
    ] = None,
    evaluations: Annotated[int | None, typer.Option(min=1, help="Designs, instead of the file's.")] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.0, help="Hours for evaluations; converted once to a budget in images.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed, instead of the file's.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Chip name or file, instead of the file's.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine.")] = 1,
    storage: Annotated[str | None, storage_option("Optuna storage URL that workers share")] = None,
    allow_mixed: Annotated[bool, typer.Option(help="Resume even if inputs differ, and record the difference.")] = False,
    report: Annotated[bool, typer.Option(help="Build the report at the end.")] = True,
    as_json: JSON = False,
) -> None:
    """Search the bit widths of a network for a chip, and write a run directory with the report."""
    from dse import strategies
    from dse.commands._given import using
    from dse.commands._options import configured

    changes = {"strategy": strategy, "evaluations": evaluations, "seed": seed}
    loaded = configured(config, network, option, checkpoint)
    given: dict[str, object] = {k: v for k, v in changes.items() if v is not None}
    if hours:
        given |= {"hours": hours, "images": None} | ({} if evaluations else {"evaluations": None})
    resolved = loaded.model_copy(update={"search": loaded.search.model_copy(update=given)})
    if hardware is not None:
        resolved = resolved.model_copy(update={"hardware": hardware})
    own = {"network": network, "checkpoint": checkpoint, "hardware": hardware, "strategy": strategy}
    with using(config, option=option, **own):
        if resolved.search.strategy not in strategies.names():  # a mistake there is told before anything is prepared
            strategies.load(resolved.search.strategy)
        run_search(resolved, out, Wishes(storage, allow_mixed, report, workers, as_json))


@dataclass(frozen=True)
class Wishes:
    """How a search runs: the storage that workers share, mixed inputs, the report, processes here, JSON at the end."""

    storage: str | None = None
    allow_mixed: bool = False
    report: bool = True
    workers: int = 1
    as_json: bool = False


def run_search(config: Config, out: Path, wishes: Wishes) -> None:
    """Search with progress on stderr, then print the recommendation and the report's path."""
    from dse.ledger.owner import owned

    with owned(out):
        _search(config, out, wishes)


def _search(config: Config, out: Path, wishes: Wishes) -> None:
    import sys

    from dse.commands._crew import Crew, threads_each
    from dse.commands._progress import Meter, SearchProgress
    from dse.commands._show import print_record, say
    from dse.workflows import search as pipeline
    from dse.workflows.search_values import Listener, StudyStorage

    if _is_finished(config, out, wishes):
        return
    storage, workers = wishes.storage, wishes.workers
    crew = Crew(out / "workers.yaml", out, storage, workers - 1, wishes.allow_mixed)
    if workers > 1:
        from costmodels.whole_files import write_text
        from dse.config.file import dump_config
        from dse.results import trust
        from sviT_models.threads import use_threads

        write_text(crew.config, dump_config(config, as_given=True))
        trust.keep(config)  # as this process is about to run it, so may the workers
        use_threads(threads_each(workers))
    study = StudyStorage(out, storage, wishes.allow_mixed, crew.start, shares=workers > 1 or storage is not None)
    with Meter() as advance, crew:
        hear = Listener(say, SearchProgress, advance, together=workers > 1 or storage is not None)
        run = pipeline.search(config, out, command=["svit-dse", *sys.argv[1:]], storage=study, hear=hear)
        for line in crew.failures():
            say(line)
    index = _report(out) if wishes.report else None
    place = f"report: {index}" if index else f"run directory: {out}"
    record = {"run": out, "report": index, **run.picks}
    print_record(record, [*summary(run.picks), place], wishes.as_json)


def _report(out: Path) -> Path:
    """The index of the run's report, built with progress on stderr."""
    import reports
    from dse.commands._progress import Meter
    from dse.commands._show import say
    from dse.progress import within

    say("building the report")
    with Meter() as advance:
        return reports.build(out, progress=within(advance, "sections and figures"))


def _is_finished(config: Config, out: Path, wishes: Wishes) -> bool:
    """Whether the run directory holds the whole answer already; then says so, and where its report is."""
    from dse.commands._show import print_record
    from dse.workflows.again import finished_run

    if (run := finished_run(config, out)) is None:
        return False
    index = out / "report" / "index.html"
    if wishes.report and not index.is_file():
        index = _report(out)
    place = f"report: {index}" if wishes.report else f"run directory: {out}"
    record = {"run": out, "report": index if wishes.report else None, **run.picks}
    print_record(record, [f"this search is finished, there is nothing to do; {place}"], wishes.as_json)
    return True


def summary(picks: Picks) -> list[str]:
    """The recommendation in a few lines."""
    from dse.config.quantities import QUANTITIES, show

    if not picks["picks"] or picks["savings"] is None:
        limited = [b for b in QUANTITIES if b.column in picks["budgets"]]
        limits = ", ".join(f"{b.key} {show(picks['budgets'][b.column], b.unit)}" for b in limited)
        return [f"no design meets the budgets ({limits}); front.csv lists what was reached"]
    best = picks["picks"][0]
    verified, searched = best["verified_drop"], best["searched_drop"]
    unseen = best["unseen_drop"] or verified
    interval = f"95 % interval {unseen['low']:+.2f} to {unseen['high']:+.2f}"
    lines = [
        f"recommended: {best['id']} ({best['why']})",
        f"  drop on unseen images {unseen['value']:+.2f} pp, {interval}, by search and verification",
        f"  on the {verified['images']:,} unseen images alone {verified['value']:+.2f} pp (it was chosen by them)",
        f"  on the {searched['images']:,} search images {searched['value']:+.2f} pp (optimistic: they chose designs)",
    ]
    names = {quantity.column: quantity.key for quantity in QUANTITIES}
    for row in best["rows"]:
        lines.append(f"  {names[row['quantity']]}: {row['verdict']} - {row['note']}")
    for origin, saved in picks["savings"]["against"].items():
        lines.append(f"  against {origin}: memory {-saved['memory']:+.1%}, energy {-saved['energy']:+.1%}")
    return lines
