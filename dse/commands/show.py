"""`svit-dse show` prints what a run knows of one design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import DESIGN_NAME, JSON

EXAMPLE = "Example: svit-dse show runs/first recommended --out bits.csv"


def show(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    design: Annotated[str, typer.Argument(help=DESIGN_NAME)] = "recommended",
    out: Annotated[
        Path | None,
        typer.Option(help="Write the widths to this .csv, .json or .yaml file, for --widths of other commands."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show one design of a run: drops, costs against the budgets, and the width of every layer."""
    from dse.commands import _designs
    from dse.commands._show import check_out, print_rows
    from dse.problem.widths_file import write_widths
    from dse.results.described import described
    from dse.results.run import open_run

    check_out(out)
    opened = open_run(run)
    found = described(opened, design)
    if out is not None:
        write_widths(out, found.design)
    if as_json:
        print_rows([found.record()], as_json=True)
        return
    print_rows(_designs.fact_rows(found, opened.config.column_budgets()), f"design {found.id} of {run}")
    print_rows(_designs.width_rows(found), "weight widths by block, layers in network order")
    if opened.decomposition is not None and "recommended" in found.names:
        title = "contribution of each part: alone, added to the narrowest uniform width; last, added to all other parts"
        print_rows(_designs.part_rows(opened.decomposition), title)
    if out is not None:
        typer.echo(f"wrote {out}")
