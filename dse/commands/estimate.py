"""`svit-dse estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

EXAMPLE = "Example: svit-dse estimate sdtv2_8_512 --hardware generic_45nm --bits 8 --bits 4"
UNITS = {"memory": ("memory_bytes", "B"), "energy": ("energy_j", "J"), "latency": ("latency_s", "s")}
UNITS |= {"power": ("power_w", "W")}


def estimate(
    workload: Annotated[str, typer.Argument(help="A layers.csv file, or the name of an example network.")],
    hardware: Annotated[str, typer.Option(help="Chip name or file.")] = "generic_45nm",
    bits: Annotated[list[int] | None, typer.Option(help="Uniform weight width; may be repeated.")] = None,
    run: Annotated[Path | None, typer.Option(help="Cost the front of this run instead of uniform widths.")] = None,
    frame_rate: Annotated[float | None, typer.Option(min=0.001, help="Inferences/s; default: the chip's.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Beside float and non-spiking networks.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Best setting of the chip's knobs per design.")] = False,
    stability: Annotated[bool, typer.Option("--stability", help="Rank stability when constants move.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cost designs of a network on a chip, without running the network."""
    import numpy as np

    import costmodels
    from dse.commands._show import print_rows
    from dse.errors import ConfigError

    if compare + sweep + stability > 1:
        raise ConfigError("--compare, --sweep and --stability are three different tables; ask for one at a time")
    work = costmodels.Workload.from_csv(workload) if Path(workload).suffix else costmodels.Workload.example(workload)
    chip = costmodels.load_hardware(hardware)
    designs = _designs(work, bits, run)
    title = f"{workload} on {chip.name}"
    rate: dict[str, Any] = {} if frame_rate is None else {"frame_rate": frame_rate}
    if compare:
        table = costmodels.comparisons(work, chip, widths=[b for b in bits or (8, 4, 2) if b != 32], **rate)
        print_rows(_readable(table.to_dict("records"), as_json, "network"), title, as_json)
    elif sweep:
        table = costmodels.sweep(work, chip, designs, **rate)
        print_rows(
            table.to_dict("records") if as_json else _narrow(table, list(costmodels.knobs(chip))),
            f"{title}: best knobs",
            as_json,
        )
    elif stability:
        found = costmodels.stability(work, chip, np.array(list(designs.values())), **rate)
        if as_json:
            import json

            print(json.dumps(found.record(), indent=2, default=float))
            return
        print_rows(found.scenarios.to_dict("records"), f"{title}: lowest Kendall tau {found.worst_tau:.3f}")
        print_rows(found.tornado.to_dict("records"), "energy of the median design when one constant moves")
    else:
        cost = costmodels.estimate(work, chip, weight_bits=np.array(list(designs.values())), components=False, **rate)
        rows = [
            {"design": name}
            | {column: float(getattr(cost, column)[i]) for column, _ in UNITS.values()}
            | {"feasible": bool(cost.feasible[i])}
            for i, name in enumerate(designs)
        ]
        print_rows(_readable(rows, as_json, "design"), title, as_json)


def _designs(work: Any, bits: list[int] | None, run: Path | None) -> dict[str, Any]:
    import numpy as np

    if run is None:
        names = {b: "float" if b == 32 else f"uniform {b}" for b in bits or [32, 8, 4, 2]}
        return {name: np.full(len(work.weight_layers), b) for b, name in names.items()}
    import pandas as pd

    from dse.errors import ConfigError

    path = run / "front.csv"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; is {run} the --out of a finished `svit-dse search`?")
    front = pd.read_csv(path)
    columns = [f"w:{layer}" for layer in work.weight_layers]
    missing = [c for c in columns if c not in front.columns]
    if missing:
        raise ConfigError(f"{path}: no column {missing[0]}; the run is of another network than the layer table")
    return {str(row["id"]): row[columns].to_numpy(dtype=int) for _, row in front.iterrows()}


def _readable(rows: list[dict[str, Any]], as_json: bool, first: str) -> list[dict[str, Any]]:
    from dse.quantity import show

    if as_json:
        return rows
    out = []
    for row in rows:
        shown = {first: row[first]} | {name: show(row[c], unit) for name, (c, unit) in UNITS.items()}
        shown |= {k.removesuffix("_saving") + " saved": f"{row[k]:.1%}" for k in row if k.endswith("_saving")}
        out.append(shown | {"fits": row["feasible"]})
    return out


def _narrow(table: Any, knobs: list[str]) -> list[dict[str, Any]]:
    """Sweep rows that fit 80 columns: design, objective, the best setting of the knobs, and what it gains."""
    out = []
    for row in table.to_dict("records"):
        setting = ", ".join(f"{k} {row[k]}" for k in knobs)
        objective = str(row["objective"]).rsplit("_", 1)[0]
        out.append(
            {"design": row["design"], "objective": objective, "best chip": setting, "saved": f"{row['gain']:.1%}"}
        )
    return out
