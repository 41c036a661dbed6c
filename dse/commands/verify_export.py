"""`svit-dse verify-export` checks an export against its golden vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse verify-export chip"


def verify_export(
    folder: Annotated[Path, typer.Argument(help="Folder that `svit-dse export --golden N` wrote.")],
    as_json: JSON = False,
) -> None:
    """Run an export and compare it with its golden vectors; exit status 1 if they differ.

    The reference interpreter runs it, and onnxruntime where the folder has a network.onnx.
    """
    import pandas as pd

    import sviT_models
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows
    from dse.progress import within
    from sviT_models.integer_network.onnx_model import MODEL

    with Meter() as advance:
        table = sviT_models.verify_export(folder, within(advance, "golden images"))
        if (folder / MODEL).is_file():
            other = sviT_models.verify_onnx(folder, within(advance, "golden images in onnxruntime"))
            table = pd.concat([table, other.assign(name=f"{MODEL}: " + other["name"])], ignore_index=True)
    wrong = table[table["mismatches"] > 0]
    if as_json:
        print_rows(table.to_dict("records"), as_json=True)
    elif len(wrong):
        print_rows(wrong.to_dict("records"), f"{len(wrong)} of {len(table)} tensors differ")
    else:
        runs = int((table["name"] == "logits").sum() + table["name"].eq(f"{MODEL}: logits").sum())
        also = f", also of {MODEL} in onnxruntime" if runs > 1 else ""
        typer.echo(
            f"{len(table) // runs - 1} LIF layers and the logits are equal{also}: {table['values'].sum():,} values, "
            "0 mismatches"
        )
    if len(wrong):
        raise typer.Exit(1)
