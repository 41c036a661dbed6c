"""What a search is measured against on simulated networks: an oracle that draws from the true front."""

from __future__ import annotations

import numpy as np
from simulated_network import Simulation

DROP_LIMIT = 10.0  # points


def oracle(simulation: Simulation, seed: int, counts: list[int], draws: int = 5) -> list[float]:
    """Shares of the best hypervolume of the baselines and random designs of the true front, `counts` together."""
    rng = np.random.default_rng([seed, 11])
    first = np.array([b.levels for b in simulation.problem.baselines])
    front = simulation.best_known
    front = front[simulation.drop(front) <= DROP_LIMIT]
    shares = np.zeros((draws, len(counts)))
    for row in shares:
        order = rng.permutation(len(front))
        for i, count in enumerate(counts):
            row[i] = simulation.share(np.vstack([first, front[order[: max(count - len(first), 0)]]]))
    return [float(x) for x in shares.mean(axis=0)]
