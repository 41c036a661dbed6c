"""`svit-dse hardware` lists, prints and checks descriptions of chips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

app = typer.Typer(
    help="Chips: list the shipped ones, show every constant of one, check a file of your own.",
    epilog="Example: svit-dse hardware lint mychip.yaml",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: svit-dse hardware list")
def list_chips(as_json: JSON = False) -> None:
    """The shipped chips."""
    import costmodels
    from dse.commands._show import print_rows

    rows = costmodels.hardware_rows()
    if as_json:
        print_rows(rows, as_json=True)
        return
    print_rows(
        [
            {"name": r["name"], "node": f"{r['node_nm']:g} nm", "dataflow": r["dataflow"], "title": r["title"]}
            for r in rows
        ]
    )


@app.command(epilog="Example: svit-dse hardware show generic_45nm")
def show(
    chip: Annotated[str, typer.Argument(help="A shipped chip's name, or a file.")],
    as_json: JSON = False,
) -> None:
    """Every constant of a chip with its unit and source."""
    import costmodels
    from dse.commands._show import print_rows

    hardware = costmodels.load_hardware(chip)
    rows = hardware.constants().to_dict("records")
    print_rows(rows if as_json else [_short(r) for r in rows], f"{hardware.name}: {hardware.title}", as_json)


def _short(row: dict[str, object]) -> dict[str, object]:
    value = row["value"]
    number = f"{value:.4g}" if isinstance(value, float) else value
    unit = "" if row["unit"] == "1" else f" {row['unit']}"
    return {"constant": row["key"], "value": f"{number}{unit}", "source": row["source"]}


@app.command(epilog="Example: svit-dse hardware lint mychip.yaml")
def lint(
    files: Annotated[list[str], typer.Argument(help="Chip files, or names of shipped chips.")],
    as_json: JSON = False,
) -> None:
    """Check chip files; every mistake is a line with file, line, key and remedy."""
    import costmodels
    from dse.commands._show import print_rows

    mistakes = {file: costmodels.lint(file) for file in files}
    if as_json:
        print_rows([{"file": file, "mistakes": lines} for file, lines in mistakes.items()], as_json=True)
    else:
        for file, lines in mistakes.items():
            for line in lines:
                typer.echo(line, err=True)
            if not lines:
                typer.echo(f"{file}: fine")
    if any(mistakes.values()):
        raise typer.Exit(2)


@app.command(epilog="Example: svit-dse hardware price generic_45nm priced.csv --out mine.yaml")
def price(
    chip: Annotated[str, typer.Argument(help="A shipped chip's name, or a file.")],
    table: Annotated[Path, typer.Argument(help="CSV: component, action, energy_pj, source.")],
    out: Annotated[Path, typer.Option(help="Write the chip to this file.")],
    as_json: JSON = False,
) -> None:
    """Make a chip whose energies come from a table of actions with their energies and sources."""
    import costmodels
    from dse.commands._show import check_out, print_record

    check_out(out)
    costmodels.write_hardware(costmodels.priced(costmodels.load_hardware(chip), table), out)
    print_record({"chip": out}, [f"wrote {out}"], as_json)


@app.command(epilog="Example: svit-dse hardware schema > chip.schema.json")
def schema(out: Annotated[Path | None, typer.Option(help="Write to this file.")] = None) -> None:
    """The JSON schema of chip files, for editors."""
    import json

    import costmodels
    from costmodels.whole_files import write_text
    from dse.commands._show import check_out

    check_out(out)
    text = json.dumps(costmodels.json_schema(), indent=2)
    if out is None:
        typer.echo(text)
    else:
        write_text(out, text + "\n")
