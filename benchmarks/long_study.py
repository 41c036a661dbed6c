"""A study of thousands of trials: how long it takes to open, to ask, to tell.

    OMP_NUM_THREADS=1 python benchmarks/long_study.py [--trials 5000] [--groups 56] [--asks 50]

Random designs of a simulated network (benchmarks/simulated_network.py) are written to a journal as a search does.
Then the study is opened by a new reader, and the default strategy asks, measures and tells: a full circle of refits.
Times are the processor's, which other work on the machine does not change. Prints them and ends with one line of JSON.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState, create_trial
from several_workers import IMAGES, finish
from simulated_network import Simulation, simulate

from dse import strategies
from dse.exploration.claims import Claims
from dse.exploration.study import open_study, quiet_optuna
from dse.ledger import JOURNAL, proposals
from dse.ledger.leases import LEASE, new_lease


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--groups", type=int, default=56)
    parser.add_argument("--asks", type=int, default=50)
    options = parser.parse_args()
    simulation = simulate(0, low_fidelity_images=0, groups=options.groups)
    with tempfile.TemporaryDirectory() as name, quiet_optuna():
        fill(open_study(Path(name), {}), simulation, options.trials)
        before = time.process_time()
        study = open_study(Path(name), {})
        study.get_trials(deepcopy=False)
        opened = time.process_time() - before
        asks, tells = asked(study, simulation, options.asks)
        size = (Path(name) / JOURNAL).stat().st_size
    result = {
        "benchmark": "long_study",
        **vars(options),
        "journal_bytes": size,
        "open_s": opened,
        "first_ask_s": asks[0],
        "ask_median_s": float(np.median(asks[1:])),
        "ask_worst_s": float(max(asks[1:])),
        "tell_median_s": float(np.median(tells)),
    }
    for key, value in result.items():
        if key.endswith("_s"):
            print(f"{key.removesuffix('_s').replace('_', ' '):12}{1e3 * value:10.0f} ms")
    print(json.dumps(result))


def fill(study: optuna.Study, simulation: Simulation, count: int) -> None:
    """Finished trials with random designs, as a search leaves them."""
    problem, rng, lease = simulation.problem, np.random.default_rng(0), new_lease()
    names = ("drop", "drop_stderr", "nll_delta", "nll_stderr", "changed", "images")
    trials = []
    for _ in range(count):
        levels = rng.integers(int(rng.integers(0, 4)), problem.space.sizes)
        seen = simulation.measure(levels, IMAGES, rng)
        record = {name: float(getattr(seen, name)) for name in names}
        said = {LEASE: lease, **proposals.said(levels, problem.space, "posterior")}
        values = [record["drop"], *map(float, problem.costs(levels[None])[0])]
        told = said | {"evaluation": record, "drop": record["drop"], "repeat": False}
        trials.append(create_trial(state=TrialState.COMPLETE, values=values, user_attrs=told))
    study.add_trials(trials)


def asked(study: optuna.Study, simulation: Simulation, count: int) -> tuple[list[float], list[float]]:
    """Seconds of the processor of every proposal and of every result."""
    problem = simulation.problem
    study.sampler = sampler = strategies.load("posterior")(problem, 0)
    claims, asks, tells = Claims(problem, "posterior", sampler), list[float](), list[float]()
    for _ in range(count):
        marks = [time.process_time()]
        claim = claims.claim(study, 10**9, None)
        marks.append(time.process_time())
        assert claim is not None
        finish(simulation, claim, 0)
        marks.append(time.process_time())
        asks.append(marks[1] - marks[0])
        tells.append(marks[2] - marks[1])
    return asks, tells


if __name__ == "__main__":
    main()
