"""What the judged constants of the search's model do: each at half and at double, on the same measurements.

    OMP_NUM_THREADS=1 python benchmarks/constants.py [--seeds 2] [--evaluations 60] [--case base]

Searches on simulated networks by `guided` give the measurements; the model is fitted to them again with one constant
changed, at the hyperparameters that the evidence chose for the usual constants.  Per constant: root mean square error
and coverage of the predicted drops on the true front (drops of at most 10 points), true drop of the pick "drop <= 1
point at 95 %", and its memory over the optimum.  Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
from search_parts import search
from simulated_network import Simulation

from dse.exploration.best_design import cheapest
from dse.exploration.study import quiet_optuna
from dse.optimize.integer_program import InfeasibleError
from dse.strategies.base import history
from dse.surrogate import belief, fit, likelihood, prior, prior_of
from dse.surrogate.likelihood import Data

PRIOR = (
    *("FISHER_ERROR", "SLOPE_ERROR", "JITTER", "SCALE_ERROR", "COMMON_SLOPE_ERROR", "CAP", "CAP_ERROR"),
    *("NLL_PER_POINT", "NLL_ERROR", "POWER_ERROR", "TRUST_ERROR", "EARLY_ERROR", "LATE_ERROR", "KNEE", "KNEE_ERROR"),
)
PLACES = dict.fromkeys(PRIOR, prior) | {"LEAST_OWN": likelihood}
MOST_DROP = 10.0  # points
HEAD = ("rms", "coverage", "pick_drop", "pick_over")


def judged(simulation: Simulation, data: Data, hyper: prior.Hyper, least: float) -> list[float]:
    """The figures of a fit with the constants as they are now."""
    model = fit(replace(prior_of(simulation.problem), hyper=hyper), data)
    front = simulation.best_known
    true = simulation.drop(front)
    front, true = front[true <= MOST_DROP], true[true <= MOST_DROP]
    mean, sd = model.predict(front)
    error = mean - true
    try:
        found = cheapest(simulation.problem.whole, model, simulation.problem.budgets)
    except InfeasibleError:
        found = None
    memory = simulation.problem.whole
    return [
        float(np.sqrt((error**2).mean())),
        float((np.abs(error) <= 1.959964 * sd).mean()),
        np.nan if found is None else float(simulation.drop(found.levels)),
        np.nan if found is None else float(memory.additive("memory_bytes", found.levels)) / least - 1,
    ]


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--case", default="base")
    options = parser.parse_args()
    worlds = []
    for seed in range(200, 200 + options.seeds):
        with quiet_optuna():
            simulation, study, _, _ = search("guided", seed, options.evaluations, options.case)
        data = history.measurements(history.read(study, simulation.problem))
        hyper = belief(simulation.problem, data).prior.hyper
        worlds.append((simulation, data, hyper, simulation.least_memory(1.0)[1]))
    rows = [{"constant": "as they are", "factor": 1.0} | _mean(worlds)]
    for name, place in PLACES.items():
        usual = getattr(place, name)
        for factor in (0.5, 2.0):
            setattr(place, name, factor * usual)
            rows.append({"constant": name, "factor": factor} | _mean(worlds))
            setattr(place, name, usual)
    for row in rows:
        print(f"{row['constant']:<20} x{row['factor']:<4g}" + "".join(f"{row[k]:>10.3f}" for k in HEAD), flush=True)
    print(json.dumps({"benchmark": "constants", **vars(options), "rows": rows}))


def _mean(worlds: list[tuple[Simulation, Data, prior.Hyper, float]]) -> dict[str, float]:
    return dict(zip(HEAD, np.mean([judged(*world) for world in worlds], axis=0).tolist(), strict=True))


if __name__ == "__main__":
    main()
