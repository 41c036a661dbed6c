"""The course of a search as tables, read from its Optuna study: order of evaluation, predictions, base setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd

from dse.exploration.study import evaluated
from dse.optimize.pareto import hypervolume
from dse.problem.problem import Problem
from dse.results.files import plain
from dse.results.origin import GUIDED, Kind, origins

WORST_DROP = 10.0  # percentage points; end of the drop axis of the hypervolume


def history_table(study: optuna.Study, strategy: str, expected: pd.DataFrame) -> pd.DataFrame:
    """The designs in the order of evaluation with their phase, cost and the hypervolume reached.

    `expected` by id has the drops on unseen images by the model of all measurements, which the hypervolume is made of.
    """
    trials = evaluated(study)
    found = origins([str(t.user_attrs["origin"]) for t in trials], strategy)
    return pd.DataFrame(
        {
            "trial": [t.number for t in trials],
            "id": [t.user_attrs["design"] for t in trials],
            "phase": ["2 base setting" if o.kind is Kind.BASELINE else "3 guided search" for o in found],
            "origin": [o.name for o in found],
            "images": [t.user_attrs["images_run"] for t in trials],
            "seconds": [round(t.user_attrs["seconds"], 4) for t in trials],
            "hypervolume": hypervolume_curve(
                [(expected.loc[t.user_attrs["design"], "expected"], *t.values[1:]) for t in trials]
            ),
        }
    )


def predictions_table(study: optuna.Study) -> pd.DataFrame:
    """What the strategy expected of each design before it was measured: `id, predicted, sd, measured` drop [points].

    `predicted_energy_j, measured_energy_j` are the energy by the activity of the designs before it and by its own;
    empty where the strategy does not predict it.
    """
    trials = [t for t in evaluated(study) if "predicted" in t.user_attrs]
    return pd.DataFrame(
        {
            "id": [t.user_attrs["design"] for t in trials],
            "predicted": [t.user_attrs["predicted"] for t in trials],
            "sd": [t.user_attrs["predicted_sd"] for t in trials],
            "measured": [t.user_attrs["drop"] for t in trials],
            "predicted_energy_j": [t.user_attrs.get("predicted_energy_j", np.nan) for t in trials],
            "measured_energy_j": [t.user_attrs.get("measured_energy_j", np.nan) for t in trials],
        }
    )


def hypervolume_curve(values: Sequence[Sequence[float]]) -> list[float]:
    """Hypervolume of the first n designs for n = 1..N, objectives scaled to the worst baseline values seen.

    The reference is 10 points of drop and the largest second and third objective among all designs, so the curve is
    in [0, 1] up to negative drops.
    """
    frame = pd.DataFrame(values, dtype=float)
    worst = [WORST_DROP, float(frame[1].max()), float(frame[2].max())]
    scaled = frame.clip(lower=0).div(worst).to_numpy()
    return [hypervolume(scaled[: n + 1], [1.0, 1.0, 1.0]) for n in range(len(scaled))]


def base_setting(problem: Problem, study: optuna.Study) -> dict[str, Any]:
    """The base setting of the methodology as an artefact: the guided design and the evidence it rests on.

    `groups` lists width and predicted harm (diagonal Fisher score) of every group; `measured` the drops of all
    baselines, in percentage points.
    """
    baselines = {b.origin: b.levels for b in problem.baselines}
    levels = baselines[GUIDED]
    design = problem.space.design(levels)
    kept = zip(problem.space.dimensions, problem.space.values(levels), problem.whole.scores, levels, strict=True)
    return {
        "design": design.id,
        **({"form": problem.space.form_of(design)} if len(problem.space.forms) > 1 else {}),
        "time_steps": design.time_steps,
        "state_bits": dict(design.state_bits),
        "groups": [
            {"group": d.group, "block": d.block, "bits": int(bits), "score": plain(float(row[level]))}
            for d, bits, row, level in kept
            if d.kind == "weight"
        ],
        "measured": [
            {"origin": t.user_attrs["origin"], "design": t.user_attrs["design"], "drop": t.user_attrs["drop"]}
            for t in evaluated(study)
            if t.user_attrs["origin"] in baselines
        ],
    }
