"""`svit-dse diff` compares two designs of a run, or the recommended designs of two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dse.commands._options import DESIGN_NAME, JSON

if TYPE_CHECKING:
    from dse.results.described import Difference

EXAMPLE = "Example: svit-dse diff runs/first recommended uniform-4"


def diff(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    first: Annotated[str, typer.Argument(help=f"{DESIGN_NAME} Or a second run directory.")],
    second: Annotated[str | None, typer.Argument(help=f"The other design. {DESIGN_NAME}")] = None,
    as_json: JSON = False,
) -> None:
    """Compare two designs of a run, or two runs: their configurations and their recommended designs."""
    from dse.commands._show import print_rows
    from dse.errors import ConfigError
    from dse.results.described import described, difference, settings
    from dse.results.run import open_run

    one = open_run(run)
    if second is not None:
        found, changed, names = difference(described(one, first), described(one, second)), [], (first, second)
    elif (Path(first) / "results.csv").is_file():
        other = open_run(Path(first))
        found = difference(described(one, "recommended"), described(other, "recommended"))
        changed, names = settings(one, other), (str(run), first)
    else:
        raise ConfigError(f"{first}: is not a run directory; give a second run, or two designs of {run}")
    if as_json:
        print_rows([_record(found, changed)], as_json=True)
        return
    if second is None:
        rows = [{"key": key, names[0]: a, names[1]: b} for key, a, b in changed]
        print_rows(
            rows,
            "1 key of the configurations differs"
            if len(rows) == 1
            else f"{len(rows)} keys of the configurations differ",
        )
    _print(found, names)


def _record(found: Difference, changed: list[tuple[str, Any, Any]]) -> dict[str, Any]:
    return {
        "first": found.first.record(),
        "second": found.second.record(),
        "configuration": [{"key": key, "first": a, "second": b} for key, a, b in changed],
        "widths": [{"name": name, "first": a, "second": b} for name, a, b in found.widths],
    }


def _print(found: Difference, names: tuple[str, str]) -> None:
    """Quantities and widths beside each other."""
    from dse.commands._designs import difference_rows
    from dse.commands._show import print_rows
    from dse.config.quantities import show
    from dse.results.described import drop_text

    heads = [f"{name} ({d.id})" for name, d in zip(names, (found.first, found.second), strict=True)]
    if heads[0] == heads[1]:
        heads[1] += " again"
    rows: list[dict[str, Any]] = []
    for kind in [k for k in found.first.drops if k in found.second.drops]:
        both = [drop_text(d.drops[kind]) for d in (found.first, found.second)]
        rows.append({"what": f"drop, {kind}", heads[0]: both[0], heads[1]: both[1], "change": None})
    for quantity, a, b in found.quantities:
        change = f"{b / a - 1:+.1%}" if a else None
        shown = {heads[0]: show(a, quantity.unit), heads[1]: show(b, quantity.unit)}
        rows.append({"what": quantity.key} | shown | {"change": change})
    print_rows(rows, f"{names[0]} and {names[1]}")
    title = f"{len(found.widths)} widths differ ({len(found.first.design.layers)} weight layers); bits by block"
    print_rows(difference_rows(found.first, found.second, heads), title)
