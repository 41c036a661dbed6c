"""Every evaluated design of a run: what results.csv, verified.csv and picks.json say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from reports.errors import ReportError
from reports.number_text import short_names
from reports.run.picks import PickedDesign
from reports.run.rows import ExpectedRow, LayerRow, ResultRow, VerifiedRow
from reports.run.standing import standing
from reports.run.tables import rows_of

FINITE = ("top1", "drop", "drop_low", "drop_high", "memory_bytes", "energy_j", "latency_s")
Z95 = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval, in standard deviations
WEIGHTS = "w:"  # prefix of the columns that hold the widths of layers
POTENTIALS, STREAMS, SUMS = "v:", "r:", "b:"  # those of the columns with other widths
OWN = "own:"  # prefix that the w: columns have here beside those of all layers, where forms were searched
FORM = "form"  # the column of results.csv that says fused or unfused, where the search had the choice


@dataclass(frozen=True)
class VerifiedDrop:
    """A drop as measured on images that the search never saw, with its 95 % interval [pp].

    `together` is the drop with its interval by these images and the search's prediction, `p_within` the probability
    by both that it is at most `budget`, that of the verification; None where they are not known.
    """

    drop: float
    low: float
    high: float
    images: int
    together: tuple[float, float, float] | None = None
    budget: float | None = None
    p_within: float | None = None


@dataclass(frozen=True)
class UnseenDrop:
    """What is said of a drop on images that the search never saw, with its 95 % interval [pp].

    `status` is verified where unseen images were measured (with the search's prediction, where both are known),
    predicted where the search's model says it, and searched where the run has neither: then it is the drop on the
    search images, which is too small on average.
    """

    drop: float
    low: float
    high: float
    status: str


@dataclass(frozen=True)
class Design(ResultRow):
    """One evaluated design: measured accuracy, computed costs (SI), its widths in network order.

    `baseline` is its name as a baseline, `pick` its name among the picks, `form` says fused or unfused where the
    search had the choice, and `own_bits` the widths of the layers of that form; each empty where there is none.
    `state_bits` are the widths of the membrane potentials by stage: empty for a design that was evaluated with
    float32 potentials; `stream_bits` and `between_bits` those of the residual streams and of the sums between
    layers, where they were searched. A fused layer's width stands for all layers that were fused into it.
    `verified` is the drop as unseen images measured it, `unseen` the best that is known of it, `top1_low` and
    `top1_high` Wilson's 95 % interval of the top-1 accuracy. `energy_band` is the least and greatest energy [J]
    over all variations of the models, None where the design was not costed again.  `feasible` is what verification
    found, where there was one, and else what the search predicts; `standing` says in words why it is not.
    """

    baseline: str
    pick: str
    verified: VerifiedDrop | None
    state_bits: dict[str, int]
    stream_bits: dict[str, int]
    between_bits: dict[str, int]
    bits: tuple[int, ...]
    unseen: UnseenDrop
    top1_low: float
    top1_high: float
    form: str = ""
    own_bits: dict[str, int] = field(default_factory=dict)
    energy_band: tuple[float, float] | None = None
    standing: str = ""

    @property
    def shown(self) -> bool:
        """Whether tables and figures of chosen designs hold it: the front, the picks, and what was verified."""
        return self.on_front or bool(self.pick) or self.verified is not None


@dataclass(frozen=True)
class WeightLayers:
    """The weight layers in network order: names, short names, stages, blocks, and their parts of the whole.

    `weight_share` and `synop_share` are shares of all weights and of all synaptic operations of weight layers.
    """

    names: tuple[str, ...]
    short: tuple[str, ...]
    stages: tuple[str, ...]
    blocks: tuple[str, ...]
    weight_share: tuple[float, ...]
    synop_share: tuple[float, ...]


def weight_layers(layers: Sequence[LayerRow]) -> WeightLayers:
    """The layers that have weights, of all layers of a network."""
    weighted = [layer for layer in layers if layer.kind not in ("attention", "add")]
    short = short_names(layer.name for layer in layers)
    weights = sum(layer.weights for layer in weighted)
    synops = float(np.sum([layer.synops for layer in weighted]))
    return WeightLayers(
        names=tuple(layer.name for layer in weighted),
        short=tuple(short[layer.name] for layer in weighted),
        stages=tuple(layer.stage for layer in weighted),
        blocks=tuple(layer.block for layer in weighted),
        weight_share=tuple(layer.weights / max(weights, 1) for layer in weighted),
        synop_share=tuple(layer.synops / max(synops, 1) for layer in weighted),
    )


def baselines(results: pd.DataFrame) -> dict[str, str]:
    """Ids of the baselines by name, in the order of results.csv: float, uniform widths and the guided settings.

    A strategy may have the name of a baseline; the first design of that name is the baseline.
    """
    first = results.drop_duplicates("origin")
    named = first["origin"].str.fullmatch(r"float|guided(-[a-z]+)?|uniform-\d+(-T\d+)?(-[a-z]+)?")
    return dict(zip(first.loc[named, "origin"], first.loc[named, "id"].astype(str), strict=True))


def checked_results(path: Path, results: pd.DataFrame, layers: Sequence[LayerRow]) -> pd.DataFrame:
    """The table of results.csv with a width for every weight layer of layers.csv; raises ReportError where it has none.

    Also raised for a table without rows, and for a measurement that is no finite number.
    """
    if results.empty:
        raise ReportError(f"{path}: has no rows; a report needs at least one evaluated design")
    for column in FINITE:
        numbers = pd.to_numeric(results[column], errors="coerce").replace([float("inf"), -float("inf")], float("nan"))
        if numbers.isna().any():
            row = int(numbers.isna().to_numpy().argmax())
            raise ReportError(f"{path}: line {row + 2}, {column} is {results[column].iloc[row]!r}; expected a number")
    weighted = [layer.name for layer in layers if layer.kind not in ("attention", "add")]
    if FORM in results.columns:
        results = _by_unfused_layers(results, weighted)
    named = [c.removeprefix(WEIGHTS) for c in results.columns if c.startswith(WEIGHTS)]
    if named != weighted:
        odd = sorted(set(named) ^ set(weighted)) or ["their order"]
        raise ReportError(
            f"{path}: its w: columns and the weight layers of layers.csv differ in {odd[0]}; repeat the search"
        )
    if results[[WEIGHTS + n for n in named]].isna().to_numpy().any():
        raise ReportError(f"{path}: a w: column has an empty cell; expected a width in bits everywhere")
    return results


def _by_unfused_layers(results: pd.DataFrame, weighted: Sequence[str]) -> pd.DataFrame:
    """Designs of both forms by the layers of the unfused one: each has the width of the layer it was fused into.

    A fused layer's column stands after those of the layers it stands for, which are empty in its designs.
    """
    every = [c for c in results.columns if c.startswith(WEIGHTS)]
    only_fused = [c for c in every if c.removeprefix(WEIGHTS) not in set(weighted)]
    filled = results[every].bfill(axis=1).drop(columns=only_fused)
    own = results[every].rename(columns=lambda name: OWN + str(name).removeprefix(WEIGHTS))
    return pd.concat([results.drop(columns=every), filled, own], axis=1)


def designs(
    path: Path,
    results: pd.DataFrame,
    picks: Sequence[PickedDesign],
    verified: Sequence[VerifiedRow],
    expected: Sequence[ExpectedRow] = (),
    budgets: Mapping[str, float] | None = None,
) -> tuple[Design, ...]:
    """All designs in the order of evaluation, of a table that `checked_results` gave.

    A design that several origins proposed carries all their names.
    """
    origins = results.groupby("id", sort=False)["origin"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    unique = results.drop_duplicates("id").copy()
    unique["origin"] = unique["id"].map(origins)
    unseen = {v.id: _verified(v) for v in reversed(verified)}
    names: dict[str, str] = {}
    for origin, design in baselines(results).items():
        names[design] = f"{names[design]}, {origin}" if design in names else origin
    predicted = {e.id: e for e in reversed(expected)}
    picked = {p.id: p.name for p in reversed(picks)}
    weights = unique[[c for c in unique.columns if c.startswith(WEIGHTS)]].astype(int).to_numpy().tolist()
    others = unique[[c for c in unique.columns if c.startswith((POTENTIALS, STREAMS, SUMS))]].to_dict("records")
    own = unique[[c for c in unique.columns if c.startswith(OWN)]].to_dict("records")
    forms = unique[FORM].astype(str).tolist() if FORM in unique.columns else [""] * len(unique)
    found = zip(rows_of(path, unique, ResultRow), weights, others, forms, own, strict=True)
    return tuple(
        judged(
            Design(
                **{each.name: getattr(row, each.name) for each in fields(row)},
                baseline=names.get(row.id, ""),
                pick=picked.get(row.id, ""),
                verified=unseen.get(row.id),
                state_bits=_widths(cells, POTENTIALS),
                stream_bits=_widths(cells, STREAMS),
                between_bits=_widths(cells, SUMS),
                bits=tuple(bits),
                unseen=_unseen(row, unseen.get(row.id), predicted.get(row.id)),
                top1_low=share_interval(row.top1, row.images)[0],
                top1_high=share_interval(row.top1, row.images)[1],
                form=form,
                own_bits=_widths(layers, OWN),
            ),
            budgets or {},
        )
        for row, bits, cells, form, layers in found
    )


def judged(design: Design, budgets: Mapping[str, float]) -> Design:
    """The design with what verification found in the place of the search's prediction."""
    said = standing(vars(design), budgets, design.feasible, design.reasons, design.verified)
    return replace(design, feasible=said[0], standing=said[1])


def share_interval(share: float, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was measured on `images`."""
    from scipy.stats import binomtest  # takes longer to import than most commands

    ends = binomtest(round(share * images), images).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


def _verified(row: VerifiedRow) -> VerifiedDrop:
    """What verified.csv says of a design."""
    together = (row.expected, row.expected_low, row.expected_high)
    known = all(value == value for value in together)
    asked = row.budget == row.budget and row.p_within == row.p_within
    return VerifiedDrop(
        *(row.drop, row.drop_low, row.drop_high, row.images),
        together=together if known else None,
        budget=row.budget if asked else None,
        p_within=row.p_within if asked else None,
    )


def _unseen(row: ResultRow, verified: VerifiedDrop | None, predicted: ExpectedRow | None) -> UnseenDrop:
    """The best that is known of a drop on unseen images."""
    if verified is not None:
        return UnseenDrop(*(verified.together or (verified.drop, verified.low, verified.high)), "verified")
    if predicted is not None:
        reach = Z95 * predicted.sd
        return UnseenDrop(predicted.expected, predicted.expected - reach, predicted.expected + reach, "predicted")
    return UnseenDrop(row.drop, row.drop_low, row.drop_high, "searched")


def _widths(cells: Mapping[str, float], prefix: str) -> dict[str, int]:
    """Widths by stage or stream; a cell is empty (NaN) where a design has none, as float32 potentials."""
    own = {name: bits for name, bits in cells.items() if name.startswith(prefix) and bits == bits}
    return {name.removeprefix(prefix): int(bits) for name, bits in own.items()}
