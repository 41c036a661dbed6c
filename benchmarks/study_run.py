"""One cell of the study: search, verification by one ladder for all methods, and the judgement on untouched images."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from study_cells import MEASURED, Cell

from costmodels import forms, load_hardware
from dse.evaluation.costs import Costing
from dse.evaluation.prepare import code_hash
from dse.results import tables
from dse.results.costed import designs_of
from dse.results.origin import EXACT, FLOAT, GUIDED, SURER, is_plain_uniform
from dse.results.picks import choose
from dse.results.verification import judged
from dse.workflows.search_steps import base_setting, guided_search, precision_study, prepare, verification
from dse.workflows.search_values import Searched, StudyStorage
from sviT_models.data import has_test

CHIPS = ("generic_45nm", "generic_22nm", "seneca_like")
FALLBACK = "uniform-8"
Row = dict[str, object]


def run(cell: Cell, work: Path) -> Row:
    """The row of a cell; its study lies in `work` and goes on from there after an interruption."""
    began, used = time.perf_counter(), time.process_time()
    prepared = prepare(cell.config, StudyStorage(work / cell.run, shares=True))
    base = base_setting(prepared, precision_study(prepared))
    searched = guided_search(prepared, base)
    own = _own(searched, cell.method)
    experiment = prepared.experiment
    found = verification(prepared, base, replace(searched, table=own))
    verified = judged(found.race, found.rows)
    picks = choose(own, base.problem.budgets, verified, base.problem.objectives[2], searched.expected)["picks"]
    passed = bool(picks) and all(row["verdict"] == "OK" for row in picks[0]["rows"])
    table = searched.table.drop_duplicates("id")
    chosen = picks[0]["id"] if passed else str(table.loc[table["origin"] == FALLBACK, "id"].iloc[0])
    if cell.variant == MEASURED:
        chosen, passed = _by_measured_drop(table, cell.budget), False
    row = table.set_index("id", drop=False).loc[chosen]
    split = "test" if has_test(cell.data) else "verify"
    images = experiment.source.load(split, None)
    judge, design = experiment.evaluator(images), tables.design_of(row)
    experiment.round([design])
    seen = judge(design)
    return {
        "cell": cell.name,
        "network": cell.network,
        "data": cell.data,
        "method": cell.method,
        "rounding": cell.rounding,
        "budget": cell.budget,
        "seed": cell.seed,
        **({"variant": cell.variant} if cell.variant else {}),
        "passed": passed,
        "design": chosen,
        "origin": str(row["origin"]),
        "mean_bits": float(row["mean_weight_bits"]),
        "time_steps": int(row["time_steps"]),
        "memory_bytes": float(row["memory_bytes"]),
        "float_memory_bytes": float(table["memory_bytes"].iloc[0]),
        "uniform8_memory_bytes": float(table.loc[table["origin"] == FALLBACK, "memory_bytes"].iloc[0]),
        "latency_s": float(row["latency_s"]),
        "drop": seen.drop,
        "drop_low": seen.drop_low,
        "drop_high": seen.drop_high,
        "test_images": seen.images,
        "evaluations": len(searched.evaluations) - 1,
        "float_top1": judge.float.top1,
        "images": sum(each.images for each in searched.evaluations) + found.verifier.images_run,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
        "code": code_hash(),
        **_parts(base.costing, searched, chosen),
        **_energies(base.costing, searched, chosen),
    }


def _own(searched: Searched, method: str) -> pd.DataFrame:
    """The rows that a method may pick from: the float network's, and those that it proposed itself."""
    origin = searched.table["origin"]
    if method == "uniform":
        mine = origin.map(is_plain_uniform)
    elif method == GUIDED:
        mine = (origin == GUIDED) & ~origin.duplicated()
    elif method == "guided_sweep":
        mine = origin == GUIDED
    else:
        mine = origin == method
        if method == "posterior":  # its last evaluation, and the setting from which it starts
            mine |= origin.isin([EXACT, SURER]) | (origin == GUIDED)
    return searched.table[mine | (origin == FLOAT)].reset_index(drop=True)


def _by_measured_drop(table: pd.DataFrame, budget: float) -> str:
    """The id of the design with the least memory whose drop on the search images keeps the budget."""
    kept = table[(table["drop"] <= budget) & (table["origin"] != FLOAT)]
    return str(kept.sort_values("memory_bytes")["id"].iloc[0])


def _parts(costing: Costing, searched: Searched, chosen: str) -> Row:
    """Bytes of the pick by part of the memory, as `bytes:PART`."""
    place = list(searched.table["id"]).index(chosen)
    spikes = np.array(searched.evaluations[place].spikes, dtype=np.float64)
    found = costing.breakdown(tables.design_of(searched.table.iloc[place]), spikes)
    parts = found[found["quantity"] == "memory_bytes"].groupby("component")["value"].sum()
    return {f"bytes:{part}": float(value) for part, value in parts.items()}


def _energies(costing: Costing, searched: Searched, chosen: str) -> Row:
    """Energy of the pick and of uniform 8 bits [J], as `energy:CHIP:FORM` and `energy8:CHIP:FORM`."""
    table = searched.table.drop_duplicates("id")
    pick, wide = table[table["id"] == chosen], table[table["origin"] == FALLBACK].head(1)
    spikes = tables.spikes_table(searched.table, searched.evaluations, costing.lif_order)
    designs = designs_of(costing, pd.concat([pick, wide]), spikes, ("energy", "energy8"))
    found = {}
    for chip in CHIPS:
        for row in forms(designs, load_hardware(chip)).itertuples():
            found[f"{row.design}:{chip}:{row.form}"] = float(row.energy_j)
    return found
