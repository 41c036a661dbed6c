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
    run: Annotated[Path, typer.Argument(help="The --out of a search.")],
    out: Annotated[Path, typer.Option(help="New folder; for widths as JSON a .json file.")],
    design: NAMED = None,
    spelled: DESIGN = None,
    golden: Annotated[int, typer.Option(min=0, help="Images of golden vectors.")] = 0,
    state_bits: Annotated[
        int | None, typer.Option(min=4, max=16, help="Width of potentials where the design leaves them float; 16.")
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(min=4, max=16, help="Width of residual streams and activations; the run's.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help=f"integers; qonnx: also network.onnx; {', '.join(TOOLS)}: weight widths as JSON."
        ),
    ] = "integers",
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Write a design as integers: packed weights, a specification, golden vectors for testbenches."""
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
            raise ConfigError(f"--format {form}: has weight widths only; leave out --golden and other widths")
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
