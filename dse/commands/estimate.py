"""`svit-dse estimate` computes memory, energy, latency and power of designs without running the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dse.commands._designs import Asked

EXAMPLE = "Example: svit-dse estimate sdtv2_8_512 --hardware generic_45nm --bits 8 --bits 4"
UNITS = {"memory": ("memory_bytes", "B"), "energy": ("energy_j", "J"), "latency": ("latency_s", "s")}
UNITS |= {"power": ("power_w", "W")}
FURTHER = ("throughput_power_w", "on_chip_bytes", "off_chip_bytes", "cliff_bytes", "area_mm2")
WIDTHS, MIXED = (32, 8, 4, 2), (2, 3, 4, 6, 8)
MOST = 12  # rows of long tables that are printed; --json has all


def estimate(
    workload: Annotated[
        str | None, typer.Argument(help="A layers.csv file, or the name of an example network.")
    ] = None,
    hardware: Annotated[
        str | None, typer.Option(help="Chip name or file; default: generic_45nm, or the chip of the run.")
    ] = None,
    bits: Annotated[list[int] | None, typer.Option(help="Uniform weight width; may be repeated.")] = None,
    run: Annotated[Path | None, typer.Option(help="Cost the front of this run, without WORKLOAD.")] = None,
    design: Annotated[
        list[str] | None, typer.Option(help="With --run: only this id, or origin such as uniform-8; may be repeated.")
    ] = None,
    state_bits: Annotated[int | None, typer.Option(min=1, max=32, help="Width of membrane potentials.")] = None,
    activation_bits: Annotated[
        int | None, typer.Option(min=1, max=32, help="Width between convolutions without a neuron.")
    ] = None,
    time_steps: Annotated[int | None, typer.Option(min=1, help="Time steps; default: as measured.")] = None,
    frame_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Inferences/s; default: the chip's or the run's.")
    ] = None,
    breakdown: Annotated[bool, typer.Option("--breakdown", help="Energy and memory by component.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Beside float and non-spiking networks.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Best setting of the chip's knobs per design.")] = False,
    stability: Annotated[bool, typer.Option("--stability", help="Rank stability when constants move.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cost designs of a network on a chip, without running the network."""
    from dse.commands import _designs
    from dse.errors import ConfigError

    tables = {"--breakdown": breakdown, "--compare": compare, "--sweep": sweep, "--stability": stability}
    if sum(tables.values()) > 1:
        raise ConfigError(f"{', '.join(tables)} are different tables; ask for one at a time")
    if (workload is None) == (run is None):
        raise ConfigError("give either WORKLOAD, a layers.csv or an example network, or --run, a run directory")
    if run is None and design:
        raise ConfigError(f"--design {design[0]}: designs have names in a run; add --run, or give --bits")
    if run is not None:
        taken = {"bits": bits, "state_bits": state_bits, "time_steps": time_steps}
        _refuse(taken, "the designs of a run have their own; leave it out")
        asked = _designs.of_run(run, hardware, design or (), every=stability)
    elif stability:
        asked = _designs.mixtures(str(workload), hardware, [b for b in bits or MIXED if b != 32])
    else:
        asked = _designs.uniform(str(workload), hardware, bits or WIDTHS)
    if compare:
        shared = {"activation_bits": activation_bits, "state_bits": state_bits, "time_steps": time_steps}
        _refuse(shared, "not with --compare, whose rows have different networks")
    show = next((name for name, wanted in tables.items() if wanted), "")
    {"": _costs, "--breakdown": _breakdown, "--compare": _compare, "--sweep": _sweep, "--stability": _stability}[show](
        asked.at(frame_rate=frame_rate, state_bits=state_bits, activation_bits=activation_bits, time_steps=time_steps),
        as_json,
    )


def _refuse(options: dict[str, Any], why: str) -> None:
    """Raise ConfigError for the first option that is given."""
    from dse.errors import ConfigError

    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: {why}")


def _costs(asked: Asked, as_json: bool) -> None:
    from dse.commands._show import print_rows

    quantities = [column for column, _ in UNITS.values()]
    cost = asked.candidates.costs(asked.hardware, frame_rate=asked.frame_rate)
    rows = []
    for place, name in enumerate(asked.candidates.names):
        row: dict[str, Any] = {"design": name}
        if asked.drop is not None:
            row["drop"] = float(asked.drop[place])
        row |= {name: float(getattr(cost, name)[place]) for name in (*quantities, *FURTHER)}
        rows.append(row | {"feasible": bool(cost.feasible[place])})
    if as_json:
        print_rows(rows, as_json=True)
        return
    print_rows([_readable(row, "design") for row in rows], _title(asked))
    if not all(row["feasible"] for row in rows):
        _say_why(asked, next(i for i, row in enumerate(rows) if not row["feasible"]))


