"""How far the output of a shipped network moves when one group is narrow, by width: rounding or chaos?

    OMP_NUM_THREADS=1 python benchmarks/distances.py [NAME ...] [--images 256]

For each network: KL divergence [nat] of one group at 2, 3 and 4 bits from the float network, groups one at a time, and
how it falls from 2 to 4 bits (median over the groups). Harm by rounding falls fourfold per bit, 16 times over these two
(the squared step of a uniform quantizer); chaos does not fall. `trusted` is the share of groups whose divergence falls
as `dse.evaluation.distances.trusted` asks, `chaos` the network's chaos floor in nat, `spread` the standard deviation of
the logarithm of divergence over gradient score at 2 bits, between groups.
Ends with one line of JSON.
"""

import argparse
import json

import numpy as np

from dse.config.schema import Config, Data, Search
from dse.evaluation.distances import LEAST_FALL
from dse.evaluation.one_at_a_time import group_probes, measured
from dse.evaluation.prepare import prepare
from sviT_models.checkpoints.shipped import shipped_names

WIDTHS = (2, 3, 4)
DATA = ("fashion_mnist", "event-glyphs", "glyphs", "digits")


def row(name: str, images: int) -> dict[str, object]:
    """The figures of one network on its own kind of images."""
    data = next(each for each in DATA if each.replace("-", "_") in name.replace("-", "_"))
    config = Config(checkpoint=name, data=Data(name=data, search_images=images), search=Search(widths=WIDTHS))
    experiment = prepare(config)
    probes = group_probes(experiment.space, experiment.network.float_design, experiment.network.table)
    found = measured(experiment, probes, experiment.images)
    kl = np.array([each.kl for each in found]).reshape(-1, len(WIDTHS))
    fisher = experiment.fisher(WIDTHS[:1])
    scores = fisher.groupby("layer")["score"].sum()
    groups = [d.layers for d in experiment.space.dimensions if d.kind == "weight"]
    score = np.array([scores[list(layers)].sum() for layers in groups])
    both = (score > 0) & (kl[:, 0] > 0)
    fall = kl[:, 0] / np.maximum(kl[:, -1], 1e-12)
    return {
        "network": name,
        "groups": len(kl),
        "kl": [float(x) for x in np.median(kl, axis=0)],
        "fall": float(np.median(fall)),
        "trusted": float((fall >= LEAST_FALL ** (WIDTHS[-1] - WIDTHS[0])).mean()),
        "chaos": experiment.chaos_floor().kl,
        "spread": float(np.std(np.log(kl[both, 0] / score[both]))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(shipped_names()), help="shipped networks; default: all")
    parser.add_argument("--images", type=int, default=256)
    given = parser.parse_args()
    rows = []
    for name in given.names:
        rows.append(row(name, given.images))
        print({k: v if isinstance(v, (str, int)) else np.round(v, 4) for k, v in rows[-1].items()}, flush=True)
    print(json.dumps({"benchmark": "distances", "images": given.images, "rows": rows}))


if __name__ == "__main__":
    main()
