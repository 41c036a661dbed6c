"""`svit-dse sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: svit-dse sensitivity my.yaml --out sensitivity.csv"


def sensitivity(
    config: Annotated[Path, typer.Argument(help="Configuration file.")],
    out: Annotated[Path | None, typer.Option(help="Write the table to this CSV file.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Groups to print.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score how much every group of layers suffers from fewer bits (one backward pass)."""
    from dse.commands._show import busy, check_out, print_rows, using
    from dse.config_file import load_config
    from dse.run_dir import sensitivity_rows, write_csv
    from dse.workbench import prepare

    check_out(out)
    loaded = load_config(config)
    with using(config), busy("scoring every group at every width"):
        bench = prepare(loaded)
        table = sensitivity_rows(bench.space, bench.scores(bench.fisher(bench.config.search.widths)))
    if out is not None:
        write_csv(out, table)
    wide = table.pivot_table(index="group", columns="bits", values="score", sort=False)
    wide = wide.sort_values(wide.columns[0], ascending=False)
    if as_json:
        print_rows(table.to_dict("records"), as_json=True)
        return
    rows = [{"group": g, **{f"{b} bit": float(v) for b, v in row.items()}} for g, row in wide.head(most).iterrows()]
    print_rows(rows, f"{min(most, len(wide))} of {len(wide)} groups, most sensitive first (diagonal Fisher score)")
