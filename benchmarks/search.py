"""All strategies against each other, and the truth of the picks.

    OMP_NUM_THREADS=1 python benchmarks/search.py [--part simulator picks ask] [--strategies posterior nsga2 ...]
                                [--seeds 5] [--budgets 50 100 200 500] [--pick-seeds 40] [--pick-evaluations 150]
                                [--cases base scores-shuffled ...] [--processes 2] [--runs FILE]
    python benchmarks/search.py --part glyphs [--strategies posterior nsga2 tpe] [--seeds 5] [--runs FILE]

simulator: searches on simulated networks whose true drop is known (sdtv2_8_512, 56 groups, drop up to 10 points).
  Every strategy starts from the same uniform widths and is charged for all of its images: one evaluation is 1000
  images. `posterior+distances` (or `ilp+distances`) reads one-at-a-time distances beside the gradient scores, groups at
  2 and 4 bits, 128 images each, and pays for them first.
  Hypervolume is that of the true values of all evaluated designs, as a share of the best known front. `ridge` is a
  ridge regression on the gradient scores, one factor per layer. `against` compares posterior seed by seed with it and
  with an oracle: as many random designs of the true front. `--cases` are simulated networks with wrong scores, curves
  that bend, or harm that does not add up; the table has a row for each.
picks: "least memory with drop <= 1 point" by the posterior of all measurements, against the truth; of `posterior` and
  `posterior+distances`, or of the strategies given. Also in how many networks the search warns of harm that does not
  add up: it should in those of `--cases worst-layer` and not in `base`.
ask: time of a proposal at 74 groups and 500 measurements.
glyphs: the same comparison on the real sdtv2_tiny, judged on images that no search saw (search_glyphs.py).

With --runs, every finished run is kept in FILE, runs found there are not repeated, and the tables and the line of JSON
at the end cover all of them: parts can be measured one after the other.
"""

import argparse
import json
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import search_glyphs
import search_parts
from simulated_network import CASES

from dse import strategies

TARGETS = (0.95, 0.98)
WITH_DISTANCES = ("posterior+distances", "ilp+distances")
Run = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("simulator", "picks", "ask", "glyphs")
    parser.add_argument("--part", nargs="+", choices=parts, default=["simulator", "picks", "ask"])
    parser.add_argument("--strategies", nargs="+", default=None)
    parser.add_argument("--budgets", nargs="+", type=int, default=[50, 100, 200, 500])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pick-seeds", type=int, default=40)
    parser.add_argument("--pick-evaluations", type=int, default=150)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=["base"])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--runs", type=Path, help="file of finished runs, one JSON object per line")
    search_glyphs.add_options(parser)
    options = parser.parse_args()
    runs = _load(options.runs)
    with ProcessPoolExecutor(options.processes) as pool:
        futures = [pool.submit(*task) for task in _tasks(options) if not any(_same(task, run) for run in runs)]
        for done in as_completed(futures):
            run = done.result()
            runs.append(run)
            if options.runs is not None:
                with options.runs.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
            _tell(run, futures)
    if "glyphs" in options.part:
        runs += search_glyphs.measure(options, runs)
    result: dict[str, object] = {"benchmark": "search", "images_per_evaluation": search_parts.IMAGES}
    result |= summary([r for r in runs if r["kind"] == "curve"], options.budgets)
    picked = [r for r in runs if r["kind"] == "pick"]
    names = dict.fromkeys(_label(r) for r in picked)
    result["picks"] = [picks_summary([r for r in picked if _label(r) == name]) for name in names]
    result |= {"ask": [r for r in runs if r["kind"] == "ask"][-1:]}
    result |= search_glyphs.summary([r for r in runs if r["kind"] == "glyphs"])
    print(json.dumps(result))


def _tasks(options: argparse.Namespace) -> list[tuple[object, ...]]:
    tasks: list[tuple[object, ...]] = []
    if "ask" in options.part:
        tasks.append((search_parts.ask_time, 74, 500))
    if "simulator" in options.part:
        names = options.strategies or [*strategies.names(), *WITH_DISTANCES]
        most = max(options.budgets)
        seeds = range(options.seeds)
        tasks += [(search_parts.curve, s, seed, most, case) for case in options.cases for seed in seeds for s in names]
    if "picks" in options.part:
        count = options.pick_evaluations
        names = options.strategies or ["posterior", "posterior+distances"]
        seeds = range(100, 100 + options.pick_seeds)
        tasks += [(search_parts.pick, name, s, count, case) for case in options.cases for s in seeds for name in names]
    return tasks


def _same(task: tuple[object, ...], run: Run) -> bool:
    kinds = {search_parts.curve: "curve", search_parts.pick: "pick"}
    if run["kind"] != kinds.get(task[0]):
        return False
    return task[1:] == (run["strategy"], run["seed"], run["evaluations"], run.get("case", "base"))


def _load(path: Path | None) -> list[Run]:
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _tell(run: Run, futures: list[Future[Run]]) -> None:
    what = {k: v if isinstance(v, (str, int)) else round(v, 3) for k, v in run.items() if k not in ("steps", "oracle")}
    print(f"{sum(f.done() for f in futures)}/{len(futures)} {what}", flush=True)


def at(run: Run, budget: float) -> float:
    """Share of the hypervolume after so many evaluations; zero where the first design is not paid yet."""
    reached = [share for count, share in run["steps"] if count <= budget]
    return float(reached[-1]) if reached else 0.0


