"""`svit-dse reestimate` estimates the batch norms of one design again from unlabelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import DESIGN, JSON, NAMED, TRUST

EXAMPLE = "Example: svit-dse reestimate runs/first uniform-2"


def reestimate(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    design: NAMED = None,
    spelled: DESIGN = None,
    images: Annotated[int | None, typer.Option(min=2, help="Unlabelled images; default: those of the run.")] = None,
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Estimate the batch norms of one design again from unlabelled images, without training."""
    from dse.commands._options import design_name, trusted
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows, say
    from dse.workflows.finetune import reestimated

    chosen = design_name(design, spelled)
    trusted(run, trust)
    with Meter() as advance:
        done = reestimated(run, chosen, images, advance)
    for norm, count in done.record["dead_channels"].items():
        say(f"{norm}: {count} channels have no variance on these images and keep their statistics")
    if as_json:
        print_rows([done.record], as_json=True)
        return
    said = {"before": "drop before", "after": "drop after", "gain": "won back"}
    kept = {what: done.record[name] for name, what in said.items()}
    rows = [{"what": w, "points": d["drop"], "low": d["low"], "high": d["high"]} for w, d in kept.items()]
    print_rows(rows, f"{done.id} on {done.record['images']} verification images, 95 % intervals (paired)")
    typer.echo(f"wrote {done.directory}")
