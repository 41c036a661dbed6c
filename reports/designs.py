"""Every evaluated design as the page knows it: what a hover card and the selection show."""

from __future__ import annotations

from dataclasses import dataclass

from reports.number_text import short_names
from reports.run import Run


@dataclass(frozen=True)
class Verified:
    """A drop on images that the search never saw, with its 95 % interval [pp]."""

    drop: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Design:
    """One evaluated design: measured accuracy, computed costs (SI), its widths in network order.

    `baseline` is its name as a baseline, `pick` its name among the picks, `form` its form where the search had the
    choice; each empty where there is none.  A fused layer's width stands for all layers that were fused into it.
    """

    id: str
    origin: str
    baseline: str
    pick: str
    time_steps: int
    top1: float
    top1_stderr: float
    drop: float
    drop_low: float
    drop_high: float
    kl: float
    images: int
    memory_bytes: float
    energy_j: float
    latency_s: float
    power_w: float
    mean_weight_bits: float
    on_front: bool
    feasible: bool
    verified: Verified | None
    state_bits: dict[str, int]
    bits: tuple[int, ...]
    form: str = ""


@dataclass(frozen=True)
class Layers:
    """The weight layers in network order: names, short names, stages, blocks, and their parts of the whole.

    `weight_share` and `synop_share` are shares of all weights and of all synaptic operations of weight layers.
    """

    names: tuple[str, ...]
    short: tuple[str, ...]
    stages: tuple[str, ...]
    blocks: tuple[str, ...]
    weight_share: tuple[float, ...]
    synop_share: tuple[float, ...]


def designs(run: Run) -> tuple[Design, ...]:
    """All designs of a run in the order of evaluation."""
    verified = {}
    if run.verified is not None:
        rows = run.verified.drop_duplicates("id").to_dict("records")
        verified = {
            str(r["id"]): Verified(float(r["drop"]), float(r["drop_low"]), float(r["drop_high"]), int(r["images"]))
            for r in rows
        }
    names: dict[str, str] = {}
    for origin, design in run.baselines.items():
        names[design] = f"{names[design]}, {origin}" if design in names else origin
    picks = {str(p["id"]): str(p["name"]) for p in reversed(run.picks["picks"])}
    weights = [f"w:{name}" for name in run.weight_layers]
    states = [c for c in run.results.columns if c.startswith("v:")]
    table = run.results
    widths = table[weights].astype(int).to_numpy().tolist()
    out = []
    for row, bits in zip(table.to_dict("records"), widths, strict=True):
        i = str(row["id"])
        out.append(
            Design(
                id=i,
                origin=str(row["origin"]),
                baseline=names.get(i, ""),
                pick=picks.get(i, ""),
                time_steps=int(row["time_steps"]),
                images=int(row["images"]),
                on_front=bool(row["on_front"]),
                feasible=bool(row["feasible"]),
                verified=verified.get(i),
                state_bits={c[2:]: int(row[c]) for c in states if row[c] == row[c]},
                bits=tuple(bits),
                form=str(row.get("form", "")),
                **{name: float(row[name]) for name in _NUMBERS},
            )
        )
    return tuple(out)


_NUMBERS = (
    *("top1", "top1_stderr", "drop", "drop_low", "drop_high", "kl", "memory_bytes", "energy_j", "latency_s"),
    *("power_w", "mean_weight_bits"),
)


def layers(run: Run) -> Layers:
    """The weight layers of a run."""
    table = run.layers[run.layers["kind"] != "attention"]
    short = short_names(run.layers["name"])
    return Layers(
        names=tuple(table["name"]),
        short=tuple(short[n] for n in table["name"]),
        stages=tuple(table["stage"]),
        blocks=tuple(table["block"]),
        weight_share=tuple((table["weights"] / max(table["weights"].sum(), 1)).tolist()),
        synop_share=tuple((table["synops"] / max(table["synops"].sum(), 1)).tolist()),
    )
