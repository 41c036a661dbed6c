"""`svit-dse sensitivity` says how much every layer suffers at every width."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: svit-dse sensitivity my.yaml --measure --out sensitivity.csv"


def sensitivity(
    config: Annotated[Path, typer.Argument(help="Configuration file.")],
    measure: Annotated[bool, typer.Option("--measure", help="Also quantize one at a time and measure.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the table to this CSV file.")] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw it by layer type and stage: a .png, .svg or .pdf file.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="With --measure: write the base setting to this CSV or JSON file.")
    ] = None,
    share: Annotated[float, typer.Option(help="Of the accuracy budget, for the base setting.")] = 0.5,
    most: Annotated[int, typer.Option(min=1, help="Groups to print.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score how much every group of layers suffers from fewer bits (one backward pass), or measure it."""
    from dse.commands._progress import Meter
    from dse.commands._show import check_out, print_rows, say, using
    from dse.config.file import load_config
    from dse.errors import ConfigError
    from dse.evaluation.prepare import prepare
    from dse.results.files import write_csv, write_json
    from dse.results.tables import score_rows
    from dse.workflows.sensitivity import measured_study
    from reports import CHART_FORMATS, draw_sensitivity

    check_out(out)
    check_out(base)
    check_out(chart)
    if chart is not None and chart.suffix not in CHART_FORMATS:
        raise ConfigError(f"--chart {chart}: unknown format; name a file that ends in {', '.join(CHART_FORMATS)}")
    if base is not None and not measure:
        raise ConfigError("--base: a base setting rests on measurements; add --measure")
    loaded = load_config(config)
    with using(config), Meter() as advance:
        experiment = prepare(loaded, advance)
        table = score_rows(
            experiment.space, experiment.scores(experiment.fisher(experiment.widths)), experiment.network.table
        )
    for note in experiment.notes:
        say(note)
    setting: list[dict[str, Any]] = []
    if measure:
        with using(config), advance:
            table, chosen = measured_study(experiment, table, loaded.budgets.get("drop", 1.0), share)
        setting = chosen.astype(object).where(chosen.notna(), None).to_dict("records")
        if base is not None:
            write_json(base, setting) if base.suffix == ".json" else write_csv(base, chosen)
    if out is not None:
        write_csv(out, table)
    if chart is not None:
        draw_sensitivity(table, chart)
    if as_json:
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        print_rows(records + setting, as_json=True)
        return
    what = "KL [nat], measured" if measure else "diagonal Fisher score"
    rows = _by_group(table[table["kind"] == "weight"], "kl") if measure else _by_group(table, "score")
    print_rows(rows[:most], f"{min(most, len(rows))} of {len(rows)} groups, most sensitive first ({what})")
    if setting:
        shown = ("type", "bits", "predicted", "drop", "drop_low", "drop_high")
        print_rows([{k: row[k] for k in shown} for row in setting], "base setting; loss in percentage points")


def _by_group(table: pd.DataFrame, quantity: str) -> list[dict[str, Any]]:
    """A row per group of layers with the quantity at every width, the most sensitive at the narrowest first."""
    wide = table.pivot_table(index="group", columns="bits", values=quantity, sort=False)
    wide = wide.sort_values(wide.columns[0], ascending=False)
    return [{"group": group, **{f"{b} bit": float(v) for b, v in row.items()}} for group, row in wide.iterrows()]
