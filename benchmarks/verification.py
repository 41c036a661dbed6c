"""What verification promises and what it costs, on simulated candidates with known truth.

    OMP_NUM_THREADS=1 python benchmarks/verification.py [--runs 40] [--images 16000] [--optimism 0 0.4 0.8]
                                      [--first-seed 0] [--whole]

Per row: images evaluated, as a share of all candidates on all images; designs that are OK (posterior at least 0.95) and
the share of them that misses the budget; the same of the recommended one, the cheapest; how often the test fixed
beforehand shows the recommended one, and how often it shows any design that misses the budget.  The row `border` has
the true drops of all candidates exactly at the budget: there `shown_wrong` is the family-wise error of the test, which
may be 5 %.  With --whole nobody stops: all candidates are measured on all images, and the test is left out.  The prior
was chosen on seeds below 150 of an earlier version, and the copies of the float network on seeds below 300; only other
seeds tell whether it is right.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from simulated_verification import ladder

from dse.problem.goals import CONFIDENCE
from dse.verification import outcome

HEAD = (
    "optimism",
    "images",
    "share",
    "ok",
    "wrong_given_ok",
    "recommended",
    "recommended_wrong",
    "shown",
    "shown_wrong",
)


def row(
    optimism: float | None, seeds: range, images: int, discordance: float = 0.08, whole: bool = False
) -> dict[str, float | str]:
    """The figures of one optimism [points] over simulated verifications; None: all true drops are the budget."""
    found, runs = [], len(seeds)
    for seed in seeds:
        told_low = 0.0 if optimism is None else optimism
        rng, at_border = np.random.default_rng(seed), optimism is None
        world = ladder(rng, count=images, optimism=told_low, discordance=discordance, border=at_border)
        rows = world.everything() if whole else world.run()
        out = outcome(world.race, rows, test=not whole)
        assert out.within is not None
        shown = np.zeros(len(world.truth), dtype=bool) if out.shown is None else out.shown
        assert world.race.budget is not None
        ok, bad = out.within >= CONFIDENCE, world.truth >= world.race.budget
        cheapest = np.flatnonzero(ok)[-1:]  # candidates are in the order of falling memory
        spent = sum(len(each.images) for each in rows)
        told = (ok.sum(), (ok & bad).sum(), len(cheapest), bad[cheapest].sum(), shown[cheapest].sum())
        found.append((spent, *told, (shown & bad).any()))
    spent, ok, wrong, any_ok, any_wrong, told_shown, family = np.sum(found, axis=0, dtype=float)
    return {
        "optimism": "border" if optimism is None else f"{optimism:g}",
        "images": spent / runs,
        "share": spent / runs / images / len(world.truth),
        "ok": ok / runs,
        "ok_designs": ok,
        "wrong_designs": wrong,
        "wrong_given_ok": wrong / max(ok, 1.0),
        "recommended": any_ok / runs,
        "recommended_wrong": any_wrong / max(any_ok, 1.0),
        "shown": told_shown / max(any_ok, 1.0),
        "shown_wrong": family / runs,
    }


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--discordance", type=float, default=0.08)
    parser.add_argument("--optimism", type=float, nargs="+", default=[0.0, 0.4, 0.8])
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="all candidates on all images")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.runs)
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    table = []
    for each in (*options.optimism, None):
        table.append(line := row(each, seeds, options.images, options.discordance, options.whole))
        cells = (line[name] for name in HEAD)
        print("| " + " | ".join(c if isinstance(c, str) else f"{c:.3g}" for c in cells) + " |", flush=True)
    print(json.dumps({"benchmark": "verification", **vars(options), "rows": table}))


if __name__ == "__main__":
    main()
