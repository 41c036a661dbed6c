"""A simulated network with a known true accuracy drop, to judge searches by the truth instead of their measurements.

Sizes are those of sdtv2_8_512 at 224 pixels (56 weight groups; first convolution and head fixed). The law of the drop
is synthetic: log-normal layer sensitivities, harm falling about fourfold per bit, pairwise interactions, saturation at
chance, and measurements with the noise that finite images and a chaotic network give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from simulated_layers import HOW, pair_weights, repeated, spoiled

from dse.optimize import integer_program, lagrangian, pareto
from dse.problem.problem import Baseline, Part, Problem
from dse.problem.shared_error import SharedError
from dse.problem.space import Dimension, Space

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WIDTHS = (2, 3, 4, 5, 6, 7, 8)
CAP = 78.0  # points that can be lost: from 80 % to a chance of 2 %
UNIFORM4 = 2.96  # z of uniform 4 bits: a drop of 2.9 points
TIME_STEPS = 4
NLL_PER_POINT = 0.03  # nat of cross-entropy that go with a point of top-1


@dataclass(frozen=True)
class Difficulty:
    """What a simulated network is like; the defaults are the base case.

    `interaction` scales the pairwise terms; `kl_misfit`, `fisher_misfit` and `nll_misfit` are the log-normal errors
    per layer of the one-at-a-time distances, the gradient scores and the cross-entropy against the harm in top-1;
    `flips` is the share of images whose prediction changes in either direction without any harm (chaos).
    `scores`: good, absent, shuffled (between layers), half (every second layer shuffled), inverted (sensitivities), or
    kind (those of one kind of layer off by 100). The law of harm: z = (sum T^norm)^(1/norm), where a norm above 1 makes
    the worst layers decide; u = z^bend (1 + (z / cliff)^2); drop = CAP (1 - exp(-u / CAP)).
    """

    interaction: float = 1.0
    kl_misfit: float = 0.3
    fisher_misfit: float = 0.6
    nll_misfit: float = 0.15
    flips: float = 0.0075
    scores: str = "good"
    norm: float = 1.0
    bend: float = 1.0
    cliff: float = np.inf


BASE = Difficulty()
# simulated networks by name: what they are like, and how many groups they have
CASES = {"base": (BASE, 56)} | {f"scores-{how}": (Difficulty(scores=how), 56) for how in HOW}
CASES |= {f"{name}-138": (difficulty, 138) for name, (difficulty, _) in CASES.items()}
CASES |= {
    "interactions": (Difficulty(interaction=3.3), 56),
    "cliff": (Difficulty(cliff=2.0), 56),
    "bend": (Difficulty(bend=2.5), 56),
    "worst-layer": (Difficulty(norm=3.0, interaction=0.0), 56),
}


@dataclass(frozen=True)
class Measurement:
    """One evaluation: drop, its standard error (points), cross-entropy over the float network's, share of changes."""

    drop: float
    drop_stderr: float
    nll_delta: float
    nll_stderr: float
    changed: float
    images: int


