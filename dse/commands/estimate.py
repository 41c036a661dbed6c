"""`svit-dse estimate` computes memory, energy, latency and power of designs without running the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import DESIGN_NAME, JSON, LIKE, TRUST, WIDTHS_FILE

EXAMPLE = "Example: svit-dse estimate sdtv2_8_512 --hardware generic_45nm --bits 8 --bits 4"
WIDTHS, MIXED = (32, 8, 4, 2), (2, 3, 4, 6, 8)


def estimate(
    workload: Annotated[
        str | None, typer.Argument(help="A layers.csv file, or the name of an example network.")
    ] = None,
    hardware: Annotated[
        str | None, typer.Option(help="Chip name or file; default: generic_45nm, or the chip of the run.")
    ] = None,
    bits: Annotated[list[int] | None, typer.Option(help="Uniform weight width; may be repeated.")] = None,
    run: Annotated[Path | None, typer.Option(help="Cost the front of this run, instead of WORKLOAD.")] = None,
    design: Annotated[
        list[str] | None, typer.Option(help=f"With --run: cost only this design; may be repeated. {DESIGN_NAME}")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="With --run: cost the design of this export, with the widths of sums observed there."),
    ] = None,
    widths: Annotated[Path | None, typer.Option(help=WIDTHS_FILE)] = None,
    like: LIKE = None,
    state_bits: Annotated[int | None, typer.Option(min=1, max=32, help="Width of membrane potentials.")] = None,
    activation_bits: Annotated[
        int | None, typer.Option(min=1, max=32, help="Width of values between convolutions without a neuron.")
    ] = None,
    time_steps: Annotated[int | None, typer.Option(min=1, help="Time steps; default: as measured.")] = None,
    frame_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Inferences/s; default: the chip's or the run's.")
    ] = None,
    breakdown: Annotated[bool, typer.Option("--breakdown", help="Energy and memory by component.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Compare with float and non-spiking networks.")] = False,
    crossover: Annotated[bool, typer.Option("--crossover", help="Firing rate below which spikes save energy.")] = False,
    floorline: Annotated[bool, typer.Option("--floorline", help="What limits each layer, and what to change.")] = False,
    forms: Annotated[bool, typer.Option("--forms", help="Savings under every form of the datapath.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Best setting of the chip's knobs per design.")] = False,
    stability: Annotated[
        bool, typer.Option("--stability", help="Stability of the ranking when constants change.")
    ] = False,
    actions: Annotated[
        Path | None, typer.Option(help="Write action counts by layer and component to this file (.csv or .yaml).")
    ] = None,
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Cost designs of a network on a chip, without running the network."""
    from dse.commands import _estimate_views as views
    from dse.commands._options import check_like, trusted
    from dse.errors import ConfigError
    from dse.problem.design import FLOAT
    from dse.workflows.estimate import Changes, exported, file_designs, mixtures, run_designs, uniform_designs

    asked = {"--breakdown": breakdown, "--compare": compare, "--crossover": crossover}
    asked |= {"--floorline": floorline, "--forms": forms, "--sweep": sweep, "--stability": stability}
    if sum(asked.values()) > 1:
        raise ConfigError(f"{', '.join(asked)} print different tables; give one at a time")
    if (workload is None) == (run is None):
        raise ConfigError("give either WORKLOAD, a layers.csv or an example network, or --run, a run directory")
    if run is None and design:
        raise ConfigError(f"--design {design[0]}: designs have names in a run; add --run, or give --bits")
    check_like(like, run, widths)
    if run is None and export is not None:
        raise ConfigError(f"--export {export}: an export is costed with the layer table of its run; add --run")
    if run is not None and trust:
        trusted(run, given=True)
    if widths is not None:
        taken = {"bits": bits, "design": design, "export": export, "stability": stability or None}
        _refuse(taken, "the file of --widths gives the designs; leave it out")
        chosen = file_designs(widths, workload, run, hardware, like)
    elif run is not None:
        own: dict[str, object] = {"bits": bits, "state_bits": state_bits, "time_steps": time_steps}
        _refuse(own, "the designs of a run have their own value; leave it out")
        if export is not None:
            _refuse({"design": design, "stability": stability or None}, "not with --export, which is one design")
            chosen = exported(run, hardware, export)
        else:
            chosen = run_designs(run, hardware, design or (), every=stability)
    elif stability:
        chosen = mixtures(str(workload), hardware, [b for b in bits or MIXED if b != FLOAT])
    else:
        chosen = uniform_designs(str(workload), hardware, bits or WIDTHS)
    if compare:
        shared = {"activation_bits": activation_bits, "state_bits": state_bits, "time_steps": time_steps}
        _refuse(shared, "not with --compare, whose rows have different networks")
    view = next((name.removeprefix("--") for name, wanted in asked.items() if wanted), "costs")
    changes = Changes(frame_rate, state_bits, activation_bits, time_steps)
    if actions is not None:
        views.write_actions(chosen.changed(changes), actions)
        return
    views.VIEWS[view](chosen.changed(changes), as_json)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Raise ConfigError for the first option that is given."""
    from dse.errors import ConfigError

    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: {why}")
