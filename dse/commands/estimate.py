"""`svit-dse estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: svit-dse estimate sdtv2_8_512 --hardware generic_45nm --bits 8 --bits 4"


def estimate(
    workload: Annotated[str, typer.Argument(help="A layers.csv file, or the name of an example network.")],
    hardware: Annotated[str, typer.Option(help="Chip name or file.")] = "generic_45nm",
    bits: Annotated[list[int] | None, typer.Option(help="Uniform weight width; may be repeated.")] = None,
    frame_rate: Annotated[float, typer.Option(min=0.001, help="Inferences per second for average power.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cost uniform designs of a network on a chip, without running the network."""
    import numpy as np

    import costmodels
    from dse.commands._show import print_rows
    from dse.quantity import show

    work = costmodels.Workload.from_csv(workload) if Path(workload).suffix else costmodels.Workload.example(workload)
    chip = costmodels.load_hardware(hardware)
    widths = bits or [32, 8, 4, 2]
    designs = np.repeat(np.array(widths)[:, None], len(work.weight_layers), axis=1)
    cost = costmodels.estimate(work, chip, weight_bits=designs, frame_rate=frame_rate)
    columns = {"memory": ("memory_bytes", "B"), "energy": ("energy_j", "J")}
    columns |= {"latency": ("latency_s", "s"), "power": ("power_w", "W")}
    rows = []
    for i, width in enumerate(widths):
        values = {k: float(np.broadcast_to(getattr(cost, c), len(widths))[i]) for k, (c, _) in columns.items()}
        shown = values if as_json else {k: show(v, columns[k][1]) for k, v in values.items()}
        rows.append({"bits": "float" if width == 32 else width} | shown | {"fits": bool(cost.feasible[i])})
    print_rows(rows, f"{workload} on {chip.name}, {frame_rate:g} frames/s", as_json)
