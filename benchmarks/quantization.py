"""Accuracy of uniformly quantized networks: rounding methods by weight width, paired with the float network.

    python benchmarks/quantization.py [digits glyphs] [--images 2000] [--widths 8 4 3 2 1] [--threads 2]

Every network is trained and shipped with this package and not trained again.  Methods that calibrate see 128 unlabelled
training images; accuracy is that of the search and verify splits, which neither training nor calibration has seen.
The last line is JSON: data set, method, width, then top-1 and the drop in points with its 95 % interval.
"""

import argparse
import json
import time

import torch

import sviT_models
from sviT_models.measure import accuracy

CALIBRATION_IMAGES = 128
METHODS = {
    "nearest, clip by error": ("nearest", {}),
    "nearest, clip at the largest": ("nearest", {"clip": "max"}),
    "nearest, clip at 99.9 %": ("nearest", {"clip": "percentile"}),
    "truncate": ("truncate", {}),
    "stochastic": ("stochastic", {}),
    "nearest, one scale per layer": ("nearest", {"granularity": "tensor"}),
    "nearest, power-of-two scales": ("nearest", {"scale": "power_of_two"}),
    "nearest, ternary": ("nearest", {"two_bit": "ternary"}),
    "nearest, bias corrected": ("corrected", {}),
    "GPTQ, bias corrected": ("gptq", {}),
    "compensated": ("compensated", {}),
    "compensated, one scale per layer": ("compensated", {"granularity": "tensor"}),
    "compensated, power-of-two scales": ("compensated", {"scale": "power_of_two"}),
    "compensated, ternary": ("compensated", {"two_bit": "ternary"}),
    "nearest, norms estimated again": ("nearest", {}),
    "compensated, norms estimated again": ("compensated", {}),
}
AGAIN = "norms estimated again"  # on the images that calibrate; their seconds are rounding and that pass


def measured(data: str, widths: list[int], count: int, methods: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    model = sviT_models.load_checkpoint(sviT_models.checkpoint_path(f"sdtv2_tiny_{data}"))
    splits = [sviT_models.load_data(data, split, count=_count(data, split, count)) for split in ("search", "verify")]
    images = torch.cat([split.images for split in splits])
    labels = torch.cat([split.labels for split in splits]).numpy()
    unlabelled = sviT_models.load_data(data, "train", count=CALIBRATION_IMAGES).images

    def run(bank: sviT_models.WeightBank, bits: int) -> sviT_models.Output:
        return sviT_models.Engine(model, bank).run(images, [bits] * len(bank.layers), batch_size=100)

    exact = run(sviT_models.WeightBank(model), 32)
    before = accuracy.correct(exact.logits, labels)
    share, stderr = accuracy.top1(exact.logits, labels)
    print(f"\n{data}: {len(labels)} images, float {100 * share:.2f} +- {100 * stderr:.2f} %")
    print(
        f"{'top-1 in % (points lost, 95 % interval)':34}" + "".join(f"{f'{b} bit':>28}" for b in widths) + "   rounding"
    )
    found = {"float": {"32": {"top1": share, "stderr": stderr, "images": len(labels)}}}
    for name in methods:
        method, options = METHODS[name]
        bank = sviT_models.WeightBank(model, method, images=unlabelled, **options)
        seconds, found[name], cells = 0.0, {}, []
        for bits in widths:
            if "ternary" in name and bits != 2:
                cells.append("")
                continue
            started = time.perf_counter()
            made = bank
            bank.design([bits] * len(bank.layers))
            if AGAIN in name and bits != 32:
                again = sviT_models.reestimate(model, bank, [bits] * len(bank.layers), unlabelled)
                made = sviT_models.LearnedBank(model, again.weights, images=unlabelled)
            seconds += time.perf_counter() - started
            logits = run(made, bits).logits
            top1, _ = accuracy.top1(logits, labels)
            drop = accuracy.paired_drop(before, accuracy.correct(logits, labels))
            found[name][str(bits)] = {"top1": top1, "drop": drop.drop, "low": drop.low, "high": drop.high}
            cells.append(f"{100 * top1:.1f} ({drop.drop:+.1f}, {drop.low:+.1f} to {drop.high:+.1f})")
        print(f"{name:34}" + "".join(f"{cell:>28}" for cell in cells) + f"   {seconds:.1f} s", flush=True)
    return found


def _count(data: str, split: str, count: int) -> int:
    """`count` images, or as many as the data set has: digits have few."""
    if data == "glyphs":
        return count // 2
    return min(count // 2, len(sviT_models.load_data(data, split)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name in sviT_models.shipped_names() if name.startswith("sdtv2_tiny_")]
    shipped = [name.removeprefix("sdtv2_tiny_") for name in names]
    parser.add_argument("data", nargs="*", default=shipped, help=f"data sets: {', '.join(shipped)}")
    parser.add_argument("--images", type=int, default=4000, help="images to evaluate at most")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 6, 4, 3, 2, 1])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(json.dumps({data: measured(data, asked.widths, asked.images, asked.methods) for data in asked.data}))


if __name__ == "__main__":
    main()
