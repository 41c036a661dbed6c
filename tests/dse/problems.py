"""Small search problems whose every design can be listed."""

import itertools
from dataclasses import replace

import numpy as np

from dse.problem.problem import Baseline, Part, Problem
from dse.problem.space import Dimension, Space


def space_of(widths_by_layer, blocks=None):
    dims = [
        Dimension(f"w:l{i}", "weight", tuple(widths), (f"l{i}",), blocks[i] if blocks else f"b{i // 2}")
        for i, widths in enumerate(widths_by_layer)
    ]
    return Space(tuple(dims), tuple(f"l{i}" for i in range(len(dims))))


def random_problem(seed, widths_by_layer, blocks=None, harms=None, **changes):
    """Log-normal layer sizes and sensitivities; harm falls fourfold per bit; memory is size x bits.

    `harms` (D, B) take the place of the scores.
    """
    rng = np.random.default_rng(seed)
    space = space_of(widths_by_layer, blocks)
    count, most = len(space.dimensions), int(space.sizes.max())
    size, work, sensitivity = (np.exp(rng.normal(size=count)) for _ in range(3))
    memory, energy, scores = (np.full((count, most), fill) for fill in (np.inf, np.inf, np.nan))
    for d, widths in enumerate(widths_by_layer):
        for b, width in enumerate(widths):
            memory[d, b] = size[d] * width
            energy[d, b] = work[d] * (1 + width)
            scores[d, b] = sensitivity[d] * 4.0**-width * np.exp(0.1 * rng.normal())
    rows = np.arange(count)

    def costs(levels):
        return np.stack([memory[rows, levels].sum(-1) + 5.0, 30.0 * (energy[rows, levels].sum(-1) + 1.0)], axis=-1)

    tables, offsets = {"memory_bytes": memory, "energy_j": energy}, {"memory_bytes": 5.0, "energy_j": 1.0}
    scores = scores if harms is None else harms
    problem = Problem(Part(space, tables, offsets, scores), costs=costs, budgets={"drop": 1.0})
    return replace(problem, **changes)


def uniform_baselines(problem):
    widths = sorted({w for d in problem.space.dimensions for w in d.choices}, reverse=True)
    return tuple(Baseline(f"uniform-{w}", problem.space.nearest_levels(w)) for w in widths)


def every_design(space):
    return np.array(list(itertools.product(*(range(n) for n in space.sizes))), dtype=np.int64)