def first(run: Run, share: float) -> float | None:
    """Evaluations until a share of the hypervolume is reached; None when it never is."""
    return next((float(count) for count, reached in run["steps"] if reached >= share), None)


def median(values: list[float | None]) -> float | None:
    """The median where a search that never arrives counts as infinite; None when the median never arrives."""
    middle = float(np.median([np.inf if v is None else v for v in values]))
    return middle if np.isfinite(middle) else None


def summary(runs: list[Run], budgets: list[int]) -> dict[str, object]:
    """Means and medians per strategy, and how posterior compares with the black-box samplers."""
    if not runs:
        return {}
    table = {}
    print(
        "\nstrategy                  seeds"
        + "".join(f"{b:>8}" for b in budgets)
        + "   to 95 %   to 98 %   ask ms   worst",
        flush=True,
    )
    for name in dict.fromkeys(_label(r) for r in runs):
        mine = [r for r in runs if _label(r) == name]
        row = {
            "seeds": len(mine),
            "hypervolume": {b: float(np.mean([at(r, b) for r in mine])) for b in budgets},
            "evaluations_to": {f"{t:.0%}": median([first(r, t) for r in mine]) for t in TARGETS},
            "ask_ms": float(np.median([r["ask_ms"] for r in mine])),
            "ask_ms_worst": float(np.max([r["ask_ms_worst"] for r in mine])),
        }
        table[name] = row
        shares = "".join(f"{v:>8.3f}" for v in row["hypervolume"].values())
        arrivals = "".join(f"{'never' if v is None else format(v, '.0f'):>10}" for v in row["evaluations_to"].values())
        print(f"{name:<26}{len(mine):>5}{shares}{arrivals}{row['ask_ms']:>9.0f}{row['ask_ms_worst']:>8.0f}")
    ratios = against_samplers(runs, max(budgets))
    if ratios:
        print(f"posterior against the better of nsga2 and tpe at {max(budgets)} evaluations: {ratios}")
    paired = {case: against(runs, case) for case in dict.fromkeys(str(r.get("case", "base")) for r in runs)}
    for case, found in paired.items():
        print(f"{case}: posterior against oracle and ridge: {json.dumps(found)}")
    return {"strategies": table, "against_samplers": ratios, "against": paired}


def _label(run: Run) -> str:
    case = run.get("case", "base")
    return str(run["strategy"]) if case == "base" else f"{run['strategy']} {case}"


def against(runs: list[Run], case: str) -> dict[str, dict[str, float]]:
    """`posterior` over the oracle, and its difference to the ridge with a 95 % interval, paired by seed."""
    mine = [r for r in runs if r.get("case", "base") == case]
    first, rival = ({r["seed"]: r for r in mine if r["strategy"] == name} for name in ("posterior", "ridge"))
    out: dict[str, dict[str, float]] = {}
    for count in search_parts.ORACLE_AT:
        known = [r for r in first.values() if "oracle" in r and float(str(r["evaluations"])) >= count]
        if known:
            out.setdefault("over_oracle", {})[str(count)] = float(
                np.mean([at(r, count) / r["oracle"][str(count)] for r in known])
            )
        apart = [at(first[s], count) - at(rival[s], count) for s in first if s in rival]
        if len(apart) > 1 and known:
            reach = 1.96 * float(np.std(apart, ddof=1)) / len(apart) ** 0.5
            out.setdefault("less_ridge", {})[str(count)] = float(np.mean(apart))
            out.setdefault("less_ridge_low", {})[str(count)] = float(np.mean(apart)) - reach
    return out


def against_samplers(runs: list[Run], budget: int) -> dict[str, float | None]:
    """How many times fewer evaluations `posterior` needs for what the better of NSGA-II and TPE reaches at the end."""
    by_seed: dict[object, dict[str, Run]] = {}
    for run in (r for r in runs if r.get("case", "base") == "base"):
        by_seed.setdefault(run["seed"], {})[str(run["strategy"])] = run
    needed = []
    for found in by_seed.values():
        rivals = [at(found[name], budget) for name in ("nsga2", "tpe") if name in found]
        if "posterior" in found and rivals:
            needed.append(first(found["posterior"], max(rivals)))
    if not needed:
        return {}
    middle = median(needed)
    return {"evaluations_needed": middle, "times_fewer": None if middle is None else budget / middle}


def picks_summary(runs: list[Run]) -> dict[str, object]:
    """True drop, memory over the optimum and coverage of the picks of one strategy."""
    columns = ("drop", "over", "coverage", "coverage_unmeasured")
    drops, over, coverage, unmeasured = (np.array([r[k] for r in runs]) for k in columns)
    result: dict[str, object] = {
        "strategy": _label(runs[0]),
        "evaluations": runs[0]["evaluations"],
        "seeds": len(runs),
        "within_1_point": float((drops <= 1.0).mean()),
        "true_drop": {"mean": float(drops.mean()), "worst": float(drops.max())},
        "above_prediction": float(np.mean([r["drop"] - r["predicted"] for r in runs])),
        "memory_over_optimum": {"mean": float(over.mean()), "worst": float(over.max())},
        "coverage": {"mean": float(coverage.mean()), "least": float(coverage.min())},
        "coverage_unmeasured": {"mean": float(unmeasured.mean()), "least": float(unmeasured.min())},
        "warned_of_harm_that_does_not_add_up": float(np.mean([r["warned"] for r in runs])),
    }
    print(f"\npicks: {json.dumps(result)}")
    return result


if __name__ == "__main__":
    main()
