"""What a search could still gain: fronts of the true harms with an error, and of the model after so many measurements.

    OMP_NUM_THREADS=1 python benchmarks/search_limits.py [--seed 0] [--evaluations 100]

True hypervolume as a share of the best known, on the simulated network of benchmarks/search.py.  `known`: the front of
the true harms, additive part alone, with each layer's multiplied by a log-normal error.  `model`: after so many
measurements, the measured designs, the whole front of the fitted model's mean, the oracle of benchmarks/search.py, and
the standard deviation of the logarithms of the model's harms over the true ones, per layer at 2 to 5 bits, without a
common factor.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import search_parts
from numpy.typing import NDArray
from search_rivals import oracle
from simulated_network import Simulation, simulate

from dse.exploration.study import quiet_optuna
from dse.optimize import lagrangian
from dse.strategies.base import history
from dse.surrogate import belief

ERRORS = (0.6, 0.45, 0.3, 0.2, 0.1, 0.0)
PRICES, REPEATS = 400, 3
COUNTS = (20, *search_parts.ORACLE_AT)


def share_of_front(simulation: Simulation, harm: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The true share of the designs that are best by a table of harms (D, B) at random prices."""
    costs = simulation.problem.whole.cost_tables
    prices = lagrangian.draw_prices(rng, harm, costs, PRICES)
    return simulation.share(np.unique(lagrangian.minimisers(harm, costs, prices), axis=0))


def known(seed: int) -> dict[str, float]:
    """Shares by the error of the layers' harms."""
    simulation, rng = simulate(seed, low_fidelity_images=0), np.random.default_rng(5)
    shares = {}
    for error in ERRORS:
        factors = np.exp(error * rng.normal(size=(REPEATS, len(simulation.terms), 1)))
        found = [share_of_front(simulation, simulation.summands * factor, rng) for factor in factors]
        shares[f"{error:g}"] = float(np.mean(found))
    return shares


def model(seed: int, evaluations: int) -> list[dict[str, float]]:
    """Shares after so many measurements of one search by `posterior`."""
    with quiet_optuna():
        simulation, study, _, _ = search_parts.search("posterior", seed, evaluations)
    past, rng = history.read(study, simulation.problem), np.random.default_rng(0)
    rows = []
    for count in (c for c in COUNTS if c <= evaluations):
        tables = belief(simulation.problem, history.measurements(past).first(count)).centre.tables[0]
        apart = np.log(np.maximum(tables, 1e-12) / simulation.summands)[:, :4]
        rows.append(
            {
                "measurements": count,
                "measured": simulation.share(past.levels[:count]),
                "front": share_of_front(simulation, tables, rng),
                "oracle": oracle(simulation, seed, [count])[0],
                "error": float(apart.mean(axis=1).std()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print both tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluations", type=int, default=100)
    options = parser.parse_args()
    shares = known(options.seed)
    print("error of the harms: share of the front", shares, flush=True)
    rows = model(options.seed, options.evaluations)
    print(json.dumps({"benchmark": "search_limits", **vars(options), "known": shares, "model": rows}))


if __name__ == "__main__":
    main()
