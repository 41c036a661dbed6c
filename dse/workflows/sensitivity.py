"""Which layers can lose bits, and the setting to start from: steps 1 and 2 of QSViT's methodology, as tables.

A probe is the float network with one thing changed: one group of layers at one width, all layers of one block type at
one width, membrane potentials of one stage at one width, or another number of time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import sviT_models
from dse.errors import ConfigError
from dse.evaluation.evaluator import Evaluation, measure
from dse.evaluation.experiment import FLOAT, Workbench
from dse.problem.design import Design
from dse.problem.space import Space
from dse.progress import within
from dse.strategies.guided import fit_link

MEASURED = ("kl", "logit_distance", "drop", "drop_low", "drop_high", "drop_stderr", "images")


@dataclass(frozen=True)
class Probe:
    """The float network with one change; `kind` is weight, type, state or time_steps; `bits` is its width."""

    kind: str
    group: str
    type: str
    stage: str
    bits: int
    design: Design


def block_type(layer: str) -> str:
    """What a weight layer is part of, by its module path: downsampling, SepConv, attention, MLP, ..."""
    parts = layer.split(".")
    if parts[0].startswith("downsample"):
        return "downsampling"
    if parts[0].startswith("ConvBlock"):
        return "SepConv" if "Conv" in parts else "channel convolution"
    if "attn" in parts:
        return "attention projection" if any(part.startswith("proj") for part in parts) else "attention q, k, v"
    if "mlp" in parts:
        return "MLP"
    return "head" if parts[0].startswith("head") else parts[0]


def types_of(layers: Sequence[str]) -> str:
    """The block types of several layers, joined by ` + `."""
    return " + ".join(dict.fromkeys(map(block_type, layers)))


def group_labels(space: Space, table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Block type and stage of every searched group; the stages of a group that spans several are joined."""
    stage = dict(zip(table["name"], table["stage"], strict=True))
    return {
        d.name.removeprefix("w:"): (types_of(d.layers), " + ".join(dict.fromkeys(stage[name] for name in d.layers)))
        for d in space.dimensions
        if d.kind == "weight"
    }


def score_rows(space: Space, scores: NDArray[np.float64], table: pd.DataFrame) -> pd.DataFrame:
    """Fisher score of every searched group at every width: `group, type, stage, bits, score`; scores are (D, B)."""
    labels = group_labels(space, table)
    rows = [
        (group, *labels[group], bits, float(score))
        for d, row in zip(space.dimensions, scores, strict=True)
        if d.kind == "weight"
        for group in [d.name.removeprefix("w:")]
        for bits, score in zip(d.choices, row, strict=False)
    ]
    return pd.DataFrame(rows, columns=["group", "type", "stage", "bits", "score"])


def _at(reference: Design, layers: Sequence[str], bits: int) -> Design:
    chosen = set(layers)
    widths = (
        bits if name in chosen else old for name, old in zip(reference.layers, reference.weight_bits, strict=True)
    )
    return replace(reference, weight_bits=tuple(widths))


def group_probes(space: Space, reference: Design, table: pd.DataFrame) -> list[Probe]:
    """One searched group at one width at a time; float widths are left out, as they change nothing."""
    labels = group_labels(space, table)
    return [
        Probe("weight", group, *labels[group], bits, _at(reference, d.layers, bits))
        for d in space.dimensions
        if d.kind == "weight"
        for group in [d.name.removeprefix("w:")]
        for bits in d.choices
        if bits != FLOAT
    ]


def type_probes(space: Space, reference: Design) -> list[Probe]:
    """All searched layers of one block type at one width at a time."""
    members: dict[str, list[str]] = {}
    widths: dict[str, set[int]] = {}
    for d in space.dimensions:
        if d.kind == "weight":
            members.setdefault(types_of(d.layers), []).extend(d.layers)
            widths.setdefault(types_of(d.layers), set()).update(b for b in d.choices if b != FLOAT)
    return [
        Probe("type", kind, kind, "", bits, _at(reference, layers, bits))
        for kind, layers in members.items()
        for bits in sorted(widths[kind])
    ]


def other_probes(space: Space, reference: Design) -> list[Probe]:
    """One searched state width per stage at a time, and every number of time steps but the reference's.

    Potentials of the other stages have their widest choice: a network is in fixed point altogether or not at all.
    """
    widest = {d.name[2:]: d.choices[-1] for d in space.dimensions if d.kind == "state"}
    states = [
        Probe("state", d.name, "state", d.name[2:], bits, replace(reference, state_bits=widest | {d.name[2:]: bits}))
        for d in space.dimensions
        if d.kind == "state"
        for bits in d.choices
    ]
    steps = [
        Probe("time_steps", "T", "time steps", "", FLOAT, replace(reference, time_steps=t))
        for t in space.step_choices
        if t != reference.time_steps
    ]
    return states + steps


