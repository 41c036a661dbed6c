"""`svit-dse plot` draws the front of a run into an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse plot runs/first --out front.svg --cost energy"


def plot(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path, typer.Option(help="Image: .png, .svg or .pdf.")] = Path("front.png"),
    cost: Annotated[str, typer.Option(help="memory, energy, latency, power or area.")] = "memory",
    as_json: JSON = False,
) -> None:
    """Draw drop on unseen images over a cost: the front, the picks and all verified designs."""
    from costmodels.whole_files import replacing
    from dse.api import load
    from dse.commands._show import check_out, print_record
    from dse.errors import ConfigError

    check_out(out)
    if out.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--out {out}: expected a name that ends in .png, .svg or .pdf")
    figure = load(run).front.plot(cost).get_figure(root=True)
    assert figure is not None
    with replacing(out) as part:
        figure.savefig(part, dpi=150)
    print_record({"figure": out}, [f"wrote {out}"], as_json)
