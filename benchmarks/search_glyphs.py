"""Strategies against each other on a real network: fronts found on the search images, judged on images no search saw.

The measured front of every search is taken at several numbers of evaluations, and its designs are measured again on
the verification images; hypervolume is that of these second measurements, up to 10 points of drop and the costs of the
widest design, as a share of the best known front: the non-dominated part of everything judged in all runs.
One evaluation is one pass over the search images; the gradient scores are charged as three passes over their images,
the chaos floor, which `posterior` reads, and one-at-a-time distances, which `posterior+distances` reads as well, with
every image they took.  `--reference N` adds one long search, for the best known front alone.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import optuna
from search_parts import DISTANCES

from dse import strategies
from dse.config.schema import Config, Data
from dse.evaluation.distances import measure_distances
from dse.evaluation.prepare import goals, prepare
from dse.exploration.build_problem import build_problem
from dse.exploration.loop import Loop
from dse.exploration.study import evaluated, quiet_optuna
from dse.ledger.proposals import levels_of
from dse.optimize import pareto
from dse.problem.shared_error import SharedError

MOST_DROP = 10.0  # points
TARGETS = (0.95, 0.98)  # shares of the best known hypervolume
BACKWARD = 3  # passes that a forward and a backward pass count as
REFERENCE = "reference"  # a search by `posterior` that no row of the table shows
Run = dict[str, object]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the part that needs a real network."""
    parser.add_argument("--data", default="glyphs", help="glyphs or digits")
    parser.add_argument("--evaluations", type=int, default=200, help="per search of the part glyphs")
    parser.add_argument("--every", type=int, default=20, help="evaluations between two fronts that are judged")
    parser.add_argument("--search-images", type=int, default=2016)
    parser.add_argument("--judge-images", type=int, default=20_016)
    parser.add_argument("--reference", type=int, help="evaluations of one long search for the best known front")


def measure(options: argparse.Namespace, runs: list[Run]) -> list[Run]:
    """The runs that are not known yet, each appended to the file of runs when it is finished."""
    names = options.strategies or ["posterior", "nsga2", "tpe"]
    known = {_key(r) for r in runs if r["kind"] == "glyphs"}
    tasks = [(s, seed, options.evaluations) for seed in range(options.seeds) for s in names]
    if options.reference:
        tasks.append((REFERENCE, 0, options.reference))
    setting = [options.data, options.search_images, options.judge_images]
    tasks = [task for task in tasks if (*task, *setting) not in known]
    if not tasks:
        return []
    data = Data(name=options.data, search_images=options.search_images, verify_images=options.judge_images)
    config = Config(checkpoint=f"sdtv2_tiny_{options.data}", data=data)
    experiment = prepare(config)
    costing = experiment.costing()
    chaos = experiment.chaos_floor()
    shared_error = SharedError.of(chaos, len(experiment.images))
    fisher, wanted = experiment.fisher(experiment.widths), goals(config, experiment.space)
    problem = build_problem(experiment, costing, fisher, wanted, shared_error=shared_error)
    judge = experiment.evaluator(experiment.source.load("verify", options.judge_images))
    widest = problem.costs((problem.space.sizes - 1)[None])[0]
    gradients = BACKWARD * data.fisher_images / options.search_images
    floor = chaos.images * (chaos.copies + 1) / options.search_images
    opinion = measure_distances(experiment) if any(name.endswith(DISTANCES) for name, *_ in tasks) else None

    @cache
    def judged(levels: tuple[int, ...]) -> list[float]:
        design = problem.space.design(np.array(levels))
        values = costing.quantities(design, judge(design))
        return [values[name] for name in problem.objectives]

    new: list[Run] = []
    for strategy, seed, evaluations in tasks:
        evaluator = experiment.evaluator(experiment.images)
        name = "posterior" if strategy == REFERENCE else strategy.removesuffix(DISTANCES)
        posed, paid = problem, gradients + (floor if name == "posterior" else 0.0)
        if opinion is not None and strategy.endswith(DISTANCES):
            posed = replace(problem, distances=opinion.distances)
            paid += opinion.images / options.search_images
        sampler = strategies.load(name)(posed, seed)
        asking = Stopwatch()
        for method in ("sample_relative", "sample_independent"):
            setattr(sampler, method, asking.of(getattr(sampler, method)))
        with quiet_optuna():
            study = optuna.create_study(directions=["minimize"] * 3)
        loop = Loop(posed, evaluator, costing.quantities, name, sampler)
        loop.run(study, int(evaluations - paid))
        fronts = []
        trials = evaluated(study)
        spent = paid + np.cumsum([t.user_attrs["images_run"] for t in study.get_trials(deepcopy=False)]) / len(
            experiment.images
        )
        every = evaluations if strategy == REFERENCE else options.every
        for count in range(every, evaluations + every, every):
            part = [t for t in trials if spent[t.number] <= count]
            if not part:
                continue
            values = np.array([t.values for t in part])
            keep = pareto.is_nondominated(values) & (values[:, 0] <= MOST_DROP)
            designs = [levels_of(t, problem.space) for t, kept in zip(part, keep, strict=True) if kept]
            fronts.append([count, [judged(tuple(int(v) for v in x)) for x in designs]])
        run: Run = {"kind": "glyphs", "strategy": strategy, "seed": seed, "data": options.data}
        run |= {"evaluations": evaluations, "images": options.search_images, "judged": options.judge_images}
        run |= {"corner": [MOST_DROP, *map(float, widest)], "ask_ms": 1000 * asking.seconds / len(trials)}
        run |= {"paid": paid, "fronts": fronts}
        new.append(run)
        if options.runs is not None:
            with options.runs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
        print(f"{strategy} seed {seed}: {len(trials)} designs, {len(fronts[-1][1])} on the last front", flush=True)
    return new


