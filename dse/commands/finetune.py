"""`svit-dse finetune` trains the quantized weights of one design towards the float network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dse.commands._options import DESIGN, JSON, NAMED, TRUST

EXAMPLE = "Example: svit-dse finetune runs/first uniform-2 --epochs 3"


def finetune(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    design: NAMED = None,
    spelled: DESIGN = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 3,
    images: Annotated[int | None, typer.Option(min=1, help="Training images; default: all, at most 5000.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Learning rate, in quantization steps.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Fine-tune the integers of one design towards the float network, without labels."""
    import time

    import sviT_models
    from dse.commands._options import design_name, trusted
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows, say
    from dse.workflows.finetune import finetuned

    chosen = design_name(design, spelled)
    schedule = sviT_models.Schedule(epochs=epochs, learning_rate=learning_rate, seed=seed)

    began = time.monotonic()

    def progress(epoch: int, loss: float) -> None:
        nonlocal began
        took, began = time.monotonic() - began, time.monotonic()
        left = f", ETA {took * (epochs - epoch):.0f} s" if epoch > 1 else ""  # the first one has the preparation
        say(f"epoch {epoch} of {epochs}: divergence from the float network {loss:.4f} nat{left}")

    trusted(run, trust)
    with Meter() as advance:
        done = finetuned(run, chosen, schedule, images, progress, advance)
    if as_json:
        print_rows([done.record], as_json=True)
        return
    before, after, gain = (done.record[name] for name in ("before", "after", "gain"))
    rows: list[dict[str, Any]] = [
        {"what": "drop before", "points": before["drop"], "low": before["low"], "high": before["high"]},
        {"what": "drop after", "points": after["drop"], "low": after["low"], "high": after["high"]},
        {"what": "won back", "points": gain["drop"], "low": gain["low"], "high": gain["high"]},
    ]
    print_rows(rows, f"{done.id} on {done.record['images']} verification images, 95 % intervals (paired)")
    typer.echo(f"wrote {done.directory}")
