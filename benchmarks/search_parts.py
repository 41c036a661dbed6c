"""The single measurements of benchmarks/search.py on simulated networks: one search, one pick, the time of one ask."""

import time
from dataclasses import replace

import numpy as np
import optuna
from search_rivals import oracle
from simulated_network import CASES, Simulation, simulate

from dse import strategies
from dse.exploration.best_design import cheapest
from dse.exploration.study import quiet_optuna
from dse.optimize import lagrangian
from dse.problem.problem import Part, Problem
from dse.problem.space import Dimension, Space
from dse.strategies.base import history
from dse.strategies.base.seeding import seed_trial
from dse.surrogate import Posterior, belief, diagnose, learned

IMAGES = 1000
DISTANCES = "+distances"  # behind a strategy's name: it reads one-at-a-time distances as well, and pays for them
LOW_FIDELITY = 128  # images of each distance, groups at 2 and 4 bits
ORACLE_AT = [40, 60, 100, 200]  # evaluations
FINEST = 1e-4  # smaller rises of the curve are not kept


def search(
    strategy: str, seed: int, evaluations: int, case: str = "base"
) -> tuple[Simulation, optuna.Study, list[float], float]:
    """One search: the simulation, its study, seconds of every ask and evaluations paid before the first design."""
    low_fidelity = LOW_FIDELITY if strategy.endswith(DISTANCES) else 0
    difficulty, groups = CASES[case]
    simulation = simulate(seed, difficulty, low_fidelity, groups)
    problem = simulation.problem
    paid = 2 * len(problem.space.dimensions) * low_fidelity / IMAGES
    rule = strategies.load(strategy.removesuffix(DISTANCES))
    study = optuna.create_study(directions=["minimize"] * 3, sampler=rule(problem, seed))
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


def curve(strategy: str, seed: int, evaluations: int, case: str = "base") -> dict[str, object]:
    """Share of the best known true hypervolume against evaluations, as [evaluations, share] where it rises.

    `oracle` has the shares of as many random designs of the true front, at ORACLE_AT evaluations.
    """
    with quiet_optuna():
        simulation, study, asks, paid = search(strategy, seed, evaluations, case)
    levels = np.array([simulation.problem.space.levels(t.params) for t in study.get_trials(deepcopy=False)])
    steps: list[list[float]] = []
    for count in range(1, len(levels) + 1):
        share = simulation.share(levels[:count])
        if not steps or share > steps[-1][1] + FINEST:
            steps.append([count + paid, round(share, 6)])
    return {
        "kind": "curve",
        "strategy": strategy,
        "seed": seed,
        "evaluations": evaluations,
        "case": case,
        "steps": steps,
        "oracle": dict(zip(map(str, ORACLE_AT), oracle(simulation, seed, ORACLE_AT), strict=True)),
        "ask_ms": 1000 * float(np.median(asks or [0.0])),
        "ask_ms_worst": 1000 * float(np.max(asks or [0.0])),
    }


