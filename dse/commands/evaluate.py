"""`svit-dse evaluate` measures one design in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dse.commands._options import (
    BINNING,
    DATA,
    DESIGN_NAME,
    JSON,
    LIKE,
    NETWORK,
    OPTION,
    RESOLUTION,
    TRUST,
    WIDTHS_FILE,
)

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: svit-dse evaluate --checkpoint sdtv2_tiny_digits --data digits --bits 3"


def evaluate(
    checkpoint: Annotated[
        str | None, typer.Option(help="A shipped checkpoint's name, or a file.  [default: sdtv2_tiny_digits]")
    ] = None,
    network: NETWORK = None,
    option: OPTION = None,
    data: DATA = "digits",
    bits: Annotated[int, typer.Option(help="Weight width of every layer; 32 is the float network.")] = 8,
    run: Annotated[Path | None, typer.Option(help="Take a design, its network and its data from this run.")] = None,
    design: Annotated[str | None, typer.Option(help=f"With --run. {DESIGN_NAME}  [default: recommended]")] = None,
    widths: Annotated[Path | None, typer.Option(help=WIDTHS_FILE)] = None,
    like: LIKE = None,
    images: Annotated[int | None, typer.Option(min=10, help="Images; default: the whole split.")] = None,
    split: Annotated[str, typer.Option(help="search, verify, or test if the data have it.")] = "verify",
    time_steps: Annotated[int | None, typer.Option(min=1, help="Time steps; default: the checkpoint's.")] = None,
    binning: BINNING = "count",
    resolution: RESOLUTION = None,
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Measure one design: top-1 and top-5, paired drop, classes, firing rates, dead and saturated neurons."""
    from dse.commands._given import using
    from dse.commands._network import Read, config_of
    from dse.commands._options import check_like, trusted
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows, say
    from dse.results.experiment import experiment_of
    from dse.results.naming import RECOMMENDED
    from dse.results.own_parts import own_evaluator
    from dse.results.run import open_run
    from dse.workflows.evaluate import evaluated, file_design, uniform_design

    check_like(like, run, widths)
    with using(network=network, option=option, checkpoint=checkpoint), Meter() as advance:
        if run is None:
            config = config_of(checkpoint, network, option or [], Read(data, resolution, binning), time_steps)
        else:
            trusted(run, trust)
            opened = open_run(run)
            if said := own_evaluator(opened):
                say(said)
            config = opened.config
        if widths is not None:
            rest = None if like is None else opened.design(like)
            experiment, chosen = file_design(config, widths, design, rest, advance)
        elif run is None:
            experiment, chosen = uniform_design(config, bits, time_steps, advance)
        else:
            name = design or RECOMMENDED
            chosen, experiment = opened.design(name), experiment_of(opened, name, advance)
        if experiment.checkpoint.assumed:
            say(experiment.checkpoint.assumed)
        found = evaluated(experiment, chosen, split, images)
    if as_json:
        print_rows([found.record()], as_json=True)
        return
    print_rows(
        found.summary(),
        f"design {chosen.id} on {found.evaluation.images} images of {experiment.images.name}, split {split}",
    )
    print_rows(_by_stage(found.health), "firing per neuron and step")
    classes = found.classes.rename(columns={"right:float": "float right", "right:design": "design right"})
    print_rows(classes.to_dict("records"), "images right per class")


def _by_stage(health: pd.DataFrame) -> list[dict[str, str | int | float]]:
    health = health.assign(stage=health["name"].str.split(".").str[0].str.removesuffix("_lif"))
    rows = []
    for stage, part in health.groupby("stage", sort=False):
        weight = part["neurons"] / part["neurons"].sum()
        row: dict[str, str | int | float] = {"stage": str(stage), "neurons": int(part["neurons"].sum())}
        for column in ("float_rate", "rate", "dead", "saturated"):
            row[column.replace("_", " ")] = float((part[column] * weight).sum())
        rows.append(row)
    return rows
