"""`svit-dse profile` measures the layer table of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dse.commands._options import BINNING, DATA, JSON, NETWORK, OPTION, RESOLUTION

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: svit-dse profile --checkpoint sdtv2_tiny_digits --data digits --out layers.csv"
DEFAULT = "sdtv2_tiny_digits"
FRAMES = 4  # of a sample of events


def profile(
    checkpoint: Annotated[
        str | None, typer.Option(help="A shipped checkpoint's name, or a file.  [default: sdtv2_tiny_digits]")
    ] = None,
    network: NETWORK = None,
    option: OPTION = None,
    model: Annotated[str | None, typer.Option(help="Network name; default: the network that the file fits.")] = None,
    data: DATA = "digits",
    images: Annotated[int, typer.Option(min=1, help="Images to measure on.")] = 64,
    time_steps: Annotated[int | None, typer.Option(min=1, help="Time steps; default: the checkpoint's.")] = None,
    binning: BINNING = "count",
    resolution: RESOLUTION = None,
    distilled: Annotated[bool, typer.Option("--distilled", help="The checkpoint has a distillation head.")] = False,
    form: Annotated[
        str, typer.Option(help="unfused, or fused (a chain of linear convolutions becomes one layer).")
    ] = "unfused",
    products: Annotated[
        bool, typer.Option("--products", help="Also count the operations that remain with product sparsity.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the layer table to this CSV file.")] = None,
    as_json: JSON = False,
) -> None:
    """Measure the layer table of a network: shapes, operations and spikes of every layer.

    Works for every network that can be captured, and says so where it cannot be evaluated exactly.
    """
    import sviT_models
    from dse.commands._given import using
    from dse.commands._network import captured
    from dse.commands._progress import Meter
    from dse.commands._show import check_out, print_rows, say
    from dse.errors import ConfigError
    from dse.results.files import write_csv

    check_out(out)
    if form not in ("unfused", "fused"):
        raise ConfigError(f"--form {form!r}: expected unfused or fused")
    frames = sviT_models.Binning(time_steps or FRAMES, binning)
    batch = sviT_models.load_data(data, "search", count=images, resolution=resolution, binning=frames)
    if network is not None:
        others = {"--model": model, "--distilled": distilled, "--form": form if form == "fused" else None}
        if given := [key for key, value in others.items() if value]:
            raise ConfigError(f"{given[0]}: not with --network; give the arguments of the network with --option")
        with using(network=network, option=option, checkpoint=checkpoint):
            title, measured = network, captured(network, option or [], checkpoint, time_steps, batch)
    else:
        if option:
            raise ConfigError(f"--option {option[0]}: only with --network")
        found = sviT_models.open_checkpoint(
            checkpoint or DEFAULT, network=model, distilled=distilled, time_steps=time_steps
        )
        unfused = found.model
        title, measured = unfused.config.name, (sviT_models.fuse(unfused) if form == "fused" else unfused).eval()
    with Meter() as advance:
        advance("images", 0, len(batch))
        table = sviT_models.profile(
            measured, batch.images, lambda done: advance("images", done, len(batch)), products=products
        )
    if network is not None and (refusal := sviT_models.exact_refusal(measured.graph, batch.images)):
        say(f"{network}: can be costed but not evaluated exactly, so search and export refuse it: {refusal}")
    for name in batch.corrupt:
        say(f"cannot be decoded and was left out: {name}")
    if out is not None:
        write_csv(out, table)
    if as_json:
        print_rows(table.to_dict("records"), as_json=True)
        return
    print_rows(_by_stage(table), f"{title}, T={int(table['time_steps'].iloc[0])}, {images} images")


def _by_stage(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The layer table summed over the layers of every stage."""
    return [
        {
            "stage": stage,
            "layers": len(part),
            "weights": int(part["weights"].sum()),
            "MMAC/step": float(part["macs"].sum() / 1e6),
            "Msynop": float(part["synops"].sum() / 1e6),
            "neurons": int(part["neurons"].sum()),
            "rate": _rate(part),
        }
        for stage, part in table.groupby("stage", sort=False)
    ]


def _rate(part: pd.DataFrame) -> float:
    neurons = float(part["neurons"].sum()) * float(part["time_steps"].iloc[0])
    return float(part["lif_spikes"].sum()) / neurons if neurons else float("nan")
