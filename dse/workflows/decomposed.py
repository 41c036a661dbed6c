"""The decomposition of a search's pick: what the model says of it, and two designs measured for the rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

import sviT_models
from dse.arrays import IntArray
from dse.evaluation.experiment import Experiment
from dse.evaluation.network import Network
from dse.exploration.best_design import costs_of
from dse.results import decomposition as parts
from dse.results import tables
from dse.results.picks_file import Picks
from dse.workflows.search_values import BaseSetting, Prepared, Searched

MOST_IMAGES = 1000  # of the pool, for a design that is measured for the decomposition
NEAREST = "nearest"


@dataclass(frozen=True, eq=False)
class Decomposed:
    """The table, None without pick or drop budget; what it says of the scores; designs and images measured for it."""

    table: pd.DataFrame | None = None
    said: str | None = None
    designs: int = 0
    images: int = 0


def decomposed(prepared: Prepared, base: BaseSetting, searched: Searched, picks: Picks) -> Decomposed:
    """What each part of the recommended design contributes.

    prepared  what `prepare` gave
    base      what `base_setting` gave
    searched  what `guided_search` gave
    picks     the recommended design first

    Two designs are measured with weights rounded to nearest: the least uniform width and the recommended design.
    """
    problem, model = base.problem, searched.model
    if not picks["picks"] or "drop" not in problem.budgets:
        return Decomposed()
    measured = np.stack([problem.space.levels_of(tables.design_of(row)) for _, row in searched.table.iterrows()])
    chosen = measured[searched.table["id"].tolist().index(picks["picks"][0]["id"])]
    found = parts.anchors(problem, model, measured, chosen)
    table = parts.decomposition(base.costing, problem, model, found)
    told, designs, images = parts.verdict(table), 0, 0
    if prepared.config.quantization.method != NEAREST:
        asked = [("alone", found.uniform), ("last", found.chosen)]
        given = [(how, levels) for how, levels in asked if levels is not None]
        rows, images = _rounding(prepared, base, searched, given)
        table, designs = pd.concat([pd.DataFrame(rows, columns=parts.COLUMNS), table], ignore_index=True), len(given)
    return Decomposed(table, told, designs, images)


def _rounding(
    prepared: Prepared, base: BaseSetting, searched: Searched, given: list[tuple[str, IntArray]]
) -> tuple[list[list[object]], int]:
    """Rows for designs (D,) rounded to nearest and as they are, and the images evaluated for them."""
    problem, model, pool = base.problem, searched.model, prepared.experiment.images
    part = slice(0, MOST_IMAGES)
    evaluator = nearest(prepared).evaluator(SimpleNamespace(images=pool.images[part], labels=pool.labels[part]))
    rows = []
    for how, levels in given:
        costs = costs_of(base.costing, problem, np.stack([levels, levels]))
        found = evaluator(problem.space.design(levels))
        mean, sd = model.predict(levels[None])
        drops = np.array([found.drop - model.search_bias, mean[0]])
        rows.append(parts.row("rounding", how, costs, drops, float(np.hypot(found.drop_stderr, sd[0])), measured=True))
    return rows, evaluator.images_run


def nearest(prepared: Prepared) -> Experiment:
    """The experiment with weights rounded to nearest.

    prepared  what `prepare` gave
    """
    seen = prepared.experiment.source.for_calibration().images
    options = prepared.config.quantization.model_copy(update={"method": NEAREST}).model_dump()

    def rounded(network: Network) -> Network:
        return network.with_bank(sviT_models.WeightBank(network.model, **options, images=seen))

    experiment = prepared.experiment
    return replace(experiment, networks=experiment.networks.map(rounded))
