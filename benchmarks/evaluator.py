"""Speed of the exact integer evaluator beside plain torch, and beside what the machine's arithmetic allows.

    python benchmarks/evaluator.py [--threads 4] [--rounds 5] [--quick] [--case "sdtv2_tiny 32 px T=4"]

Plain torch is the network as users have it today: float weights, every step through every layer, a loop over the steps
in each neuron layer.  Both sides run in one process, in turn; figures are medians.  Beside the ratio of wall-clock time
stands that of processor time, which other programs on the machine disturb less; with several threads it counts those
that wait.  Everything is done twice: with the allocator as it comes, and with one that keeps large blocks
(MALLOC_MMAP_MAX_=0, MALLOC_TRIM_THRESHOLD_=-1), as half of the first ratio is the allocator's.  The limit is the time
that the multiply-accumulates alone would take, those on spikes at the best int8 rate of this machine and the others at
its best float32 rate, both measured in the same run.
SpikingJelly joins where it is installed.  Ends with one line of JSON.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor, nn

import sviT_models
from sviT_models.network.neuron import LIF

CASES = {  # name: network, pixels, time steps, images
    "sdtv2_8_512 224 px T=4": ("sdtv2_8_512", 224, 4, 8),
    "sdtv2_8_512 224 px T=1": ("sdtv2_8_512", 224, 1, 8),
    "sdtv2_tiny 32 px T=4": ("sdtv2_tiny", 32, 4, 1000),
}
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
BITS = 4
PLAIN_BATCH = 100  # images that plain torch gets at a time, where there are more


class StepwiseLIF(nn.Module):
    """Leaky integrate and fire, one step after the other."""

    def __init__(self, threshold: float):
        super().__init__()
        self.threshold = threshold

    def forward(self, current: Tensor) -> Tensor:
        v = torch.zeros_like(current[0])
        spikes = []
        for x in current:
            v = v + (x - v) / 2
            fired = (v >= self.threshold).to(x)
            v = v * (1 - fired)
            spikes.append(fired)
        return torch.stack(spikes)


def network(name: str, steps: int) -> nn.Module:
    """A network whose neurons fire throughout, on random weights."""
    torch.manual_seed(0)
    model = sviT_models.build(name, num_classes=10, time_steps=steps)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, 0.3, 0.5)
    return model.eval()


def plain(model: nn.Module, bank: sviT_models.WeightBank, neuron: Callable[[float], nn.Module]) -> nn.Module:
    """A copy in plain torch with the same quantized weights, as floats."""
    changed = copy.deepcopy(model)
    for name, weight in bank.design([BITS] * len(bank.layers)).items():
        layer = changed.get_submodule(name)
        scale = weight.scale.view(-1, *[1] * (layer.weight.ndim - 1))
        layer.weight.data = weight.codes.float() * scale
    for path, module in list(changed.named_modules()):
        if isinstance(module, LIF):
            parent, _, leaf = path.rpartition(".")
            setattr(changed.get_submodule(parent), leaf, neuron(module.threshold))
    return changed


@torch.no_grad()
def forward(model: nn.Module, images: Tensor) -> Tensor:
    """The official forward pass: the image is repeated for every step."""
    logits = []
    for batch in images.split(PLAIN_BATCH):
        for module in model.modules():
            if hasattr(module, "reset"):  # SpikingJelly's neurons keep their state
                module.reset()
        x = batch.expand(model.config.time_steps, *batch.shape)
        for stage in model.stages():
            x = stage(x)
        logits.append(model.head(model.lif(x.flatten(3).mean(3))).mean(0))
    return torch.cat(logits)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor time [s]."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def rates(threads: int) -> dict[str, float]:
    """Best multiply-accumulates per second of `threads` threads at 3x3 and 1x1 convolutions, int8 and float32."""
    found = {"int8": 0.0, "float32": 0.0}
    for channels, side, kernel in ((256, 28, 3), (512, 14, 3), (512, 28, 1)):
        x = torch.randint(0, 2, (8, channels, side, side), dtype=torch.uint8).contiguous(
            memory_format=torch.channels_last
        )
        weight = torch.randint(-8, 8, (channels, channels, kernel, kernel), dtype=torch.int8)
        macs = threads * 8 * channels * channels * side * side * kernel * kernel
        ones, zeros = torch.ones(channels), torch.zeros(channels, dtype=torch.int64)
        sides = [1, 1], [kernel // 2] * 2, [1, 1]
        packed = torch.ops.onednn.qconv_prepack(weight, ones, 1.0, 0, *sides, 1, None)
        dense, image = weight.float().contiguous(memory_format=torch.channels_last), x.float()

        def int8(x=x, packed=packed, ones=ones, zeros=zeros, sides=sides):
            torch.ops.onednn.qconv_pointwise(
                x, 1.0, 0, packed, ones, zeros, None, *sides, 1, 1.0, 0, torch.float32, "none", [], ""
            )

        def float32(image=image, dense=dense, sides=sides):
            torch.nn.functional.conv2d(image, dense, None, *sides)

        for name, work in (("int8", int8), ("float32", float32)):
            found[name] = max(found[name], *(macs / together(work, threads) for _ in range(8)))
    return found


def shared_product() -> float:
    """How many times as fast the first convolutions of q, k and v are as one product; 512 channels, 14 x 14, T = 4."""
    from sviT_models.engine.convolution import Geometry
    from sviT_models.engine.kernels.cpu import Fast

    kernels, geometry = Fast(), Geometry()
    x = torch.randint(0, 2, (8, 14, 14, 512), dtype=torch.uint8).numpy()
    digits = [torch.randint(-8, 8, (512, 512, 1, 1), dtype=torch.int8) for _ in range(3)]
    apart, merged = [kernels.pack(digit, geometry) for digit in digits], kernels.pack(torch.cat(digits), geometry)
    taken: tuple[list[float], list[float]] = [], []
    torch.set_num_threads(1)
    for _ in range(60):
        for found, weights in zip(taken, (apart, [merged]), strict=True):
            found.append(seconds(lambda weights=weights: [kernels.conv(x, w, geometry) for w in weights])[1])
    return statistics.median(taken[0]) / statistics.median(taken[1])


def together(work: Callable[[], object], threads: int) -> float:
    """Seconds that `threads` threads take for one call each, all at once."""
    from sviT_models.engine.workers import workers

    pool: ThreadPoolExecutor = workers(threads)
    try:
        list(pool.map(lambda _: work(), range(threads)))
        return seconds(lambda: list(pool.map(lambda _: work(), range(threads))))[0]
    finally:
        pool.shutdown()


def limit(model: nn.Module, side: int, images: int, steps: int, rate: dict[str, float]) -> float:
    """Seconds that the multiply-accumulates of a batch take at the machine's best rates."""
    table = sviT_models.profile(model, torch.zeros(1, 3, side, side))
    dense = table[table["weights"] > 0]
    times = [1] + [steps] * (len(dense) - 1)  # the image stands still
    macs = dense["macs"] * times * images
    spikes = dense["input"] == "spike"
    return float(macs[spikes].sum() / rate["int8"] + macs[~spikes].sum() / rate["float32"])


