"""Published accelerators on one spiking transformer, from published densities, powers and traffic: nothing is tuned.

    python benchmarks/architectures.py

Prosperity (Wei et al., HPCA 2025, arXiv 2503.03379) prints the energy of five architectures for the spike-driven
transformer of depth 4 and 512 channels on CIFAR-10. Here their operations come from costmodels, at the densities that
the paper's abstract gives for another network, and become energy as in the paper's simulator: power on the chip times
cycles at 500 MHz, and DRAM traffic at 12.45 pJ/bit. The last line is JSON.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import pandas as pd

from costmodels import Workload, actions, configured, load_hardware

BIT, PRODUCT = 0.1319, 0.0123  # densities of SpikeBERT, abstract of arXiv 2503.03379
STEPS, CLOCK = 4, 500e6
DRAM_BIT = 12.45e-12  # J, simulator/energy.py of github.com/dubcyfor3/Prosperity
PROSPERITY_BITS = 241_565_696  # DRAM traffic of sdt_cifar10, reference/mem_reference.csv of the same repository
WINDOW = 4  # time steps that PTB works on together, baselines.py of the same repository


class Architecture(NamedTuple):
    """Power on the chip [W], DRAM traffic over Prosperity's (simulator/energy.py), and published energy [mJ]."""

    power_w: float
    traffic: float
    published_mj: float


PUBLISHED = {
    "Eyeriss": Architecture(1.4105, 5.47, 127.6),
    "PTB": Architecture(0.982, 2.53, 52.4),
    "SATO": Architecture(0.3195, 4.85, 23.7),
    "MINT": Architecture(0.3963, 3.12, 16.3),
    "Prosperity": Architecture(0.4465, 1.00, 5.71),
}


class Row(NamedTuple):
    """One architecture: operations that it takes time for, and energies [mJ]."""

    name: str
    operations: float
    published_mj: float
    modelled_mj: float


def layer(name: str, inputs: int, outputs: int, pixels: int, kernel: int = 1) -> dict[str, object]:
    """A layer at the two densities; its input is a square map where the kernel is larger than 1."""
    height = math.isqrt(pixels) if kernel > 1 else 1
    macs = inputs * outputs * kernel**2 * pixels
    row = {"name": name, "kind": "conv" if kernel > 1 else "linear", "in_channels": inputs, "out_channels": outputs}
    row |= {"kernel": kernel, "padding": kernel // 2, "in_height": height, "in_width": pixels // height}
    row |= {"spikes": BIT * inputs * pixels * STEPS, "time_steps": STEPS, "macs": macs, "synops": BIT * macs * STEPS}
    return row | {"product_synops": PRODUCT * macs * STEPS, "product_sums": 0.0}


def encoder(depth: int, channels: int, tokens: int) -> list[dict[str, object]]:
    """The linear layers of transformer blocks (configs.py of the simulator); attention products are left out there."""
    shapes = {"qkv": (1, 3), "o": (1, 1), "fc1": (1, 4), "fc2": (4, 1)}
    return [
        layer(f"{block}.{name}", before * channels, behind * channels, tokens)
        for block in range(depth)
        for name, (before, behind) in shapes.items()
    ]


def sdt() -> Workload:
    """The spike-driven transformer on CIFAR-10, as configs.py of the simulator has it (conv2d_2 at 32 x 32)."""
    stem = [
        *(layer("conv1", 64, 128, 1024, 3), layer("conv2", 128, 256, 1024, 3)),
        *(layer("conv3", 256, 512, 256, 3), layer("rpe", 512, 512, 64, 3)),
    ]
    return Workload.from_table(pd.DataFrame([*stem, *encoder(4, 512, 64)]))


def spikebert() -> Workload:
    """SpikeBERT on 128 tokens: 12 blocks of 768 channels."""
    return Workload.from_table(pd.DataFrame(encoder(12, 768, 128)))


def operations(work: Workload) -> dict[str, float]:
    """Operations that each architecture takes time for: all, those of windows with a spike, of spikes, or what is left.

    Spikes of a window of steps count as independent, which is the most windows that they can reach.
    """
    chip = load_hardware("generic_45nm")
    counted = {
        flow: float(actions(work, configured(chip, {"dataflow": flow}), 8)["additions"].sum())
        for flow in ("tick_batched", "product_sparsity")
    }
    dense = float((work.columns["macs"] * work.time_steps).sum())
    spikes = counted["tick_batched"]
    windows = dense * (1 - (1 - spikes / dense) ** WINDOW)
    return {
        **{"Eyeriss": dense, "PTB": windows, "SATO": spikes, "MINT": spikes},
        "Prosperity": counted["product_sparsity"],
    }


def table() -> list[Row]:
    """Every architecture, in the order of the publication."""
    elements = {"Eyeriss": 14 * 12}  # the others have 128
    rows = []
    for name, count in operations(sdt()).items():
        known = PUBLISHED[name]
        seconds = count / elements.get(name, 128) / CLOCK
        joules = known.power_w * seconds + known.traffic * PROSPERITY_BITS * DRAM_BIT
        rows.append(Row(name, count, known.published_mj, joules * 1e3))
    return rows


def line(row: Row) -> str:
    """The row as docs/validation.md prints it."""
    ratio = row.modelled_mj / row.published_mj
    return f"| {row.name} | {row.operations / 1e9:.2f} | {row.published_mj:g} | {row.modelled_mj:.1f} | {ratio:.2f} |"


def main() -> None:
    """Print the table and, last, one line of JSON."""
    rows = table()
    print("| architecture | operations [G] | published [mJ] | modelled [mJ] | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print(line(row))
    print(json.dumps({row.name: row.modelled_mj / row.published_mj for row in rows}))


if __name__ == "__main__":
    main()
