"""`svit-dse export` writes a design as packed integers with a specification and golden vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import DESIGN, JSON, NAMED, TRUST
from dse.errors import ConfigError

FORMATS = ("integers", "qonnx", "modelopt", "torchao", "brevitas", "aimet")
TOOLS = FORMATS[2:]  # dse.problem.tool_layouts.TOOLS, which brings numpy
EXAMPLE = "Example: svit-dse export runs/demo recommended --out chip --golden 10"


def export(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path, typer.Option(help="New folder; a .json file where --format writes widths only.")],
    design: NAMED = None,
    spelled: DESIGN = None,
    golden: Annotated[int, typer.Option(min=0, help="Number of images with golden vectors.")] = 0,
    state_bits: Annotated[
        int | None, typer.Option(min=4, max=16, help="Width of potentials that are float in the design; default: 16.")
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(min=4, max=16, help="Width of residual streams and activations; default: the run's.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help=f"integers; qonnx (adds network.onnx); {', '.join(TOOLS)} (weight widths as JSON)."
        ),
    ] = "integers",
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Write a design as an integer network: packed weights, specification, golden vectors for testbenches."""
    from costmodels.yaml_file import meant
    from dse.commands._options import design_name, trusted
    from dse.commands._progress import Meter
    from dse.commands._show import print_record
    from dse.workflows.export import Widths, export_design, export_layout, export_onnx

    chosen = design_name(design, spelled)
    if form not in FORMATS:
        raise ConfigError(f"--format {form}: no such format; {meant(form, FORMATS)}")
    if form in TOOLS:
        if golden or state_bits or activation_bits:
            raise ConfigError(f"--format {form}: writes weight widths only; leave out --golden and other widths")
        if form == "aimet":  # whose scales are those of the network
            trusted(run, trust)
        print_record({"out": out, "format": form}, export_layout(run, chosen, out, form), as_json)
        return
    trusted(run, trust)
    with Meter() as advance:
        found = (export_onnx if form == "qonnx" else export_design)(
            run, chosen, out, golden, Widths(state_bits, activation_bits), advance
        )
    print_record(vars(found), found.lines(), as_json)
