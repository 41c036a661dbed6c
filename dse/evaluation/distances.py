"""One-at-a-time distances, which stand beside the gradient scores where they tell something about rounding.

A distance is the KL divergence of the float network with one group narrow from the float network. Rounding harms four
times less with every bit (the squared step of a uniform quantizer). In a chaotic network any change, however small,
moves the output by much the same, and a distance near that floor says where a layer stands, not what rounding harms.
Two widths tell these cases apart: the fall of the distance between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.evaluation.experiment import Experiment
from dse.evaluation.one_at_a_time import group_probes, measured

MEASURED_WIDTHS = (2, 4)  # bits; what a dimension loses at other widths follows from these and its scores
MOST_EVALUATIONS = 10  # that all distances may cost together
IMAGES = 16, 128  # a divergence is smooth: few images order the groups
LEAST_FALL = 2.0  # per bit: half of what rounding alone gives, in the logarithm
LOOK_EVALUATIONS = 2  # that the first look, on the fewest images, may cost
LEAST_SHARE = 0.5  # of the groups whose distances must fall, or the first look is the last


@dataclass(frozen=True)
class Distances:
    """What was measured and what it cost.

    distances: KL divergences (D, B) in nat, NaN where none was measured or trusted, None where the first look showed
    that they say nothing; images: that were evaluated for them; fall: from the narrowest to the widest of the measured
    widths, the median over the groups (NaN with one width); bits: between these widths.
    """

    distances: FloatArray | None
    images: int
    fall: float
    bits: int

    @property
    def advice(self) -> str:
        """What was found, in one line."""
        cost = f"one-at-a-time distances: {self.images:,} images evaluated for them"
        if np.isnan(self.fall):
            return cost
        found = f"{cost}; they fall {self.fall:.1f}-fold over {self.bits} bits ({4**self.bits:.0f}-fold by rounding)"
        if self.distances is None:
            return f"{found}: this is chaos, so the gradient scores stand alone"
        return f"{found}, and stand beside the gradient scores"


def written(found: Distances) -> dict[str, Any]:
    """Distances as JSON."""
    values = None if found.distances is None else found.distances.tolist()
    return {"distances": values, "images": found.images, "fall": found.fall, "bits": found.bits}


def distances_of(record: Mapping[str, Any]) -> Distances:
    """Distances that were written as JSON."""
    values = record["distances"]
    return Distances(None if values is None else np.array(values), record["images"], record["fall"], record["bits"])


def falls(distances: FloatArray, choices: IntArray) -> tuple[FloatArray, IntArray]:
    """By which factor the distances (D, B) of every dimension fall from its narrowest to its widest measured width.

    choices: (D, B) in bits. Gives factors (D,), NaN where fewer than two widths were measured, and the bits between
    them (D,).
    """
    seen = np.isfinite(distances)
    rows = np.arange(len(distances))
    first, last = seen.argmax(axis=1), seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    two = seen.sum(axis=1) >= 2
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(two, distances[rows, first] / distances[rows, last], np.nan)
    return factor, np.where(two, choices[rows, last] - choices[rows, first], 0)


def trusted(distances: FloatArray, choices: IntArray) -> FloatArray:
    """The distances (D, B) of those dimensions where they fall with the width `choices` (D, B) [bit]; NaN elsewhere.

    They must fall at least twofold per bit; a dimension that was measured at a single width stays as it is.
    """
    factor, bits = falls(distances, choices)
    flat = factor < LEAST_FALL**bits
    return np.where(flat[:, None], np.nan, distances)


def measure_distances(experiment: Experiment, count: int | None = None) -> Distances:
    """Every searched group alone at 2 and at 4 bits, the rest in float, on `count` images of the validation split.

    Of a space without these widths the narrowest is measured.  Each group and width counts as one pass over the
    images, though what they share is computed once; without a `count`, all of them cost at most ten evaluations of a
    design, on 16 to 128 images.  Raises ConfigError as `ImageSource.at_most`.
    """
    distances, images = _table(experiment, count)
    return Distances(distances, images, *_typical(*falls(distances, experiment.space.choices)))


def distances_that_tell(experiment: Experiment) -> Distances:
    """Distances of the groups where they fall with the width; none where a first look on 16 images shows chaos.

    The first look costs at most two evaluations of a design, or there is none and nothing is measured.
    """
    choices, fewest = experiment.space.choices, IMAGES[0]
    groups = sum(d.kind == "weight" for d in experiment.space.dimensions)
    if len(MEASURED_WIDTHS) * groups * fewest > LOOK_EVALUATIONS * len(experiment.images):
        return Distances(None, 0, float("nan"), 0)
    look, spent = _table(experiment, fewest)
    factor, bits = falls(look, choices)
    known = np.isfinite(factor)
    if not known.any() or np.mean((factor >= LEAST_FALL**bits)[known]) < LEAST_SHARE:
        return Distances(None, spent, *_typical(factor, bits))
    distances, images = _table(experiment, None)
    found = _typical(*falls(distances, choices))
    return Distances(trusted(distances, choices), spent + images, *found)


def distances_for(experiment: Experiment, prior: str, count: int | None) -> Distances:
    """The distances that `search.prior` asks for: both, on `count` images each, or auto."""
    return measure_distances(experiment, count) if prior == "both" else distances_that_tell(experiment)


def _typical(factor: FloatArray, bits: IntArray) -> tuple[float, int]:
    """The median of the known factors, NaN without any, and the bits between."""
    known = factor[np.isfinite(factor)]
    return (float(np.median(known)), int(bits.max())) if len(known) else (float("nan"), 0)


def _table(experiment: Experiment, count: int | None) -> tuple[FloatArray, int]:
    """Distances (D, B) as measured, and the images that were evaluated for them."""
    space, network = experiment.space, experiment.network
    widths = [d.choices for d in space.dimensions if d.kind == "weight"]
    chosen = {b for choices in widths for b in (set(choices) & set(MEASURED_WIDTHS) or {choices[0]})}
    probes = [p for p in group_probes(space, network.float_design, network.table) if p.bits in chosen]
    if count is None:
        count = int(np.clip(MOST_EVALUATIONS * len(experiment.images) // max(len(probes), 1), *IMAGES))
    images = experiment.source.at_most("validation", count)
    found = {(p.group, p.bits): e.kl for p, e in zip(probes, measured(experiment, probes, images), strict=True)}
    distances = np.full((len(space.dimensions), int(space.sizes.max())), np.nan)
    for row, d in zip(distances, space.dimensions, strict=True):
        if d.kind == "weight":
            group = d.group
            row[: len(d.choices)] = [found.get((group, bits), np.nan) for bits in d.choices]
    return distances, len(probes) * len(images)