@dataclass(frozen=True)
class Simulation:
    """A simulated network: `terms` (D, B) are the true additive harms in points, `pairs` (D, D) symmetric weights.

    z = sum of terms + sum over pairs of weight * sqrt(term * term); drop = CAP (1 - exp(-z / CAP)).
    """

    problem: Problem
    terms: FloatArray
    pairs: FloatArray
    nll_terms: FloatArray
    difficulty: Difficulty
    low_fidelity_images: int

    @property
    def summands(self) -> FloatArray:
        """What adds up over layers, (D, B): T^norm."""
        return self.terms**self.difficulty.norm

    def harm(self, levels: IntArray, terms: FloatArray | None = None) -> FloatArray:
        """True z of levels (..., D) -> (...), before saturation."""
        norm = self.difficulty.norm
        chosen = (self.terms if terms is None else terms)[np.arange(len(self.terms)), levels] ** norm
        roots = np.sqrt(chosen)
        return np.asarray(np.maximum(chosen.sum(-1) + 0.5 * ((roots @ self.pairs) * roots).sum(-1), 0.0) ** (1 / norm))

    def drop(self, levels: IntArray) -> FloatArray:
        """True drop in percentage points, levels (..., D) -> (...)."""
        z = self.harm(levels)
        u = z**self.difficulty.bend * (1 + (z / self.difficulty.cliff) ** 2)
        return np.asarray(CAP * -np.expm1(-u / CAP))

    def harm_of(self, drop: float) -> float:
        """The z at which the true drop is so many points."""
        u, law = -CAP * np.log1p(-drop / CAP), self.difficulty
        return float(brentq(lambda z: z**law.bend * (1 + (z / law.cliff) ** 2) - u, 0.0, 1e3))

    def objectives(self, levels: IntArray) -> FloatArray:
        """True drop, memory and energy, levels (N, D) -> (N, 3)."""
        return np.column_stack([self.drop(levels), self.problem.costs(levels)])

    def measure(self, levels: IntArray, images: int, rng: np.random.Generator) -> Measurement:
        """Evaluate one design, levels (D,), on a number of random images.

        Paired as in McNemar's test: of all images some are lost, some gained, and the drop is their difference.
        """
        true = float(self.drop(levels)) / 100
        gained = min(self.difficulty.flips + 0.2 * true, 0.5 * (1 - true))
        counts = rng.multinomial(images, [true + gained, gained, max(1 - true - 2 * gained, 0.0)])
        lost, won = int(counts[0]), int(counts[1])
        changed = true + 2 * gained
        # log-probabilities of a changed network scatter with variance 2 KL, and KL is about 0.8 of the changed share
        nll_stderr = float(np.sqrt(1.6 * changed / images))
        nll = NLL_PER_POINT * float(self.harm(levels, self.nll_terms)) + nll_stderr * rng.normal()
        share = (lost + won) / images
        drop = (lost - won) / images
        return Measurement(
            drop=100 * drop,
            drop_stderr=100 * float(np.sqrt(max(share - drop**2, 0.0) / images)),
            nll_delta=nll,
            nll_stderr=nll_stderr,
            changed=share,
            images=images,
        )

    @cached_property
    def best_known(self) -> IntArray:
        """Designs of the best known true front (N, D): separable optima, then coordinate descent with all pairs."""
        costs = np.stack([self.problem.whole.tables[k] for k in ("memory_bytes", "energy_j")])
        prices = lagrangian.price_grid(self.summands, costs, mixes=21, steps=80)
        start = lagrangian.minimisers(self.summands, costs, prices)
        levels = np.unique(np.vstack([start, self._descend(start, costs, prices)]), axis=0)
        return levels[pareto.is_nondominated(self.objectives(levels))]

    def _descend(self, levels: IntArray, costs: FloatArray, prices: FloatArray) -> IntArray:
        """Levels (M, D) improved one dimension at a time until none changes, each row at its own prices (M, 2)."""
        levels = levels.copy()
        roots = np.sqrt(self.summands)
        rows = np.arange(len(self.terms))
        priced = self.summands[None] + np.tensordot(prices, costs, axes=(1, 0))  # (M, D, B)
        for _ in range(20):
            before = levels.copy()
            pull = roots[rows, levels] @ self.pairs  # (M, D): what the other dimensions add per root
            for d in range(len(self.terms)):
                old = roots[d, levels[:, d]]
                levels[:, d] = (priced[:, d] + pull[:, d, None] * roots[d]).argmin(1)
                pull += (roots[d, levels[:, d]] - old)[:, None] * self.pairs[d]
            if (levels == before).all():
                break
        return levels

    @cached_property
    def reference(self) -> FloatArray:
        """Corner of the hypervolume: 10 points, memory and energy of uniform 8 bits."""
        return np.concatenate([[10.0], self.problem.costs((self.problem.space.sizes - 1)[None])[0]])

    @cached_property
    def best_volume(self) -> float:
        """Hypervolume of the best known front."""
        return pareto.hypervolume(self.objectives(self.best_known), self.reference)

    def share(self, levels: IntArray) -> float:
        """True hypervolume of designs (N, D) as a share of the best known."""
        return pareto.hypervolume(self.objectives(levels), self.reference) / self.best_volume

    def least_memory(self, budget: float) -> tuple[IntArray, float]:
        """The least memory known for a true drop within `budget` points: levels (D,) and bytes.

        The additive optimum at several additive budgets, then single steps and exchanges of two steps while any helps.
        """
        memory = self.problem.whole.tables["memory_bytes"]
        limit, norm = self.harm_of(budget), self.difficulty.norm
        best, least = self.problem.space.sizes - 1, np.inf
        for factor in np.linspace(0.7, 1.05, 15):
            limits = {"z": integer_program.Limit(self.summands, (limit * float(factor)) ** norm)}
            levels = integer_program.best(self.problem.space, memory, limits, gap=1e-5)
            levels = self._exchange(levels, memory, limit)
            total = float(lagrangian.gather(memory, levels))
            if self.harm(levels) <= limit and total < least:
                best, least = levels, total
        return best, least + self.problem.whole.offsets["memory_bytes"]

    def _exchange(self, levels: IntArray, memory: FloatArray, limit: float) -> IntArray:
        count = len(levels)
        steps = [(d, s) for d in range(count) for s in (-1, 1)]
        single = np.zeros((len(steps), count), dtype=np.int64)
        for i, (d, s) in enumerate(steps):
            single[i, d] = s
        a, b = np.triu_indices(len(steps))
        moves = np.unique(np.vstack([single, single[a] + single[b]]), axis=0)
        top = self.problem.space.sizes - 1
        while True:
            near = levels + moves
            near = near[((near >= 0) & (near <= top)).all(axis=1)]
            near = near[self.harm(near) <= limit]
            if not len(near):
                return levels
            total = lagrangian.gather(memory, near)
            if total.min() >= lagrangian.gather(memory, levels):
                return levels
            levels = near[int(total.argmin())]


