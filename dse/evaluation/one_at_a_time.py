"""One-at-a-time distances to the float network, on few images: a second opinion beside the gradient scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dse.evaluation.experiment import Workbench
from dse.evaluation.loading import load_at_most
from dse.workflows import sensitivity

READERS = frozenset({"posterior", "ilp", "amp_greedy"})  # strategies that start from a prior
MEASURED_WIDTHS = (2, 4)  # bits; what a dimension loses at other widths follows from these and its scores

MOST_EVALUATIONS = 10  # that all distances may cost together
IMAGES = 16, 128  # a divergence is smooth: few images order the groups


@dataclass(frozen=True)
class SecondOpinion:
    """KL divergences (D, B) in nat, NaN where none was measured, and the images that were evaluated for them."""

    distances: NDArray[np.float64]
    images: int


def second_opinion(bench: Workbench, count: int | None = None) -> SecondOpinion:
    """Every searched group alone at 2 and at 4 bits, the rest in float, on `count` images of the validation split.

    Of a space without these widths the narrowest is measured.  Each group and width counts as one pass over the
    images, though what they share is computed once; without a `count`, all of them cost at most ten evaluations of a
    design, on 16 to 128 images.  Raises ConfigError as `load_at_most`.
    """
    space = bench.space
    widths = [d.choices for d in space.dimensions if d.kind == "weight"]
    chosen = {b for choices in widths for b in (set(choices) & set(MEASURED_WIDTHS) or {choices[0]})}
    probes = [p for p in sensitivity.group_probes(space, bench.float_design, bench.table) if p.bits in chosen]
    if count is None:
        count = int(np.clip(MOST_EVALUATIONS * len(bench.images) // max(len(probes), 1), *IMAGES))
    images = load_at_most(bench.config, "validation", count)
    found = {(p.group, p.bits): e.kl for p, e in zip(probes, sensitivity.measured(bench, probes, images), strict=True)}
    distances = np.full((len(space.dimensions), int(space.sizes.max())), np.nan)
    for row, d in zip(distances, space.dimensions, strict=True):
        if d.kind == "weight":
            group = d.name.removeprefix("w:")
            row[: len(d.choices)] = [found.get((group, bits), np.nan) for bits in d.choices]
    return SecondOpinion(distances, len(probes) * len(images))