class Stopwatch:
    """Seconds spent in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def of(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*arguments: Any) -> Any:
            before = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.perf_counter() - before

        return timed


def _key(run: Run) -> tuple[object, ...]:
    return run["strategy"], run["seed"], run["evaluations"], run["data"], run["images"], run["judged"]


def summary(runs: list[Run]) -> dict[str, object]:
    """Share of the best known hypervolume at every number of evaluations, and evaluations to 95 %, per strategy."""
    if not runs:
        return {}
    corner = np.array(runs[0]["corner"])
    everything = np.array([p for r in runs for _, front in r["fronts"] for p in front])
    best = pareto.hypervolume(everything, corner)
    table: dict[str, object] = {}
    print("\njudged on unseen images: share of the best known hypervolume")
    for name in dict.fromkeys(str(r["strategy"]) for r in runs if r["strategy"] != REFERENCE):
        mine = [r for r in runs if r["strategy"] == name]
        shares: dict[int, list[float]] = {}
        arrivals: dict[float, list[float]] = {share: [] for share in TARGETS}
        for run in mine:
            curve = [(c, pareto.hypervolume(np.array(f), corner) / best) for c, f in run["fronts"] if f]
            for count, share in curve:
                shares.setdefault(count, []).append(share)
            for target, found in arrivals.items():
                found.append(next((c for c, share in curve if share >= target), np.inf))
        middle = {f"{target:.0%}": float(np.median(found)) for target, found in arrivals.items()}
        reached = {target: count if np.isfinite(count) else None for target, count in middle.items()}
        row = {count: float(np.mean(values)) for count, values in sorted(shares.items())}
        ask = float(np.median([r["ask_ms"] for r in mine if "ask_ms" in r] or [np.nan]))
        table[name] = {
            "seeds": len(mine),
            "hypervolume": row,
            "evaluations_to": reached,
            "ask_ms": ask if np.isfinite(ask) else None,
        }
        found = "  ".join(f"{count}: {share:.3f}" for count, share in row.items())
        print(f"{name:<17} {len(mine)} seeds, evaluations to {reached}, {ask:.0f} ms per proposal;  {found}")
    rivals = {n: max(t["hypervolume"].values()) for n, t in table.items() if n in ("nsga2", "tpe")}
    fewer = None
    if "posterior" in table and rivals:
        bar = max(rivals.values())
        reached = [c for c, v in table["posterior"]["hypervolume"].items() if v >= bar]
        fewer = max(r["evaluations"] for r in runs if r["strategy"] in rivals) / min(reached) if reached else None
    return {"glyphs": {"data": runs[0]["data"], "strategies": table, "times_fewer": fewer}}
