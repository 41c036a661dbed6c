"""How often printed intervals hold the truth, and what printed probabilities are worth, by simulation.

    OMP_NUM_THREADS=1 python benchmarks/intervals.py [--runs 2000] [--verifications 60] [--images 300 1000 3000 20000]

measured: the interval of a drop as one design is measured, on random images and on a stratified subset of a pool
  (`dse.evaluation.measurement`), at shares of images that change sides from 0 to 10 %.  `low` and `high` are the shares
  of truths below and above the interval, which should be 2.5 % each.
verified: intervals of 14 candidates after their race (`benchmarks/simulated_verification.py`), by their images alone
  and together with the search's prediction; of all of them, and of the recommended one, chosen by what was measured.
  `promised` is the mean probability that recommended designs keep the budget, `kept` the share of them that does.
wilson: the interval of an accuracy.

The intervals of the search's model are measured by `benchmarks/search.py --part picks`.  Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from simulated_verification import images, ladder

from dse.evaluation.measurement import counted, within
from dse.evaluation.subsets import Subsets
from dse.problem.goals import CONFIDENCE
from dse.verification import outcome, strata_of
from sviT_models.measure.accuracy import share_interval, tango_interval

CHANGED = (0.0, 0.001, 0.01, 0.05, 0.1)  # shares of images that change sides, lost and won together
DROP = 0.2  # share of these that is net loss
Row = dict[str, float | str]


def measured(count: int, changed: float, runs: int, rng: np.random.Generator) -> Row:
    """Of a drop on random images."""
    lost, won = changed * (1 + DROP) / 2, changed * (1 - DROP) / 2
    draws = rng.multinomial(count, [lost, won, 1 - changed], size=runs)
    ends = {pair: tango_interval(*pair, count) for pair in {(int(a), int(b)) for a, b, _ in draws}}
    found = np.array([ends[int(a), int(b)] for a, b, _ in draws])
    return _tails("measured", count, changed, found, np.full(runs, lost - won))


def stratified(count: int, changed: float, runs: int, rng: np.random.Generator) -> Row:
    """Of a drop on a stratified subset of a pool of 8000 images; pool and design are drawn anew every tenth time."""
    found, truth, subsets = [], [], None
    for run in range(runs):
        if run % 10 == 0:
            drop = np.array([100 * changed * DROP])
            logits, labels, change = images(drop, 8000, max(changed, 1e-4), rng)
            subsets = Subsets(strata_of(logits, labels), count, seed=run)
        assert subsets is not None
        places = subsets.places(run % 10)
        lost = change[0, places].astype(float)
        gain = within(lost, subsets.strata[places])
        found.append(tango_interval(*(x / gain for x in counted(lost))))
        truth.append(drop[0] / 100)
    return _tails("stratified", count, changed, np.array(found), np.array(truth))


def wilson(count: int, share: float, runs: int, rng: np.random.Generator) -> Row:
    """Of an accuracy."""
    draws = rng.binomial(count, share, size=runs)
    ends = {k: share_interval(k / count, count) for k in set(draws.tolist())}
    return _tails("wilson", count, share, np.array([ends[k] for k in draws.tolist()]), np.full(runs, share))


def verified(count: int, changed: float, runs: int, first: int) -> list[Row]:
    """Of candidates after their race, and of the recommended one."""
    alone, together, truth, chosen, promised = [], [], [], [], []
    for seed in range(first, first + runs):
        world = ladder(np.random.default_rng(seed), count=count, discordance=changed)
        out = outcome(world.race, world.run(), test=False)
        assert out.within is not None
        alone.append(np.stack([out.found.low, out.found.high], axis=1))
        together.append(np.stack(out.belief.interval, axis=1))
        truth.append(world.truth)
        best = np.flatnonzero(out.within >= CONFIDENCE)[-1:]  # candidates are in the order of falling memory
        chosen.append(np.isin(np.arange(len(world.truth)), best))
        promised += out.within[best].tolist()
    true, picked = np.concatenate(truth), np.concatenate(chosen)
    rows = []
    for name, ends in (("verified alone", np.vstack(alone)), ("verified together", np.vstack(together))):
        rows.append(_tails(name, count, changed, ends, true))
        if picked.any():
            rows.append(_tails(f"{name}, recommended", count, changed, ends[picked], true[picked]))
    if picked.any():
        told = {"promised": float(np.mean(promised)), "kept": float((true[picked] <= 1.0).mean())}
        rows[-1] |= told
    return rows


def _tails(kind: str, count: int, changed: float, ends: NDArray[np.float64], truth: NDArray[np.float64]) -> Row:
    low, high = float((truth < ends[:, 0]).mean()), float((truth > ends[:, 1]).mean())
    error = norm.ppf(0.975) * np.sqrt(0.05 * 0.95 / len(truth))
    return {
        "kind": kind,
        "images": count,
        "changed": changed,
        "runs": len(truth),
        "coverage": 1 - low - high,
        "low": low,
        "high": high,
        "sampling_error": float(error),
    }


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--verifications", type=int, default=60)
    parser.add_argument("--images", type=int, nargs="+", default=[300, 1000, 3000, 20_000])
    parser.add_argument("--first-seed", type=int, default=3000)
    options = parser.parse_args()
    rng, rows = np.random.default_rng(options.first_seed), list[Row]()
    for count in options.images:
        rows += [measured(count, changed, options.runs, rng) for changed in CHANGED]
        rows += [wilson(count, share, options.runs, rng) for share in (0.5, 0.8, 0.99)]
        if count < 8000:
            rows += [stratified(count, changed, options.runs // 4, rng) for changed in CHANGED[2:]]
        for changed in (0.02, 0.1):
            rows += verified(count, changed, options.verifications * 3000 // max(count, 3000), options.first_seed)
        for row in [r for r in rows if r["images"] == count]:
            print("  ".join(f"{k} {v}" if isinstance(v, str) else f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    print(json.dumps({"benchmark": "intervals", **vars(options), "rows": rows}))


if __name__ == "__main__":
    main()
