"""How long the whole precision study takes, and what its shared prefixes save over single runs.

    python benchmarks/sensitivity.py [--images 1000] [--widths 2 3 4] [--threads 4]

Every group of layers that shares a width (74 in sdtv2_tiny) at every width alone, on glyphs.  Single runs are timed on
a few designs and scaled up.  The last line is JSON.
"""

import argparse
import json
import time

import torch

from dse.config.schema import Config, Data, Search
from dse.evaluation import one_at_a_time
from dse.evaluation.prepare import prepare

SINGLE = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--widths", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--threads", type=int, default=4)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    config = Config(
        checkpoint="sdtv2_tiny_glyphs",
        data=Data(name="glyphs", search_images=asked.images),
        search=Search(widths=asked.widths, state_widths=()),
    )
    experiment = prepare(config)
    probes = one_at_a_time.group_probes(experiment.space, experiment.network.float_design, experiment.network.table)
    started = time.perf_counter()
    for layer in experiment.network.layers:
        for bits in asked.widths:
            experiment.network.bank.get(layer, bits)
    rounding = time.perf_counter() - started
    started = time.perf_counter()
    one_at_a_time.measured(experiment, probes, experiment.images)
    sweep = time.perf_counter() - started
    images, size = experiment.images.images, config.data.batch_size
    started = time.perf_counter()
    for probe in probes[:: len(probes) // SINGLE][:SINGLE]:
        experiment.network.engine.run(images, probe.design.weight_bits, batch_size=size)
    single = (time.perf_counter() - started) / SINGLE
    groups = len({probe.group for probe in probes})
    ratio = single * len(probes) / sweep
    print(f"{groups} groups x {len(asked.widths)} widths, {asked.images} images, {asked.threads} threads:")
    print(
        f"rounding {rounding:.1f} s, study {sweep:.1f} s; one design alone {single:.2f} s, so {ratio:.1f} times faster"
    )
    found = {"groups": groups, "designs": len(probes), "images": asked.images, "threads": asked.threads}
    found |= {"rounding_s": round(rounding, 2), "study_s": round(sweep, 2), "single_s": round(single, 3)}
    print(json.dumps(found | {"ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main()
