"""`svit-dse dashboard` shows a study in optuna-dashboard."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON
from dse.commands._storage import storage as storage_option

EXAMPLE = "Example: svit-dse dashboard runs/first"


def dashboard(
    run: Annotated[Path, typer.Argument(help="Run directory of a search, which may still run.")],
    storage: Annotated[str | None, storage_option("Optuna storage URL of its study")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8080,
    as_json: JSON = False,
) -> None:
    """Show a copy of the study of a run, kept up to date, in optuna-dashboard on 127.0.0.1 without a login."""
    from dse.commands._show import print_record, say
    from dse.workflows.dashboard import Copy, following, opened, served

    copy = Copy(opened(run, storage))
    copy.follow()
    with served(copy, port) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        said = [
            f"{address} shows a copy of {run} that is kept up to date; Ctrl-C ends",
            "there is no login: whoever can open pages on this machine can read and change the copy, not the run",
        ]
        print_record({"run": run, "address": address}, said, as_json)
        end = following(copy, say)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        end.set()