def jelly() -> Callable[[float], nn.Module] | None:
    try:
        from spikingjelly.clock_driven.neuron import MultiStepLIFNode
    except ImportError:
        return None
    return lambda threshold: MultiStepLIFNode(tau=2.0, v_threshold=threshold, detach_reset=True, backend="torch")


def measure(threads: int, rounds: int, quick: bool, cases: list[str]) -> dict[str, dict[str, float | None]]:
    """All cases in this process."""
    torch.set_num_threads(threads)
    rate = rates(threads)
    found: dict[str, dict[str, float | None]] = {"rates [MAC/s]": dict(rate)}
    for case in cases:
        name, side, steps, images = CASES[case]
        count = images // 10 if quick and images > 100 else images
        model = network(name, steps)
        bank = sviT_models.WeightBank(model)
        batch = torch.randn(count, 3, side, side)
        engine = sviT_models.Engine(model, bank, threads=threads)
        other = jelly()
        sides: dict[str, Callable[[], object]] = {
            "engine": partial(engine.run, batch, [BITS] * len(engine.layers)),
            "plain": partial(forward, plain(model, bank, StepwiseLIF), batch),
        }
        if other is not None:
            sides["spikingjelly"] = partial(forward, plain(model, bank, other), batch)
        for work in sides.values():
            work()
        taken = {side_: [] for side_ in sides}
        for _ in range(rounds):
            for side_, work in sides.items():
                taken[side_].append(seconds(work))
        median = {side_: statistics.median(wall for wall, _ in values) for side_, values in taken.items()}
        busy = {side_: statistics.median(cpu for _, cpu in values) for side_, values in taken.items()}
        least = limit(model, side, count, steps, rate)
        found[case] = {
            "ratio_plain_torch": median["plain"] / median["engine"],
            "ratio_spikingjelly": median["spikingjelly"] / median["engine"] if other else None,
            "ratio_plain_torch_cpu": busy["plain"] / busy["engine"],
            "fraction_of_limit": least / median["engine"],
            "images_per_second": count / median["engine"],
            "seconds": median["engine"],
            "cpu_seconds": busy["engine"],
            "limit_seconds": least,
        }
    return found


