"""`svit-dse verify-export` checks an export against its golden vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: svit-dse verify-export chip"


def verify_export(
    folder: Annotated[Path, typer.Argument(help="What `svit-dse export --golden N` wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the reference interpreter against the golden vectors of an export; exit status 1 where they differ."""
    import sviT_models
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows
    from dse.progress import within

    with Meter() as advance:
        table = sviT_models.verify_export(folder, within(advance, "golden images"))
    wrong = table[table["mismatches"] > 0]
    if as_json:
        print_rows(table.to_dict("records"), as_json=True)
    elif len(wrong):
        print_rows(wrong.to_dict("records"), f"{len(wrong)} of {len(table)} tensors differ")
    else:
        typer.echo(
            f"{len(table) - 1} LIF layers and the logits are equal: {table['values'].sum():,} values, 0 mismatches"
        )
    if len(wrong):
        raise typer.Exit(1)
