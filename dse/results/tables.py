"""The results table: measurements from the study, costs computed from the chip, one row per design."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dse.arrays import FloatArray
from dse.problem.by_form import ByForm
from dse.problem.design import Design, is_other_column, weight_column
from dse.problem.form_space import merged_columns
from dse.problem.goals import CONFIDENCE
from dse.problem.problem import Problem
from dse.problem.space import Space
from dse.results.origin import FLOAT, Kind, origins
from sviT_models.measure.accuracy import Z95, normal_cdf

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from dse.evaluation.costs import Costing
    from dse.evaluation.measurement import Evaluation

LEADING = [
    *("id", "origin", "time_steps", "top1", "top1_stderr", "drop", "drop_low", "drop_high", "kl", "images"),
    *("memory_bytes", "energy_j", "latency_s", "power_w", "mean_weight_bits", "on_front", "feasible"),
]
NAMED = ("id", "origin", "time_steps")  # columns that say which design a row is
EXPECTED = ["expected", "expected_low", "expected_high"]  # drop on unseen images by the model, older runs lack it
FURTHER = ["top5", "nll", "logit_distance", "changed", "area_mm2", "fits", "reaches", "reasons", *EXPECTED]


def mean_bits(design: Design, weights: Mapping[str, int]) -> float:
    """Mean width of a design's weights, weighted by their number."""
    counts = np.array([weights[name] for name in design.layers], dtype=float)
    return float((counts * design.widths).sum() / counts.sum())


def results_table(
    problem: Problem,
    costing: Costing,
    trials: Sequence[FrozenTrial],
    reference: tuple[Design, Evaluation],
    weights: ByForm[dict[str, int]],
    expected: pd.DataFrame,
) -> pd.DataFrame:
    """One row per design in the order of evaluation, the float network first; columns as in docs/design.md.

    `weights` has the number of weights of every layer, by form; `expected` (`expected, sd` [points] by id) are the
    drops on unseen images by the model of all measurements. `on_front` and `feasible` are those of `judged`.
    """
    from dse.evaluation.measurement import from_record  # these bring scipy and Optuna, which reading does not need
    from dse.ledger.proposals import levels_of

    designs = [reference[0], *(problem.space.design(levels_of(t, problem.space)) for t in trials)]
    evaluations = [reference[1], *(from_record(t.user_attrs["evaluation"]) for t in trials)]
    names = [FLOAT, *(str(t.user_attrs["origin"]) for t in trials)]
    table = pd.DataFrame(
        {
            "id": [d.id for d in designs],
            "origin": names,
            "time_steps": [d.time_steps for d in designs],
            "mean_weight_bits": [mean_bits(d, weights.with_layers(d.layers)) for d in designs],
        }
    )
    measured = ["top1", "top1_stderr", "drop", "drop_low", "drop_high", "kl", "images"]
    for name in [*measured, "top5", "nll", "logit_distance", "changed"]:
        table[name] = [getattr(e, name) for e in evaluations]
    spikes = np.array([e.spikes for e in evaluations])
    table = costed(table, costing, designs, spikes)
    table = judged(with_expected(table, expected), problem.budgets, problem.objectives)
    widths = pd.DataFrame([d.columns() for d in designs])
    states = [c for c in widths.columns if is_other_column(c)]
    widths[states] = widths[states].astype("Int64")  # empty in the float network's row
    layers = [weight_column(name) for name in merged_columns(problem.space)]
    if len(problem.space.forms) == 1:
        return pd.concat([table[LEADING + FURTHER], widths[states + layers]], axis=1)
    widths[layers] = widths[layers].astype("Int64")  # empty where a design's form does not have the layer
    table["form"] = [problem.space.form_of(d) for d in designs]
    return pd.concat([table[[*LEADING, *FURTHER, "form"]], widths[states + layers]], axis=1)


