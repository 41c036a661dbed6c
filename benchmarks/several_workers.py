"""What several workers lose in quality, as each proposes without knowing what the others are measuring.

    OMP_NUM_THREADS=1 python benchmarks/several_workers.py [--workers 4] [--evaluations 100] [--seeds 20]

Searches of the default strategy on simulated networks whose true drop is known (benchmarks/simulated_network.py, 56
groups), by one worker and by several, who claim their trials as workers of a search do: own samplers, proposals under
way, results in the order in which they end. Evaluations take random times that scatter by 30 %. The hypervolume is that
of the true values of all evaluated designs, as a share of the best known front. Prints its loss by seed, and the mean
with the upper end of a 95 % interval (one-sided, paired by seed, t distribution), and ends with one line of JSON.
"""

import argparse
import json
import time

import numpy as np
import optuna
from optuna.trial import TrialState
from scipy.stats import t as student
from simulated_network import Simulation, simulate

from dse import strategies
from dse.exploration.claims import Claim, Claims
from dse.exploration.study import quiet_optuna
from dse.ledger.attributes import Said, end

IMAGES = 1000
SCATTER = 0.3  # of the logarithm of an evaluation's time
ALLOWED = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--groups", type=int, default=56)
    parser.add_argument("--strategy", default="posterior")
    options = parser.parse_args()
    before, losses = time.process_time(), []
    for seed in range(options.seeds):
        simulation = simulate(seed, low_fidelity_images=0, groups=options.groups)
        one, several = (
            share(simulation, options.strategy, seed, count, options.evaluations) for count in (1, options.workers)
        )
        losses.append(one - several)
        print(f"seed {seed}: 1 worker {one:.4f}, {options.workers} workers {several:.4f}", flush=True)
    mean, bound = mean_with_bound(np.array(losses))
    print(f"mean loss {mean:+.4f}, upper 95 % bound {bound:+.4f}; allowed {ALLOWED}")
    result = {"benchmark": "several_workers", **vars(options), "loss": mean, "loss_upper_95": bound}
    print(json.dumps(result | {"within": bound <= ALLOWED, "cpu_s": round(time.process_time() - before, 1)}))


def mean_with_bound(losses: np.ndarray) -> tuple[float, float]:
    """The mean of paired losses and the upper end of its one-sided 95 % interval."""
    error = float(losses.std(ddof=1)) / len(losses) ** 0.5
    return float(losses.mean()), float(losses.mean() + student.ppf(0.95, len(losses) - 1) * error)


def share(simulation: Simulation, strategy: str, seed: int, workers: int, evaluations: int) -> float:
    """Hypervolume of one search as a share of the best known front's."""
    with quiet_optuna():
        study = optuna.create_study(directions=["minimize"] * 3)
        levels = searched(simulation, study, strategy, seed, workers, evaluations)
    return simulation.share(levels)


def searched(
    simulation: Simulation, study: optuna.Study, strategy: str, seed: int, workers: int, evaluations: int
) -> np.ndarray:
    """Designs in the order in which they were proposed, (N, D)."""
    problem, clock = simulation.problem, np.random.default_rng([seed, workers, 11])
    crew = [Claims(problem, strategy, strategies.load(strategy)(problem, seed)) for _ in range(workers)]
    under_way: dict[int, tuple[float, Claim]] = {}
    now, levels = 0.0, []
    while True:
        for number, claims in enumerate(crew):
            if number in under_way or len(levels) >= evaluations:
                continue
            study.sampler = claims.sampler
            claim = claims.claim(study, evaluations, claims.wanted(study.get_trials(deepcopy=False)))
            assert claim is not None
            levels.append(claim.levels)
            under_way[number] = now + float(np.exp(SCATTER * clock.normal())), claim
        if not under_way:
            return np.array(levels)
        number = min(under_way, key=lambda each: under_way[each][0])
        now, claim = under_way.pop(number)
        finish(simulation, claim, seed)


def finish(simulation: Simulation, claim: Claim, seed: int) -> None:
    """Measure a design and end its trial."""
    problem = simulation.problem
    seen = simulation.measure(claim.levels, IMAGES, np.random.default_rng([seed, claim.trial.number, 7]))
    names = ("drop", "drop_stderr", "nll_delta", "nll_stderr", "changed", "images")
    record = {name: float(getattr(seen, name)) for name in names}
    values = [record["drop"], *map(float, problem.costs(claim.levels[None])[0])]
    end(claim.trial, Said({"evaluation": record, "drop": record["drop"]}, state=TrialState.COMPLETE, values=values))
    claim.renewal.__exit__(None, None, None)


if __name__ == "__main__":
    main()