def peak(case: str, threads: int) -> float:
    """Peak resident memory of this process [GB] after one batch of the engine alone."""
    name, side, steps, images = CASES[case]
    model = network(name, steps)
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model), threads=threads)
    engine.run(torch.randn(images, 3, side, side), [BITS] * len(engine.layers))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kB


def child(arguments: list[str], environment: dict[str, str]) -> object:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="fewer images of the small network, two rounds")
    parser.add_argument("--case", choices=list(CASES), action="append", help="only this one; may be repeated")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "speed":
        print(json.dumps(measure(given.threads, given.rounds, given.quick, given.case)))
        return
    if given.part == "product":
        print(json.dumps(shared_product()))
        return
    if given.part:
        print(json.dumps(peak(given.part, given.threads)))
        return
    common = ["--threads", str(given.threads), "--rounds", str(2 if given.quick else given.rounds)]
    common += ["--quick"] if given.quick else []
    common += [word for case in given.case or CASES for word in ("--case", case)]
    figures: dict[str, object] = {}
    for allocator, environment in (("default", {}), ("tuned", TUNED)):
        found = child([*common, "--part", "speed"], environment)
        print(f"\nallocator {allocator}, {given.threads} threads, {BITS}-bit weights", end="; ")
        print(", ".join(f"{name} {rate / 1e9:.0f} GMAC/s" for name, rate in found.pop("rates [MAC/s]").items()))
        heads = f"{'images/s':>10}{'seconds':>10}{'limit':>8}{'of limit':>10}{'x plain':>9}{'x cpu':>7}"
        print(f"{'':24}{heads}{'x spikingjelly':>16}")
        for case, row in found.items():
            other = row["ratio_spikingjelly"]
            print(
                f"{case:24}{row['images_per_second']:>10.1f}{row['seconds']:>10.3f}{row['limit_seconds']:>8.3f}"
                f"{row['fraction_of_limit']:>10.0%}{row['ratio_plain_torch']:>9.2f}{row['ratio_plain_torch_cpu']:>7.2f}"
                f"{f'{other:.2f}' if other else 'not installed':>16}"
            )
            row["peak_rss_gb"] = child([*common, "--part", case], environment)
            figures[f"{case}, {allocator} allocator"] = row
    memory = {case: row["peak_rss_gb"] for case, row in figures.items()}
    print("\npeak memory [GB]: " + ", ".join(f"{case} {gb:.2f}" for case, gb in memory.items()))
    product = child(["--part", "product"], {})
    print(f"first convolutions of q, k and v as one product: x {product:.2f}")
    found = {"benchmark": "evaluator", "threads": given.threads, "qkv_as_one_product": product, "cases": figures}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
