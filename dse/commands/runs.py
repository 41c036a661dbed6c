"""`svit-dse runs` lists the run directories of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse runs runs"


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds run directories.")] = Path("runs"),
    as_json: JSON = False,
) -> None:
    """List the runs of a folder: finished or interrupted, network, chip, recommended design."""
    from dse.commands._show import print_rows
    from dse.config.quantities import show
    from dse.results.described import listed

    rows = listed(folder)
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [
        {
            "run": Path(row["run"]).name if Path(row["run"]) != folder else str(folder),
            "state": f"{row['designs']} designs" if row["state"] == "finished" else row["state"],
            "network, chip": f"{row['network']}, {row['chip']}" if row["network"] else None,
            "recommended": row["recommended"],
            "memory, drop": f"{show(row['memory'], 'B')}, {row['drop']:+.2f} pp" if row["memory"] else None,
        }
        for row in rows
    ]
    count = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
    print_rows(shown, f"{count} in {folder}" if rows else f"{folder}: holds no run directory")
