"""Simulated candidates on simulated unseen images, with known true drops: what verification can be judged by.

An image has a margin of the float network, and a design changes its class where a disturbance is larger: every float
network and design is one draw of an ensemble (`dse/problem/shared_error.py`).  Disturbances of designs share the float
network's own draw, so that changes of two designs correlate by about one half, as they do on glyphs
(`benchmarks/noise.py`: 0.48).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from dse.verification import COPIES, Candidate, Race, Row, Task, plan, strata_of

Floats = NDArray[np.float64]
RUNGS = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)  # chances of keeping the budget, as candidates are chosen by
SURER = (0.99999, 0.9999, 0.999, 0.99, 0.95, 0.85)  # wider designs: baselines, knee, most accurate


@dataclass(frozen=True)
class World:
    """Unseen images and candidates with known truth.

    race: what verification is given; truth: (K,) drops on all images there could be [points]; changed: (K + copies, M)
    1 lost, -1 won, 0 neither.
    """

    race: Race
    truth: Floats
    changed: NDArray[np.int8]

    def measure(self, task: Task) -> Row:
        """What the images of a task show."""
        k = self.race.names.index(task.candidate)
        mine, places = self.changed[k, list(task.images)], np.array(task.images)
        return Row(*vars(task).values(), tuple(places[mine == 1].tolist()), tuple(places[mine == -1].tolist()))

    def everything(self) -> list[Row]:
        """The rows of all candidates and copies on all images."""
        every = tuple(range(self.changed.shape[1]))
        return [self.measure(Task(name, 0, every)) for name in self.race.names]

    def run(self) -> list[Row]:
        """The rows of the whole verification."""
        rows: list[Row] = []
        while tasks := plan(self.race, rows):
            rows += [self.measure(task) for task in tasks]
        return rows


def images(
    truth: Floats, count: int, discordance: float, rng: np.random.Generator, accuracy: float = 0.8
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int8]]:
    """Logits (M, 2) of a float network, labels (M,), and what designs change (K, M).

    truth: (K,) true drops [points]; discordance: share of images that a harmless design changes in either direction;
    accuracy: of the float network.  An image changes with a probability that falls with the margin; harmless changes
    win as many as they lose, harm loses more.
    """
    position = norm.ppf(rng.uniform(1e-6, 1 - 1e-6, count))  # margin before the float network's own draw
    shift = norm.ppf(accuracy)
    noise = _noise_of(discordance, shift)
    own = noise * rng.standard_normal(count)
    margin = position + shift + own
    changed = np.zeros((len(truth), count), dtype=np.int8)
    for k, drop in enumerate(truth):
        harm = _harm_of(drop / 100, shift, noise)
        after = position + shift + noise * rng.standard_normal(count) - harm
        changed[k] = ((margin > 0) & (after <= 0)).astype(np.int8) - ((margin <= 0) & (after > 0))
    logits = np.column_stack([margin, np.zeros(count)])
    return logits, np.zeros(count, dtype=np.int64), changed


def _noise_of(discordance: float, shift: float) -> float:
    """Disturbance of one network at which two harmless ones differ on a share of the images."""
    low, high = 0.0, 5.0
    grid = norm.ppf((np.arange(4000) + 0.5) / 4000)
    for _ in range(60):
        middle = (low + high) / 2
        right = norm.cdf((grid + shift) / max(middle, 1e-9))
        low, high = (middle, high) if (2 * right * (1 - right)).mean() < discordance else (low, middle)
    return high


def _harm_of(drop: float, shift: float, noise: float) -> float:
    """Shift of all margins that costs a share of right answers."""
    scale = np.sqrt(1 + noise**2)
    return float(shift - scale * norm.ppf(norm.cdf(shift / scale) - drop))


def ladder(
    rng: np.random.Generator,
    *,
    count: int = 20_000,
    optimism: float = 0.0,
    discordance: float = 0.08,
    sd: float = 0.25,
    budget: float = 1.0,
    shared: float = 0.6,
    border: bool = False,
    copies: int = COPIES,
) -> World:
    """Candidates at rising chances of keeping the budget, as the search predicts them, `optimism` points too low.

    count: unseen images; sd: of the predictions, half of its variance common to all; shared: standard deviation that
    the search images give to any two designs together [points]; border: the true drop of every candidate is the budget,
    whatever is predicted; copies: of the float network.
    """
    chances = np.array(sorted(RUNGS + SURER, reverse=True))
    mean = budget - sd * norm.ppf(chances)
    common, own = np.sqrt(0.5) * sd * rng.standard_normal(1), np.sqrt(0.5) * sd * rng.standard_normal(len(mean))
    truth = np.full(len(mean), budget) if border else np.maximum(mean + optimism + common + own, -0.5)
    logits, labels, changed = images(np.append(truth, np.zeros(copies)), count, discordance, rng)
    names = [f"c{k:02d}" for k in range(len(mean))]
    memory = 250.0 - 4.0 * np.arange(len(mean))
    found = tuple(Candidate(n, m, sd, (c,)) for n, m, c in zip(names, mean.tolist(), memory.tolist(), strict=True))
    race = Race(found, shared, strata_of(logits, labels), budget, tuple(f"float-{i}" for i in range(copies)))
    return World(race, truth, changed)