def _say_why(asked: Asked, place: int) -> None:
    import costmodels

    workload, design = asked.candidates.one(place)
    for reason in costmodels.reasons(workload, asked.hardware, design, frame_rate=asked.frame_rate):
        typer.echo(f"{asked.candidates.names[place]} does not fit: {reason}")


def _breakdown(asked: Asked, as_json: bool) -> None:
    import costmodels
    from dse.commands._show import print_rows
    from dse.config.quantities import show

    tables = {}
    for place, name in enumerate(asked.candidates.names):
        workload, design = asked.candidates.one(place)
        tables[name] = costmodels.breakdown(workload, asked.hardware, design, frame_rate=asked.frame_rate)
    if as_json:
        print_rows([{"design": n} | row for n, t in tables.items() for row in t.to_dict("records")], as_json=True)
        return
    for quantity, unit in (("energy_j", "J"), ("memory_bytes", "B")):
        sums = {
            n: t[t["quantity"] == quantity].groupby("component", sort=False)["value"].sum() for n, t in tables.items()
        }
        components = dict.fromkeys(c for s in sums.values() for c in s.index)
        rows = [{"component": c} | {n: show(float(s.get(c, 0.0)), unit) for n, s in sums.items()} for c in components]
        rows.append({"component": "total"} | {n: show(float(s.sum()), unit) for n, s in sums.items()})
        print_rows(rows, f"{_title(asked)}: {quantity.split('_')[0]} by component")


def _compare(asked: Asked, as_json: bool) -> None:
    import numpy as np

    import costmodels
    from dse.commands._show import print_rows
    from dse.errors import ConfigError

    if asked.drop is None:
        workload, designs, _ = asked.candidates.parts[0]
        widths, design = [int(row[0]) for row in np.asarray(designs.weight_bits) if row[0] != 32], None
    else:
        if len(asked.candidates) != 1:
            raise ConfigError(f"--compare is for one design, not {len(asked.candidates)}; name it with --design")
        widths, (workload, design) = [8, 4], asked.candidates.one(0)
    table = costmodels.comparisons(workload, asked.hardware, design, widths=widths, frame_rate=asked.frame_rate)
    rows = table.to_dict("records")
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [_readable(row, "network") for row in rows]
    print_rows([{k: v for k, v in row.items() if k != "latency"} for row in shown], _title(asked))


def _sweep(asked: Asked, as_json: bool) -> None:
    import costmodels
    from dse.commands._show import print_rows

    table = costmodels.sweep(asked.candidates, asked.hardware, frame_rate=asked.frame_rate)
    if as_json:
        print_rows(table.to_dict("records"), as_json=True)
        return
    knobs, rows = list(costmodels.knobs(asked.hardware)), []
    for row in table.to_dict("records"):
        setting = ", ".join(f"{k} {row[k] if isinstance(row[k], str) else format(row[k], 'g')}" for k in knobs)
        objective = str(row["objective"]).rsplit("_", 1)[0]
        rows.append(
            {
                "design": row["design"],
                "objective": objective,
                "best chip": setting or "no knobs in its file",
                "saved": f"{row['gain']:.1%}",
                "fits": row["feasible"],
            }
        )
    print_rows(rows, f"{_title(asked)}: best setting of the knobs")


def _stability(asked: Asked, as_json: bool) -> None:
    import json

    import costmodels
    from dse.commands._show import print_rows

    found = costmodels.stability(asked.candidates, asked.hardware, drop=asked.drop, frame_rate=asked.frame_rate)
    record, names = found.record(), asked.candidates.names
    record["front"] = [names[int(i)] for i in record["front"]]
    record["survival"] = [{**row, "design": names[int(row["design"])]} for row in record["survival"]]
    if as_json:
        print(json.dumps(record, indent=2, default=float))
        return
    title, count = _title(asked), len(found.scenarios)
    scenarios = found.scenarios.sort_values("tau", kind="stable").head(MOST)
    print_rows(scenarios.to_dict("records"), f"{title}: least stable of {count} changes, ranking by energy")
    kept = [row for row in record["survival"] if row["share"] < 1]
    print_rows(kept[:MOST], f"{len(kept)} of {len(record['front'])} designs leave the front in some change")
    columns = ["constant", "low", "high", "unit", "low_change", "high_change"]
    tornado = found.tornado[columns].head(MOST).to_dict("records")
    print_rows(tornado, "energy of the median design at the ends of each constant's range")


def _title(asked: Asked) -> str:
    return f"{asked.title} on {asked.hardware.name}"


def _readable(row: dict[str, Any], first: str) -> dict[str, Any]:
    from dse.config.quantities import show

    shown = {first: row[first]}
    if "drop" in row:
        shown["drop"] = show(row["drop"], "pp")
    shown |= {name: show(row[c], unit) for name, (c, unit) in UNITS.items()}
    shown |= {k.removesuffix("_saving") + " saved": f"{row[k]:.1%}" for k in row if k.endswith("_saving")}
    return shown | {"fits": row["feasible"]}
