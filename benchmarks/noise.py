"""How the errors of measured drops hang together: on the same images, two designs do not err independently.

    python benchmarks/noise.py [--data glyphs] [--designs 12] [--images 20016]

Designs of the front of the gradient scores are run on images that no search sees, and what each loses or wins is kept
image by image. From that: the covariance of two designs' paired differences, as a constant (the shared error, which
`dse/problem/shared_error.py` takes from the chaos floor) and a part that grows with their drops (images that both
lose); and the correlation of top-1 and cross-entropy of one design.  Ends with one line of JSON.
"""

import argparse
import json

import numpy as np

from dse.config.schema import Config, Data
from dse.evaluation.prepare import goals, prepare
from dse.exploration.build_problem import build_problem
from dse.optimize import lagrangian
from dse.surrogate.prior import prior_harm
from sviT_models.measure import accuracy

MOST_DROP = 10.0  # points
SEARCH_IMAGES = 1008  # for which the standard deviations are quoted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="glyphs")
    parser.add_argument("--designs", type=int, default=12)
    parser.add_argument("--images", type=int, default=20_016)
    given = parser.parse_args()
    config = Config(checkpoint=f"sdtv2_tiny_{given.data}", data=Data(name=given.data))
    experiment = prepare(config)
    fisher, wanted = experiment.fisher(experiment.widths), goals(config, experiment.space)
    problem = build_problem(experiment, experiment.costing(), fisher, wanted)
    chaos = experiment.chaos_floor()
    unseen = experiment.source.load("verify", given.images)
    labels = np.asarray(unseen.labels)
    experiment.round([experiment.network.float_design])
    reference = _logits(experiment, unseen, experiment.network.float_design)
    right, base = accuracy.correct(reference, labels), accuracy.nll_per_image(reference, labels)
    lost, harm = [], []
    for levels in _front(problem, 4 * given.designs):
        design = problem.space.design(levels)
        experiment.round([design])
        logits = _logits(experiment, unseen, design)
        one = 100 * (right.astype(float) - accuracy.correct(logits, labels))
        if one.mean() > MOST_DROP:
            continue
        lost.append(one)
        harm.append(accuracy.nll_per_image(logits, labels) - base)
        together = accuracy.correlation(lost[-1], harm[-1])
        print(f"drop {one.mean():5.2f}  variance {one.var():6.0f}  correlation with nll {together:.2f}", flush=True)
        if len(lost) == given.designs:
            break
    x, y = np.array(lost), np.array(harm)
    drops, cover = x.mean(1), np.cov(x)
    first, second = np.triu_indices(len(x), 1)
    both = np.sqrt(np.maximum(drops[first], 0.0) * np.maximum(drops[second], 0.0))
    terms = np.stack([np.ones(len(both)), both], axis=1)
    constant, slope = np.linalg.lstsq(terms, cover[first, second], rcond=None)[0]
    found = {
        "data": given.data,
        "images": len(labels),
        "designs": len(x),
        "shared_variance": float(constant),
        "shared_by_chaos_floor": chaos.shared[0][0],
        "shared_sd_points": float(np.sqrt(constant / SEARCH_IMAGES)),
        "correlation_of_two_designs": float(np.corrcoef(x)[first, second].mean()),
        "shared_harm": float(slope) / 100,
        "correlation_with_nll": float(np.mean([accuracy.correlation(a, b) for a, b in zip(x, y, strict=True)])),
    }
    print(
        f"\ntwo designs on the same images: errors correlate with {found['correlation_of_two_designs']:.2f}; they "
        f"share {constant:.0f} points^2 per image, {found['shared_sd_points']:.2f} points on {SEARCH_IMAGES} images "
        f"(chaos floor, on {chaos.images} other images: {found['shared_by_chaos_floor']:.0f}), and "
        f"{found['shared_harm']:.2f} of the images that harm loses"
    )
    print(json.dumps({"benchmark": "noise", **found}))


def _front(problem, count):
    """Designs of the front of the scores at random prices, all time steps, levels (count, D), in random order."""
    rng = np.random.default_rng(0)
    harm, costs = prior_harm(problem.space, problem.whole.scores), problem.whole.cost_tables
    levels = lagrangian.minimisers(harm, costs, lagrangian.draw_prices(rng, harm, costs, 20 * count))
    full = [problem.space.with_steps(x, problem.space.step_choices[-1]) for x in levels]
    return rng.permutation(np.unique(full, axis=0))[:count]


def _logits(experiment, unseen, design):
    out = experiment.network.engine.run(unseen.images, design.widths.tolist(), time_steps=design.time_steps)
    return np.asarray(out.logits, dtype=np.float64)


if __name__ == "__main__":
    main()