def costed(table: pd.DataFrame, costing: Costing, designs: Sequence[Design], spikes: FloatArray) -> pd.DataFrame:
    """The table with the costs of its designs, (N,), by their spikes (N, LIF layers), and why some do not fit."""
    found = costing.columns(designs, spikes)
    every = zip(found["fits"].tolist(), designs, spikes, strict=True)
    why = ["" if fits else "; ".join(costing.reasons(design, own)) for fits, design, own in every]
    return table.copy().assign(**found, reasons=why)  # the copy puts columns of one kind together again


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The table as results.csv has it: at a frame rate that the chip does not reach a design has no power."""
    return table.assign(power_w=table["power_w"].where(table["reaches"])) if "reaches" in table else table


def judged(table: pd.DataFrame, budgets: Mapping[str, float], objectives: Sequence[str]) -> pd.DataFrame:
    """The table with `feasible` and `on_front` made from its drops on unseen images and its costs.

    A design is feasible where it keeps every budget, that of the drop with CONFIDENCE, and the chip can hold it; the
    front compares drop and the two cost objectives among designs that are not float.  A drop is the expected one, as
    measured ones are too small where designs were chosen by them; that as measured where the table has no other.
    """
    table, drop = table.copy(), unseen_drop(table)
    table["feasible"] = table["fits"]
    for column, limit in budgets.items():
        table["feasible"] &= (_chance(table, limit) >= CONFIDENCE) if column == "drop" else table[column] <= limit
    from dse.optimize.pareto import is_nondominated  # brings moocore, which reading does not need

    searched = table["origin"] != FLOAT
    table["on_front"] = False
    losses = table.assign(drop=drop).loc[searched, list(objectives)].fillna(np.inf)  # no power is worse than any
    table.loc[searched, "on_front"] = is_nondominated(losses.to_numpy(dtype=float))
    return table


def with_expected(table: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns EXPECTED from `expected, sd` by id; the float network loses nothing."""
    searched, told = table["origin"] != FLOAT, expected.reindex(table["id"])
    mean = told["expected"].where(searched.to_numpy(), 0.0).to_numpy()
    reach = Z95 * told["sd"].where(searched.to_numpy(), 0.0).to_numpy()
    return table.assign(**dict(zip(EXPECTED, (mean, mean - reach, mean + reach), strict=True)))


def unseen_drop(table: pd.DataFrame) -> pd.Series:
    """The best that results.csv says of drops on unseen images: expected ones; measured where there are no others."""
    return table["expected"].fillna(table["drop"]) if "expected" in table else table["drop"]


def _chance(table: pd.DataFrame, limit: float) -> FloatArray:
    """P(drop on unseen images <= limit) of every row; certain where only a measurement is known."""
    chance = expected_chance(table, limit)
    return np.asarray(np.where(np.isnan(chance), table["drop"] <= limit, chance))


def expected_chance(table: pd.DataFrame, limit: float) -> FloatArray:
    """P(drop on unseen images <= limit) of every row by the model of all measurements, NaN where it says nothing."""
    if "expected" not in table:
        return np.full(len(table), np.nan)
    sd = (table["expected_high"] - table["expected_low"]).to_numpy(dtype=float) / (2 * Z95)
    return normal_cdf((limit - table["expected"].to_numpy(dtype=float)) / np.maximum(sd, 1e-9))


def spikes_table(table: pd.DataFrame, evaluations: Sequence[Evaluation], lif_layers: Sequence[str]) -> pd.DataFrame:
    """Spikes per image of every LIF layer, one row per design: `id`, then `s:<lif layer>`."""
    columns = [f"s:{name}" for name in lif_layers]
    frame = pd.DataFrame([e.spikes for e in evaluations], columns=columns)
    frame.insert(0, "id", list(table["id"]))
    return frame


def front_of(table: pd.DataFrame, chosen: Collection[str] = ()) -> pd.DataFrame:
    """The rows on the front and the designs `chosen` by id, each once, sorted by memory, then drop, then id."""
    shown = table[table["on_front"] | table["id"].isin(list(chosen))]
    return shown.drop_duplicates("id").sort_values(["memory_bytes", "drop", "id"], ignore_index=True)


def design_of(row: pd.Series) -> Design:
    """The design in a row of the results table."""
    return Design.of_row({str(name): value for name, value in row.dropna().items()})


def score_rows(space: Space, scores: FloatArray, table: pd.DataFrame) -> pd.DataFrame:
    """Fisher score of every searched group at every width: `group, type, stage, bits, score`; scores are (D, B)."""
    from dse.evaluation.one_at_a_time import group_labels  # brings torch, which reading tables does not need

    labels = group_labels(space, table)
    rows = [
        (group, *labels[group], bits, float(score))
        for d, row in zip(space.dimensions, scores, strict=True)
        if d.kind == "weight"
        for group in [d.group]
        for bits, score in zip(d.choices, row, strict=False)
    ]
    return pd.DataFrame(rows, columns=["group", "type", "stage", "bits", "score"])


def breakdown_table(
    costing: Costing, table: pd.DataFrame, spikes: pd.DataFrame, strategy: str, chosen: Collection[str] = ()
) -> pd.DataFrame:
    """Energy [J] and memory [B] per layer and component of the front, the `chosen` and all that are no proposals.

    `spikes` is spikes.csv, row by row that of `table`; `strategy` proposed the other designs; `chosen` are ids.  Empty
    where functions of a caller cost the designs, as nobody knows their parts.
    """
    if costing.own:
        return pd.DataFrame(columns=["id", "layer", "stage", "quantity", "component", "value"])
    counts = np.asarray(spikes.drop(columns="id"), dtype=np.float64)
    found = origins(list(table["origin"]), strategy)
    named = np.array([o.kind is not Kind.STRATEGY for o in found])
    detailed = (table["on_front"] | table["id"].isin(list(chosen)) | named) & ~table["id"].duplicated()
    parts = []
    for i in np.flatnonzero(detailed):
        part = costing.breakdown(design_of(table.iloc[i]), counts[i])
        part.insert(0, "id", table["id"].iloc[i])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
