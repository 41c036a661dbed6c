"""`svit-dse compare` lays several runs side by side in one report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse compare runs/demo-fashion_mnist runs/demo-fashion_mnist-seneca_like --out runs/chips"


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run directories that `svit-dse search` or `report` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the comparison.")],
    as_json: JSON = False,
) -> None:
    """Compare the fronts of several networks, chips or tool versions in one report."""
    import reports
    from dse.commands._progress import Meter
    from dse.commands._show import print_record
    from dse.progress import within

    with Meter() as advance:
        index = reports.compare(runs, out, within(advance, "runs"))
    print_record({"report": index}, [str(index)], as_json)
