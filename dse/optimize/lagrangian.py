"""Exact fronts of separable problems: a harm and costs that add up over dimensions.

A Lagrangian sweep finds every supported point of a front in microseconds each: the source of proposals.
`dse.optimize.integer_program` reaches the points between them, one at a time.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.constraints import Sides, obeyed
from dse.problem.space import Space

WIDTH_SETS = 24  # random sets of widths that share the prices, where only so many different widths are allowed


def gather(table: FloatArray, levels: IntArray) -> FloatArray:
    """Sum of a (D, B) table over the dimensions at levels (..., D) -> (...)."""
    return np.asarray(table[np.arange(table.shape[0]), levels].sum(-1))


def slopes(harm: FloatArray, cost: FloatArray) -> FloatArray:
    """Harm per unit of cost between neighbouring levels, the positive ones in ascending order."""
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = -np.diff(harm, axis=1) / np.diff(cost, axis=1)
    return np.asarray(np.sort(slope[np.isfinite(slope) & (slope > 0)]))


def minimisers(harm: FloatArray, costs: FloatArray, prices: FloatArray) -> IntArray:
    """Levels that minimise harm + sum over k of price k x cost k, dimension by dimension.

    harm: (D, B), +inf where a level does not exist; costs: (K, D, B); prices: (M, K) -> (M, D).
    Ties go to the narrower level. Everett 1963: each result is optimal for the costs that it has.
    """
    finite = np.where(np.isfinite(harm), costs, 0.0)
    total = harm[None] + np.tensordot(prices, finite, axes=(1, 0))  # (M, D, B)
    return np.asarray(total.argmin(-1), dtype=np.int64)


def constrained_minimisers(
    space: Space,
    sides: Sides,
    harm: FloatArray,
    costs: FloatArray,
    prices: FloatArray,
    rng: np.random.Generator,
) -> IntArray:
    """`minimisers` among the designs that keep the side constraints, (M', D) with M' at most M.

    Tied dimensions are minimised as one. At most k different widths: the prices are dealt out to random sets of k.
    """
    weights = np.array([d.kind == "weight" for d in space.dimensions])
    widths = np.unique(space.choices[weights] if sides.allowed is None else np.array(sides.allowed))
    most = min(sides.max_widths or len(widths), len(widths))
    sets = np.array(list(combinations(widths, most)))
    sets = rng.permutation(sets)[:WIDTH_SETS]
    harm, costs = harm.copy(), costs.copy()
    for group in sides.equal:
        rows = [space.names.index(name) for name in group]
        harm[rows], costs[:, rows] = harm[rows].sum(0), costs[:, rows].sum(1, keepdims=True)
    found = []
    for i, chosen in enumerate(sets):
        table = np.where(weights[:, None] & ~np.isin(space.choices, chosen), np.inf, harm)
        if np.isfinite(table).any(axis=1).all():
            found.append(minimisers(table, costs, prices[i :: len(sets)]))
    levels = np.vstack(found) if found else np.zeros((0, len(weights)), dtype=np.int64)
    return levels[obeyed(space, sides, levels)]


def price_grid(harm: FloatArray, costs: FloatArray, mixes: int = 13, steps: int = 60) -> FloatArray:
    """Prices (M, K) that sweep the whole front of one or two costs: all mixtures, from free to dear.

    Each cost is priced in units of its whole range, and the scale runs over all slopes that occur.
    """
    ranges = _ranges(harm, costs)
    share = np.linspace(0.0, 1.0, mixes)
    mixtures = np.stack([share, 1 - share], axis=-1) if len(costs) == 2 else np.ones((1, 1))
    found = np.concatenate([slopes(harm, c / r) for c, r in zip(costs, ranges, strict=True)])
    if not len(found):
        return np.zeros((1, len(costs)))
    scale = np.geomspace(found[0] / 2, found[-1] * 2, steps)
    prices = scale[:, None, None] * mixtures[None] / ranges
    return np.asarray(prices.reshape(-1, len(costs)))


def draw_prices(rng: np.random.Generator, harm: FloatArray, costs: FloatArray, count: int) -> FloatArray:
    """Random prices (count, K): log-uniform over the slopes that occur, mixtures uniform over the costs."""
    ranges = _ranges(harm, costs)
    found = np.concatenate([slopes(harm, c / r) for c, r in zip(costs, ranges, strict=True)])
    if not len(found):
        return np.zeros((count, len(costs)))
    scale = np.exp(rng.uniform(np.log(found[0] / 2), np.log(found[-1] * 2), size=(count, 1)))
    return np.asarray(scale * rng.dirichlet(np.ones(len(costs)), size=count) / ranges)


def _ranges(harm: FloatArray, costs: FloatArray) -> FloatArray:
    exists = np.isfinite(harm)
    spread = np.where(exists, costs, -np.inf).max(-1) - np.where(exists, costs, np.inf).min(-1)
    return np.asarray(np.maximum(spread.sum(-1), 1e-300))


def front(harm: FloatArray, costs: FloatArray, prices: FloatArray | None = None) -> IntArray:
    """Distinct designs on the lower convex hull of (harm, costs), (N, D), by ascending first cost."""
    levels = np.unique(minimisers(harm, costs, price_grid(harm, costs) if prices is None else prices), axis=0)
    return levels[np.argsort(gather(costs[0], levels), kind="stable")]
