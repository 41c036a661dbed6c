"""`svit-dse sensitivity` says how much every layer suffers at every width."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from dse.evaluation.experiment import Workbench

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
    from dse.evaluation.experiment import prepare
    from dse.results.files import write_csv, write_json
    from dse.results.tables import score_rows
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
        bench = prepare(loaded, advance)
        table = score_rows(bench.space, bench.scores(bench.fisher(bench.config.search.widths)), bench.table)
    for note in bench.bank.notes:
        say(note)
    setting: list[dict[str, Any]] = []
    if measure:
        with using(config), advance:
            table, chosen = _measured(bench, table, share)
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
    quantity, what = ("kl", "KL [nat], measured") if measure else ("score", "diagonal Fisher score")
    groups = table[table["kind"] == "weight"] if measure else table
    wide = groups.pivot_table(index="group", columns="bits", values=quantity, sort=False)
    wide = wide.sort_values(wide.columns[0], ascending=False)
    rows = [{"group": g, **{f"{b} bit": float(v) for b, v in row.items()}} for g, row in wide.head(most).iterrows()]
    print_rows(rows, f"{min(most, len(wide))} of {len(wide)} groups, most sensitive first ({what})")
    if setting:
        shown = ("type", "bits", "predicted", "drop", "drop_low", "drop_high")
        print_rows([{k: row[k] for k in shown} for row in setting], "base setting; loss in percentage points")


def _measured(bench: Workbench, scores: pd.DataFrame, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of all probes, and the base setting with its own measured drop as the last row (`all`)."""
    import pandas as pd

    from dse.evaluation import one_at_a_time
    from dse.workflows import sensitivity as study

    space, reference = bench.space, bench.float_design
    probes = one_at_a_time.group_probes(space, reference, bench.table) + one_at_a_time.type_probes(space, reference)
    probes += one_at_a_time.other_probes(space, reference)
    table = study.sensitivity_table(probes, one_at_a_time.measured(bench, probes, bench.images), scores)
    setting = study.base_setting(table, bench.config.budgets.get("drop", 1.0), share)
    whole = bench.evaluator(bench.images)(study.base_design(space, reference, setting))
    row = {"type": "all", "predicted": setting["predicted"].sum(), "allowance": setting["allowance"].sum()}
    row |= {name: getattr(whole, name) for name in ("kl", "drop", "drop_low", "drop_high", "images")}
    return table, pd.concat([setting.astype(object), pd.DataFrame([row], dtype=object)], ignore_index=True)
