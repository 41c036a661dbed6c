"""`svit-dse worker` joins a search that others have begun, and may leave it at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON
from dse.commands._storage import storage as storage_option

EXAMPLE = "Example: svit-dse worker my.yaml --storage postgresql://user@host/name"


def worker(
    config: Annotated[Path, typer.Argument(help="The configuration of the search.")],
    storage: Annotated[str | None, storage_option("Optuna storage URL that the workers share")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory of a search on this machine, instead of --storage.")
    ] = None,
    allow_mixed: Annotated[bool, typer.Option(help="Join even if inputs differ, and record the difference.")] = False,
    as_json: JSON = False,
) -> None:
    """Measure designs for a search until its budget is used; writes only to the study."""
    from dse.commands._options import configured
    from dse.errors import ConfigError
    from dse.ledger import JOURNAL

    if storage is None and out is None:
        raise ConfigError("worker: give --storage URL, or --out with the run directory of a search on this machine")
    loaded = configured(config)
    if storage is None and out is not None and not (out / JOURNAL).is_file():
        raise ConfigError(f"{out / JOURNAL}: no such file; is {out} the --out of a `svit-dse search` that has begun?")

    from dse.commands._crew import follow_parent  # mistakes are told before torch is imported
    from dse.commands._given import using
    from dse.commands._progress import Meter, SearchProgress
    from dse.commands._show import print_record, say
    from dse.workflows.search import join
    from dse.workflows.search_values import Listener, StudyStorage

    follow_parent()
    with using(config), Meter() as advance:
        study = StudyStorage(out, storage, allow_mixed, shares=True)
        reason = join(loaded, study, Listener(say, SearchProgress, advance))
    print_record({"ended": reason}, [reason], as_json)