def simulate(seed: int, difficulty: Difficulty = BASE, low_fidelity_images: int = 128, groups: int = 56) -> Simulation:
    """A random simulated network; the same seed gives the same truth at every difficulty, as far as it can.

    `groups`: the first ones of sdtv2_8_512, or all of them several times over.

    Gradient scores cost nothing; the one-at-a-time distances were measured on `low_fidelity_images` (0: not measured)
    for every group at 2 and 4 bits.
    """
    rng = np.random.default_rng([seed, 20250])
    names, blocks, weights, macs = repeated(groups)
    bits = np.array(WIDTHS, dtype=float)
    count = len(names)
    sensitivity, exponent = np.exp(1.1 * rng.normal(size=count)), rng.uniform(0.75, 1.15, size=count)
    jitter = np.exp(0.15 * rng.normal(size=(count, len(bits))))
    terms = sensitivity[:, None] * 4.0 ** (-exponent[:, None] * (bits - 4)) * jitter
    terms = np.minimum.accumulate(terms, axis=1)
    pairs = difficulty.interaction * pair_weights(blocks, rng)
    four = np.sqrt(terms[:, WIDTHS.index(4)] ** difficulty.norm)
    terms *= UNIFORM4 / (four @ four + 0.5 * four @ pairs @ four) ** (1 / difficulty.norm)
    noise = rng.normal(size=(4, count))
    nll_terms = terms * np.exp(difficulty.nll_misfit * noise[0])[:, None]
    scores = terms * np.exp(difficulty.fisher_misfit * noise[1])[:, None] * np.exp(0.1 * rng.normal(size=terms.shape))
    scores = spoiled(scores, difficulty.scores, names, np.random.default_rng([seed, 3]))
    distances = terms * np.exp(difficulty.kl_misfit * noise[2])[:, None]
    spread = 0.03 * np.sqrt(1000 / max(low_fidelity_images, 1))
    distances = distances * np.exp(spread * rng.normal(size=terms.shape))
    distances[:, [b for b, width in enumerate(WIDTHS) if width not in (2, 4)]] = np.nan
    space = Space(
        tuple(Dimension(f"w:{n}", "weight", WIDTHS, (n,), b) for n, b in zip(names, blocks, strict=True)), tuple(names)
    )
    rates = rng.uniform(0.1, 0.35, size=count)
    memory = weights[:, None] * bits / 8
    # a spike adds one weight (an adder's energy grows with its width), and every weight is fetched once
    energy = (rates * macs * TIME_STEPS)[:, None] * (0.02 + 0.01 * bits) * 1e-12 + weights[:, None] * bits * 8e-12
    rows = np.arange(count)

    def costs(levels: IntArray) -> FloatArray:
        return np.stack([memory[rows, levels].sum(-1), energy[rows, levels].sum(-1)], axis=-1)

    problem = Problem(
        Part(
            space,
            tables={"memory_bytes": memory, "energy_j": energy},
            offsets={"memory_bytes": 0.0, "energy_j": 0.0},
            scores=scores * 1e-3,
        ),
        costs=costs,
        objectives=("drop", "memory_bytes", "energy_j"),
        budgets={"drop": 1.0},
        shared_error=SharedError.none(),  # every measurement draws its own images
        distances=distances * 1e-2 if low_fidelity_images else None,
    )
    uniform = tuple(Baseline(f"uniform-{b}", space.nearest_levels(b)) for b in (8, 6, 5, 4, 3, 2))
    return Simulation(replace(problem, baselines=uniform), terms, pairs, nll_terms, difficulty, low_fidelity_images)