def pick(strategy: str, seed: int, evaluations: int, case: str = "base") -> dict[str, object]:
    """Truth of the pick of one seed: true drop, memory over the optimum, and coverage of the 95 % intervals.

    The pick is "least memory with drop <= 1 point" by the posterior of all measurements; the optimum is the least
    memory known for a true drop within the budget. Coverage is that of the true drops of the measured designs, and of
    designs that were not measured, on the fronts of four samples of the posterior.
    """
    with quiet_optuna():
        simulation, study, _, _ = search(strategy, seed, evaluations, case)
    problem = simulation.problem
    past = history.read(study, problem)
    posterior = belief(problem, history.measurements(past))
    drawn = [posterior.draw(np.random.default_rng([seed, i]), 1).tables[0] for i in range(4)]
    costs = problem.whole.cost_tables
    prices = [lagrangian.draw_prices(np.random.default_rng([seed, i, 1]), t, costs, 50) for i, t in enumerate(drawn)]
    fronts = np.vstack([lagrangian.minimisers(t, costs, p) for t, p in zip(drawn, prices, strict=True)])
    seen = past.seen()
    fronts = np.array([row for row in np.unique(fronts, axis=0) if history.key(row) not in seen])
    answer = cheapest(problem.whole, posterior, problem.budgets)
    memory = float(problem.whole.additive("memory_bytes", answer.levels))
    return {
        "kind": "pick",
        "case": case,
        "strategy": strategy,
        "seed": seed,
        "evaluations": evaluations,
        "drop": float(simulation.drop(answer.levels)),
        "predicted": answer.drop,
        "predicted_sd": answer.drop_sd,
        "over": memory / simulation.least_memory(1.0)[1] - 1,
        "coverage": _coverage(simulation, posterior, past.levels),
        "coverage_unmeasured": _coverage(simulation, posterior, fronts),
        "warned": bool(learned(posterior).warnings) or diagnose(posterior).warning is not None,
    }


def _coverage(simulation: Simulation, posterior: Posterior, levels: np.ndarray) -> float:
    """Share of designs with a true drop of at most 10 points whose 95 % interval holds it."""
    mean, sd = posterior.predict(levels)
    true = simulation.drop(levels)
    return float((np.abs(mean - true) <= 1.959964 * sd)[true <= 10].mean())


def ask_time(groups: int, trials: int, repeats: int = 15) -> dict[str, object]:
    """Milliseconds of a proposal by `posterior` in a space of so many groups after so many measurements."""
    simulation = simulate(0, low_fidelity_images=0)
    index = np.arange(groups) % len(simulation.terms)
    problem = _with_groups(simulation.problem, index)
    rng = np.random.default_rng(0)
    with quiet_optuna():
        study = optuna.create_study(directions=["minimize"] * 3, sampler=strategies.load("posterior")(problem, 0))
    space, terms = problem.space.distributions(), simulation.terms[index]
    least = rng.integers(0, 4, size=trials)
    for floor in least:
        levels = rng.integers(floor, problem.space.sizes)
        drop = float(78 * -np.expm1(-terms[np.arange(groups), levels].sum() / 78) + 0.5 * rng.normal())
        measured = {"drop": drop, "drop_stderr": 0.5, "nll_delta": 0.03 * drop, "nll_stderr": 0.02, "images": IMAGES}
        study.add_trial(
            optuna.trial.create_trial(
                params=problem.space.params(levels),
                distributions=space,
                values=[drop, *problem.costs(levels[None])[0]],
                user_attrs=measured,
            )
        )
    seconds = []
    for _ in range(repeats):
        before = time.perf_counter()
        trial = study.ask(space)
        seconds.append(time.perf_counter() - before)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    median, worst = 1000 * float(np.median(seconds)), 1000 * max(seconds)
    return {"kind": "ask", "groups": groups, "trials": trials, "ask_ms": median, "ask_ms_worst": worst}


def _with_groups(problem: Problem, index: np.ndarray) -> Problem:
    """The problem with its groups repeated or left out."""
    dims = [problem.space.dimensions[i] for i in index]
    space = Space(
        tuple(
            Dimension(f"w:g{i}", "weight", d.choices, (f"g{i}",), f"{d.block}.{i // 56}") for i, d in enumerate(dims)
        ),
        tuple(f"g{i}" for i in range(len(index))),
    )
    tables = {name: table[index] for name, table in problem.whole.tables.items()}
    rows = np.arange(len(index))

    def costs(levels: np.ndarray) -> np.ndarray:
        return np.stack([tables[name][rows, levels].sum(-1) for name in ("memory_bytes", "energy_j")], axis=-1)

    whole = Part(space, tables, problem.whole.offsets, problem.whole.scores[index])
    return replace(problem, whole=whole, parts=(), costs=costs, distances=None)
