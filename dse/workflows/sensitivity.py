"""The precision study and its base setting as tables: steps 1 and 2 of QSViT's methodology."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dse.errors import ConfigError
from dse.evaluation.experiment import Experiment
from dse.evaluation.layer_types import layer_types, types_of
from dse.evaluation.measurement import Evaluation
from dse.evaluation.one_at_a_time import (
    Probe,
    group_probes,
    measured,
    other_probes,
    type_probes,
    with_width,
)
from dse.problem.design import Design
from dse.problem.space import Space
from dse.surrogate.link import fit_link

MEASURED = ("kl", "logit_distance", "drop", "drop_low", "drop_high", "drop_stderr", "images")


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
    """Per type of layer the lowest width whose predicted loss stays inside its allowance; step 2 of the methodology.

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
        # from the widest down, until one is too much: a narrower width that happens to look better is noise
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


def base_design(space: Space, reference: Design, setting: pd.DataFrame, table: pd.DataFrame) -> Design:
    """The base setting as a design: every searched group at the width of its type, pinned layers as pinned."""
    types = layer_types(table)
    bits = dict(zip(setting["type"], setting["bits"], strict=True))
    design = reference
    for name, width in (space.fixed or {}).items():
        design = with_width(design, [name], width)
    for d in space.dimensions:
        if d.kind == "weight":
            design = with_width(design, d.layers, int(bits[types_of(d.layers, types)]))
    return design


def measured_study(
    experiment: Experiment, scores: pd.DataFrame, budget: float, share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every probe measured on the search images, and the base setting with its own measured drop as last row (`all`).

    `scores` (`group, bits, score`) stand beside the probes of weights; `share` of the drop `budget` [points] is for the
    weights.  Raises ConfigError as `base_setting`, and for images that do not fit into memory.
    """
    space, reference = experiment.space, experiment.network.float_design
    probes = group_probes(space, reference, experiment.network.table) + type_probes(
        space, reference, experiment.network.table
    )
    probes += other_probes(space, reference)
    table = sensitivity_table(probes, measured(experiment, probes, experiment.images), scores)
    setting = base_setting(table, budget, share)
    whole = experiment.evaluator(experiment.images)(base_design(space, reference, setting, experiment.network.table))
    row = {"type": "all", "predicted": setting["predicted"].sum(), "allowance": setting["allowance"].sum()}
    row |= {name: getattr(whole, name) for name in ("kl", "drop", "drop_low", "drop_high", "images")}
    return table, pd.concat([setting.astype(object), pd.DataFrame([row], dtype=object)], ignore_index=True)
