"""Strategies against each other on a real network: fronts found on the search images, judged on images no search saw.

The measured front of every search is taken at several numbers of evaluations, and its designs are measured again on
the verification images; hypervolume is that of these second measurements, up to 10 points of drop and the costs of the
widest design, as a share of the best known front: the non-dominated part of everything judged in all runs.
One evaluation is one pass over the search images; the gradient scores are charged as three passes over their images.
"""

import argparse
import json
from functools import cache

import numpy as np
import optuna

from dse import pareto, pipeline, strategies
from dse.config import Config, Data
from dse.study import Loop, evaluated, quiet_optuna
from dse.workbench import prepare

MOST_DROP = 10.0  # points
BACKWARD = 3  # passes that a forward and a backward pass count as
Run = dict[str, object]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the part that needs a real network."""
    parser.add_argument("--data", default="glyphs", help="glyphs or digits")
    parser.add_argument("--evaluations", type=int, default=200, help="per search of the part glyphs")
    parser.add_argument("--every", type=int, default=20, help="evaluations between two fronts that are judged")
    parser.add_argument("--search-images", type=int, default=2016)
    parser.add_argument("--judge-images", type=int, default=20_016)


def measure(options: argparse.Namespace, runs: list[Run]) -> list[Run]:
    """The runs that are not known yet, each appended to the file of runs when it is finished."""
    names = options.strategies or ["posterior", "nsga2", "tpe"]
    known = {_key(r) for r in runs if r["kind"] == "glyphs"}
    setting = [options.data, options.evaluations, options.search_images, options.judge_images]
    tasks = [(s, seed) for seed in range(options.seeds) for s in names if (s, seed, *setting) not in known]
    if not tasks:
        return []
    data = Data(name=options.data, search_images=options.search_images, verify_images=options.judge_images)
    bench = prepare(Config(checkpoint=f"sdtv2_tiny_{options.data}", data=data))
    costing = bench.costing()
    problem = pipeline.build_problem(bench, costing, bench.fisher(bench.config.search.widths))
    judge = bench.evaluator(bench.load("verify", options.judge_images))
    widest = problem.costs((problem.space.sizes - 1)[None])[0]
    paid = BACKWARD * data.fisher_images / options.search_images

    @cache
    def judged(levels: tuple[int, ...]) -> list[float]:
        design = problem.space.design(np.array(levels))
        values = costing.objectives(design, judge(design), problem.objectives)
        return [values[name] for name in problem.objectives]

    new: list[Run] = []
    for strategy, seed in tasks:
        evaluator = bench.evaluator(bench.images)
        sampler = strategies.load(strategy)(problem, seed)
        with quiet_optuna():
            study = optuna.create_study(directions=["minimize"] * 3)
        loop = Loop(problem, evaluator, costing, strategy, sampler)
        loop.run(study, options.evaluations)
        fronts = []
        trials = evaluated(study)
        spent = paid + np.cumsum([t.user_attrs["images_run"] for t in study.get_trials(deepcopy=False)]) / len(
            bench.images
        )
        for count in range(options.every, options.evaluations + options.every, options.every):
            part = [t for t in trials if spent[t.number] <= count]
            if not part:
                continue
            values = np.array([t.values for t in part])
            keep = pareto.is_nondominated(values) & (values[:, 0] <= MOST_DROP)
            designs = [problem.space.levels(t.params) for t, kept in zip(part, keep, strict=True) if kept]
            fronts.append([count, [judged(tuple(int(v) for v in x)) for x in designs]])
        run: Run = {"kind": "glyphs", "strategy": strategy, "seed": seed, "data": options.data}
        run |= {"evaluations": options.evaluations, "images": options.search_images, "judged": options.judge_images}
        run |= {"corner": [MOST_DROP, *map(float, widest)], "fronts": fronts}
        new.append(run)
        if options.runs is not None:
            with options.runs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
        print(f"{strategy} seed {seed}: {len(trials)} designs, {len(fronts[-1][1])} on the last front", flush=True)
    return new


def _key(run: Run) -> tuple[object, ...]:
    return run["strategy"], run["seed"], run["data"], run["evaluations"], run["images"], run["judged"]


def summary(runs: list[Run]) -> dict[str, object]:
    """Share of the best known hypervolume at every number of evaluations, and evaluations to 95 %, per strategy."""
    if not runs:
        return {}
    corner = np.array(runs[0]["corner"])
    everything = np.array([p for r in runs for _, front in r["fronts"] for p in front])
    best = pareto.hypervolume(everything, corner)
    table: dict[str, object] = {}
    print("\njudged on unseen images: share of the best known hypervolume")
    for name in dict.fromkeys(str(r["strategy"]) for r in runs):
        mine = [r for r in runs if r["strategy"] == name]
        shares: dict[int, list[float]] = {}
        arrivals = []
        for run in mine:
            curve = [(c, pareto.hypervolume(np.array(f), corner) / best) for c, f in run["fronts"] if f]
            for count, share in curve:
                shares.setdefault(count, []).append(share)
            arrivals.append(next((c for c, share in curve if share >= 0.95), np.inf))
        middle = float(np.median(arrivals))
        row = {count: float(np.mean(values)) for count, values in shares.items()}
        table[name] = {"seeds": len(mine), "hypervolume": row, "to_95": middle if np.isfinite(middle) else None}
        print(f"{name:<12} to 95 %: {table[name]['to_95']}  " + "  ".join(f"{c}: {v:.3f}" for c, v in row.items()))
    rivals = {n: max(t["hypervolume"].values()) for n, t in table.items() if n in ("nsga2", "tpe")}
    fewer = None
    if "posterior" in table and rivals:
        bar = max(rivals.values())
        reached = [c for c, v in table["posterior"]["hypervolume"].items() if v >= bar]
        fewer = (
            max(max(r["evaluations"] for r in runs if r["strategy"] in rivals) / min(reached), 0) if reached else None
        )
    return {"glyphs": {"data": runs[0]["data"], "strategies": table, "times_fewer": fewer}}
