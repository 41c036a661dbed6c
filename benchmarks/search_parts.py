"""The single measurements of benchmarks/search.py on simulated networks: one search, one pick, the time of one ask."""

import time
from dataclasses import replace

import numpy as np
import optuna

from dse import recommend, strategies
from dse.problem import Problem
from dse.simulator import Simulation, simulate
from dse.space import Dimension, Space
from dse.strategies import history
from dse.strategies import posterior as engine
from dse.strategies.seeding import seed_trial
from dse.study import quiet_optuna

IMAGES = 1000
# strategies that read one-at-a-time distances (groups at 2 and 4 bits, 128 images each), and pay for them
WITH_DISTANCES = frozenset({"posterior", "ilp"})
SCORES_ALONE = "-scores"  # behind a strategy's name: without distances
LOW_FIDELITY = 128
FINEST = 1e-4  # smaller rises of the curve are not kept


def search(
    strategy: str, seed: int, evaluations: int, low_fidelity: int
) -> tuple[Simulation, optuna.Study, list[float], float]:
    """One search: the simulation, its study, seconds of every ask and evaluations paid before the first design."""
    simulation = simulate(seed, low_fidelity_images=low_fidelity)
    problem = simulation.problem
    paid = 2 * len(problem.space.dimensions) * low_fidelity / IMAGES
    study = optuna.create_study(
        directions=["minimize"] * 3, sampler=strategies.load(strategy.removesuffix(SCORES_ALONE))(problem, seed)
    )
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


def curve(strategy: str, seed: int, evaluations: int) -> dict[str, object]:
    """Share of the best known true hypervolume against evaluations, as [evaluations, share] where it rises."""
    low_fidelity = LOW_FIDELITY if strategy in WITH_DISTANCES else 0
    with quiet_optuna():
        simulation, study, asks, paid = search(strategy, seed, evaluations, low_fidelity)
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
        "steps": steps,
        "ask_ms": 1000 * float(np.median(asks or [0.0])),
        "ask_ms_worst": 1000 * float(np.max(asks or [0.0])),
    }


def pick(seed: int, evaluations: int) -> dict[str, object]:
    """Truth of the pick of one seed: true drop, memory over the optimum, and coverage of the 95 % intervals.

    The pick is "least memory with drop <= 1 point" by the posterior of all measurements; the optimum is the least
    memory known for a true drop within the budget.
    """
    with quiet_optuna():
        simulation, study, _, _ = search("posterior", seed, evaluations, LOW_FIDELITY)
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
        "kind": "pick",
        "seed": seed,
        "evaluations": evaluations,
        "drop": float(simulation.drop(answer.levels)),
        "predicted": answer.drop,
        "predicted_sd": answer.drop_sd,
        "over": memory / simulation.least_memory(1.0)[1] - 1,
        "coverage": float(inside.mean()),
    }


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
    tables = {name: table[index] for name, table in problem.tables.items()}
    rows = np.arange(len(index))

    def costs(levels: np.ndarray) -> np.ndarray:
        return np.stack([tables[name][rows, levels].sum(-1) for name in ("memory_bytes", "energy_j")], axis=-1)

    return replace(problem, space=space, tables=tables, costs=costs, scores=problem.scores[index], distances=None)