def measured(bench: Workbench, probes: Sequence[Probe], images: Any) -> list[Evaluation]:
    """Every probe on `images`, in order; what weight probes have in common is computed once (`sviT_models.sweep`).

    Raises ConfigError for images that stay on disk: take fewer, so that they fit into memory.
    """
    if hasattr(images.images, "part"):
        raise ConfigError("data.search_images: these images do not fit into memory; name a number that does")
    labels = np.asarray(images.labels, dtype=np.int64)
    found: dict[int, Evaluation] = {}
    swept = [i for i, probe in enumerate(probes) if probe.kind in ("weight", "type")]
    designs = [bench.float_design.weight_bits, *(probes[i].design.weight_bits for i in swept)]
    bench.round(probes[i].design for i in swept)
    progress = within(bench.advance, "designs x images, one change each")
    base, *outputs = sviT_models.sweep(bench.engine, images.images, designs, progress=progress)
    reference = base.logits.astype(np.float64)
    for i, output in zip(swept, outputs, strict=True):
        found[i] = measure(output.logits.astype(np.float64), reference, labels, output.spikes, len(labels))
    found |= _measured_states(bench, probes, images, reference)
    rest = [i for i in range(len(probes)) if i not in found]
    if rest:
        evaluator = bench.evaluator(images)
        for done, i in enumerate(rest, start=1):
            found[i] = evaluator(probes[i].design)
            bench.advance("changes of time steps", done, len(rest))
    return [found[i] for i in range(len(probes))]


def _measured_states(
    bench: Workbench, probes: Sequence[Probe], images: Any, reference: NDArray[np.float64]
) -> dict[int, Evaluation]:
    """The probes of membrane potentials: they share all that stands before the first narrower stage."""
    which = [i for i, probe in enumerate(probes) if probe.kind == "state"]
    if not which:
        return {}
    stages = [probes[i].design.state_bits for i in which]
    widest = {stage: max(given[stage] for given in stages) for stage in stages[0]}
    states = [
        {lif: bits for stage, bits in given.items() for lif in bench.lif_by_stage[stage]} for given in (widest, *stages)
    ]
    outputs = sviT_models.sweep(
        bench.engine,
        images.images,
        [bench.float_design.weight_bits] * len(states),
        state_bits=states,
        activation_bits=bench.activation_bits or None,
        progress=within(bench.advance, "designs x images, one width of potentials each"),
    )
    labels = np.asarray(images.labels, dtype=np.int64)
    next(outputs)
    return {
        i: measure(output.logits.astype(np.float64), reference, labels, output.spikes, len(labels))
        for i, output in zip(which, outputs, strict=True)
    }


def sensitivity_table(probes: Sequence[Probe], evaluations: Sequence[Evaluation], scores: pd.DataFrame) -> pd.DataFrame:
    """One row per probe; columns of sensitivity.csv as in docs/design.md, in the order of the probes.

    `scores` (`group, bits, score`) are joined to weight probes; other kinds have none.
    """
    rows = [
        {"kind": p.kind, "group": p.group, "type": p.type, "stage": p.stage, "bits": p.bits}
        | {"time_steps": p.design.time_steps}
        | {name: getattr(e, name) for name in MEASURED}
        for p, e in zip(probes, evaluations, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["kind", "group", "type", "stage", "bits", "time_steps", *MEASURED])
    joined = scores[["group", "bits", "score"]].assign(kind="weight")
    table = table.merge(joined, on=["kind", "group", "bits"], how="left")
    table.insert(6, "score", table.pop("score"))
    return table


def base_setting(table: pd.DataFrame, budget: float, share: float) -> pd.DataFrame:
    """Per block type the lowest width whose predicted loss stays inside its allowance; step 2 of the methodology.

    `table` holds rows of kind `type`.  The allowance is `share` of the accuracy `budget` [percentage points], the same
    for every type.  A loss is predicted from the KL divergence, which has far less noise than a drop, by the link from
    KL to drop that fits all rows best; the measured drop with its 95 % interval stands beside it, as does the
    prediction for the next lower width.  Where no width is good enough, `within` is false and the widest is taken.
    Raises ConfigError for a share outside (0, 1] and for a budget that is not positive.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"--share is {share:g}; expected a share of the accuracy budget in (0, 1]")
    if not budget > 0:
        raise ConfigError(f"budgets.drop is {budget:g}; a base setting needs a positive accuracy budget")
    rows = table[table["kind"] == "type"]
    kl, drop, stderr = (rows[name].to_numpy(dtype=float) for name in ("kl", "drop", "drop_stderr"))
    link = fit_link(np.maximum(kl, 0.0), drop, stderr)
    rows = rows.assign(predicted=link(np.maximum(kl, 0.0)))
    allowance = budget * share / rows["type"].nunique()
    chosen = []
    for kind, part in rows.groupby("type", sort=False):
        part = part.sort_values("bits", ascending=False)
        # from the widest down, until one is too much: a narrower width that happens to look better is luck
        inside = int((part["predicted"] <= allowance).cummin().sum())
        row, below = part.iloc[max(inside, 1) - 1], part.iloc[max(inside, 1) :]
        chosen.append(
            {"type": kind, "bits": int(row["bits"]), "within": inside > 0, "predicted": float(row["predicted"])}
            | {"allowance": allowance, "kl": float(row["kl"])}
            | {name: float(row[name]) for name in ("drop", "drop_low", "drop_high")}
            | {"images": int(row["images"])}
            | {"next_bits": int(below["bits"].iloc[0]) if len(below) else None}
            | {"next_predicted": float(below["predicted"].iloc[0]) if len(below) else None}
        )
    found = pd.DataFrame(chosen)
    return found.astype({"next_bits": "Int64", "next_predicted": "Float64"})


def base_design(space: Space, reference: Design, setting: pd.DataFrame) -> Design:
    """The base setting as a design: every searched group at the width of its block type, pinned layers as pinned."""
    bits = dict(zip(setting["type"], setting["bits"], strict=True))
    design = reference
    for name, width in (space.fixed or {}).items():
        design = _at(design, [name], width)
    for d in space.dimensions:
        if d.kind == "weight":
            design = _at(design, d.layers, int(bits[types_of(d.layers)]))
    return design
