"""All strategies on simulated networks whose true drop is known: evaluations against true hypervolume, and picks.

    python benchmarks/search.py [--strategies posterior nsga2 tpe ...] [--budgets 50 100 200 500] [--seeds 5]
                                [--pick-seeds 40] [--pick-evaluations 150] [--processes 1]

Every strategy starts from the same uniform widths and is charged for all of its images: one evaluation is 1000
images, and where one-at-a-time distances are used (groups at 2 and 4 bits, 128 images each) they are paid first.
Hypervolume is that of the true values of all evaluated designs, as a share of the best known front (sdtv2_8_512,
56 groups, drop up to 10 points). Picks are "least memory with drop <= 1 point" by the posterior of all measurements.
Ends with one line of JSON.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
import optuna

from dse import recommend, strategies
from dse.simulator import Simulation, simulate
from dse.strategies import history
from dse.strategies import posterior as engine
from dse.strategies.seeding import seed_trial
from dse.study import quiet_optuna

IMAGES = 1000
TARGETS = (0.95, 0.98)
# strategies that read one-at-a-time distances, and pay for them
WITH_DISTANCES = frozenset({"posterior", "ilp"})


def search(
    strategy: str, seed: int, evaluations: int, low_fidelity: int
) -> tuple[Simulation, optuna.Study, list[float], float]:
    """One search: the simulation, its study, seconds of every ask and evaluations paid before the first design."""
    simulation = simulate(seed, low_fidelity_images=low_fidelity)
    problem = simulation.problem
    paid = 2 * len(problem.space.dimensions) * low_fidelity / IMAGES
    study = optuna.create_study(directions=["minimize"] * 3, sampler=strategies.load(strategy)(problem, seed))
    space, asks = problem.space.distributions(), []
    for number in range(int(evaluations - paid)):
        before = time.perf_counter()
        if number < len(problem.baselines):
            trial = seed_trial(study, problem.space.params(problem.baselines[number].levels), space)
        else:
            trial = study.ask(space)
            asks.append(time.perf_counter() - before)
        levels = problem.space.levels(trial.params)
        seen = simulation.measure(levels, IMAGES, np.random.default_rng([seed, trial.number, 7]))
        for name in ("drop", "drop_stderr", "nll_delta", "nll_stderr", "changed", "images"):
            trial.set_user_attr(name, getattr(seen, name))
        study.tell(trial, [seen.drop, *problem.costs(levels[None])[0]])
    return simulation, study, asks, paid


def hypervolumes(task: tuple[str, int, list[int]]) -> dict[str, object]:
    """Share of the best known true hypervolume at every budget, evaluations to the targets, and ask times."""
    strategy, seed, budgets = task
    low_fidelity = 128 if strategy in WITH_DISTANCES else 0
    with quiet_optuna():
        simulation, study, asks, paid = search(strategy, seed, max(budgets), low_fidelity)
    levels = np.array([simulation.problem.space.levels(t.params) for t in study.get_trials(deepcopy=False)])
    front, curve = levels[:0], []
    for row in levels:
        front = np.vstack([front, row[None]])
        curve.append(simulation.share(front))
    curve_array = np.array(curve)

    def at(budget: int) -> float:
        return float(curve_array[max(int(budget - paid), 1) - 1])

    def first(share: float) -> float | None:
        reached = np.flatnonzero(curve_array >= share)
        return float(reached[0] + 1 + paid) if len(reached) else None

    return {
        "strategy": strategy,
        "seed": seed,
        "at": {b: at(b) for b in budgets},
        "to": {f"{t:.0%}": first(t) for t in TARGETS},
        "ask_ms": 1000 * float(np.median(asks or [0.0])),
        "ask_ms_worst": 1000 * float(np.max(asks or [0.0])),
        "curve": curve_array.tolist(),
        "paid": paid,
    }


def pick(task: tuple[int, int]) -> dict[str, float]:
    """Truth of the pick of one seed: true drop, memory over the optimum, and coverage of the 95 % intervals."""
    seed, evaluations = task
    with quiet_optuna():
        simulation, study, _, _ = search("posterior", seed, evaluations, 128)
    problem = simulation.problem
    past = history.read(study, problem)
    posterior = engine.sampler(problem, 0).posterior(past)
    mean, sd = posterior.predict(past.levels)
    true = simulation.drop(past.levels)
    near = true <= 10
    inside = np.abs(mean - true)[near] <= 1.959964 * sd[near]
    answer = recommend.cheapest(problem, posterior)
    memory = float(problem.additive("memory_bytes", answer.levels))
    return {
        "drop": float(simulation.drop(answer.levels)),
        "over": memory / simulation.least_memory(1.0)[1] - 1,
        "coverage": float(inside.mean()),
    }


def median(values: list[float | None]) -> float | None:
    """The median where a search that never arrives counts as infinite; None when the median never arrives."""
    middle = float(np.median([np.inf if v is None else v for v in values]))
    return middle if np.isfinite(middle) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", nargs="+", default=list(strategies.names()))
    parser.add_argument("--budgets", nargs="+", type=int, default=[50, 100, 200, 500])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pick-seeds", type=int, default=40)
    parser.add_argument("--pick-evaluations", type=int, default=150)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    result: dict[str, object] = {"benchmark": "search", "images_per_evaluation": IMAGES, "seeds": options.seeds}
    tasks = [(s, seed, options.budgets) for s, seed in product(options.strategies, range(options.seeds))]
    with ProcessPoolExecutor(options.processes) as pool:
        found: dict[str, list[dict[str, object]]] = {}
        print(
            "strategy        " + "".join(f"{b:>8}" for b in options.budgets) + "   to 95 %   to 98 %   ask ms",
            flush=True,
        )
        for one in pool.map(hypervolumes, tasks):
            runs = found.setdefault(str(one["strategy"]), [])
            runs.append(one)
            if len(runs) == options.seeds:
                _show(str(one["strategy"]), runs, options.budgets)
        result["strategies"] = {name: _summary(runs, options.budgets) for name, runs in found.items()}
        result["against_samplers"] = _ratios(found, max(options.budgets))
        for name, ratio in result["against_samplers"].items():
            print(f"{name}: {ratio}")
        if options.pick_seeds:
            picks = list(pool.map(pick, [(100 + s, options.pick_evaluations) for s in range(options.pick_seeds)]))
            drops, over = np.array([p["drop"] for p in picks]), np.array([p["over"] for p in picks])
            result["picks"] = {
                "evaluations": options.pick_evaluations,
                "seeds": options.pick_seeds,
                "within_1_point": float((drops <= 1.0).mean()),
                "true_drop": {"mean": float(drops.mean()), "worst": float(drops.max())},
                "memory_over_optimum": {"mean": float(over.mean()), "worst": float(over.max())},
                "coverage": float(np.mean([p["coverage"] for p in picks])),
            }
            print(f"picks: {json.dumps(result['picks'])}")
    print(json.dumps(result))


def _summary(runs: list[dict[str, object]], budgets: list[int]) -> dict[str, object]:
    return {
        "hypervolume": {b: float(np.mean([r["at"][b] for r in runs])) for b in budgets},
        "evaluations_to": {t: median([r["to"][t] for r in runs]) for t in ("95%", "98%")},
        "ask_ms": float(np.median([r["ask_ms"] for r in runs])),
        "ask_ms_worst": float(np.max([r["ask_ms_worst"] for r in runs])),
    }


def _show(name: str, runs: list[dict[str, object]], budgets: list[int]) -> None:
    row = _summary(runs, budgets)
    shares = "".join(f"{row['hypervolume'][b]:>8.3f}" for b in budgets)
    arrivals = "".join(f"{'never' if v is None else format(v, '.0f'):>10}" for v in row["evaluations_to"].values())
    print(f"{name:<16}{shares}{arrivals}{row['ask_ms']:>9.0f}", flush=True)


def _ratios(found: dict[str, list[dict[str, object]]], budget: int) -> dict[str, float | None]:
    """How many times fewer evaluations `posterior` needs for what the better of NSGA-II and TPE reaches at the end."""
    rivals = [name for name in ("nsga2", "tpe") if name in found]
    if "posterior" not in found or not rivals:
        return {}
    needed = []
    for i, run in enumerate(found["posterior"]):
        bar = max(found[name][i]["at"][budget] for name in rivals)
        reached = np.flatnonzero(np.array(run["curve"]) >= bar)
        needed.append(float(reached[0] + 1 + float(run["paid"])) if len(reached) else None)
    middle = median(needed)
    return {"evaluations_needed": middle, "times_fewer": None if middle is None else budget / middle}


if __name__ == "__main__":
    main()
