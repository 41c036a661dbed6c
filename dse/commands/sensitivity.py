"""`svit-dse sensitivity` says how much every layer suffers at every width."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dse.commands._options import CHECKPOINT, JSON, NETWORK, OPTION

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: svit-dse sensitivity my.yaml --measure --out sensitivity.csv"


def sensitivity(
    config: Annotated[Path, typer.Argument(help="Configuration file.")],
    network: NETWORK = None,
    option: OPTION = None,
    checkpoint: CHECKPOINT = None,
    measure: Annotated[bool, typer.Option("--measure", help="Also measure each group quantized alone.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the table to this CSV file.")] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw a chart by layer type and stage to this .png, .svg or .pdf file.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="With --measure: write the base setting to this CSV or JSON file.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the accuracy budget for the base setting.")] = 0.5,
    most: Annotated[int, typer.Option(min=1, help="Number of groups to print.")] = 15,
    as_json: JSON = False,
) -> None:
    """Estimate the loss of every group of layers at fewer bits (one backward pass), or measure it."""
    from dse.commands._options import configured

    _check_files(out, chart, base, measure)
    loaded = configured(config, network, option, checkpoint)  # mistakes are told before torch is imported
    setting = None

    from dse.commands._given import using
    from dse.commands._progress import Meter
    from dse.commands._show import say
    from dse.evaluation.prepare import prepare
    from dse.results.tables import score_rows
    from dse.workflows.sensitivity import measured_study

    with using(config, network=network, option=option, checkpoint=checkpoint), Meter() as advance:
        experiment = prepare(loaded, advance)
        scores = experiment.scores(experiment.fisher(experiment.widths))
        table = score_rows(experiment.space, scores, experiment.network.table)
    for note in experiment.notes:
        say(note)
    if measure:
        with using(config, network=network, option=option, checkpoint=checkpoint), advance:
            table, setting = measured_study(experiment, table, loaded.budgets.get("drop", 1.0), share)
    _write_files(table, setting, out, chart, base)
    _print(table, setting, most, as_json)


def _check_files(out: Path | None, chart: Path | None, base: Path | None, measure: bool) -> None:
    """Raises ConfigError for files that cannot be written, before anything is measured."""
    from dse.commands._show import check_out
    from dse.errors import ConfigError
    from reports import CHART_FORMATS

    for path in (out, base, chart):
        check_out(path)
    if chart is not None and chart.suffix not in CHART_FORMATS:
        raise ConfigError(f"--chart {chart}: unknown format; name a file that ends in {', '.join(CHART_FORMATS)}")
    if base is not None and not measure:
        raise ConfigError("--base: a base setting needs measurements; add --measure")


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Rows as JSON values: None where there is none."""
    return [] if table is None else table.astype(object).where(table.notna(), None).to_dict("records")


def _write_files(
    table: pd.DataFrame, setting: pd.DataFrame | None, out: Path | None, chart: Path | None, base: Path | None
) -> None:
    from dse.results.files import write_csv, write_json
    from reports import draw_sensitivity

    if setting is not None and base is not None:
        write_json(base, _records(setting)) if base.suffix == ".json" else write_csv(base, setting)
    if out is not None:
        write_csv(out, table)
    if chart is not None:
        draw_sensitivity(table, chart)


def _print(table: pd.DataFrame, setting: pd.DataFrame | None, most: int, as_json: bool) -> None:
    """The `most` sensitive groups and, where it was measured, the base setting."""
    from dse.commands._show import print_rows

    chosen, measured = _records(setting), setting is not None
    if as_json:
        print_rows(_records(table) + chosen, as_json=True)
        return
    what = "KL [nat], measured" if measured else "diagonal Fisher score"
    rows = _by_group(table[table["kind"] == "weight"], "kl") if measured else _by_group(table, "score")
    print_rows(rows[:most], f"{min(most, len(rows))} of {len(rows)} groups, most sensitive first ({what})")
    if chosen:
        heads = ("type", "bits", "predicted", "drop", "low", "high")
        shown = ("type", "bits", "predicted", "drop", "drop_low", "drop_high")
        rows = [{head: row[column] for head, column in zip(heads, shown, strict=True)} for row in chosen]
        print_rows(rows, "base setting; loss in percentage points")


def _by_group(table: pd.DataFrame, quantity: str) -> list[dict[str, Any]]:
    """A row per group of layers with the quantity at every width, the most sensitive at the narrowest first."""
    wide = table.pivot_table(index="group", columns="bits", values=quantity, sort=False)
    wide = wide.sort_values(wide.columns[0], ascending=False)
    return [{"group": group, **{f"{b} bit": float(v) for b, v in row.items()}} for group, row in wide.iterrows()]
