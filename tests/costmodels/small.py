"""Small workloads and chips whose costs can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from costmodels import Hardware, Workload, load_hardware

CONV = {
    **{"name": "stem.conv", "kind": "conv", "input": "spike", "in_channels": 2, "out_channels": 4, "kernel": 3},
    **{"padding": 1, "in_height": 4, "in_width": 4, "spikes": 10, "synops": 300, "time_steps": 2},
}
HEAD = {"name": "head", "kind": "linear", "in_channels": 64, "out_channels": 10, "spikes": 20, "time_steps": 2}


def two_layers(**changes: Any) -> Workload:
    """A 3x3 convolution 2 -> 4 channels on 4x4 pixels, and a classifier 64 -> 10; two time steps."""
    return Workload.from_table(pd.DataFrame([CONV | changes, HEAD]))


PLAIN = """\
title: plain
description: round numbers
node: {value: 45, unit: nm, source: test}
dataflow: DATAFLOW
weight_widths: [1, 2, 3, 4, 8]
frame_rate: {value: 10, unit: 1/s, source: test}
clock: {value: 1, unit: MHz, source: test}
processing_elements: {value: 4, unit: "1", source: test}
tile_positions: {value: 2, unit: "1", source: test}
logic_leakage: {value: 1, unit: uW, source: test}
compute:
  style: integer
  table: horowitz
  accumulator: grown
  accumulator_bits: {value: 32, unit: bit, source: test}
  control_factor: {value: 2, unit: "1", source: test}
  add_per_bit: {value: 1, unit: pJ/bit, source: test}
  multiply_per_bit2: {value: 1, unit: pJ/bit2, source: test}
  multiply_per_bit: {value: 0, unit: pJ/bit, source: test}
  register_per_bit: {value: 0.1, unit: pJ/bit, source: test}
widths:
  state: {value: 8, unit: bit, source: test}
  scale: {value: 16, unit: bit, source: test}
  bias: {value: 16, unit: bit, source: test}
memories:
  weights: MEMORY
  states: MEMORY
  spikes: MEMORY
dram:
  energy: {value: 5, unit: pJ/bit, source: test}
  bandwidth: {value: 1, unit: MB/s, source: test}
"""
MEMORY = """
    size: {value: SIZE, unit: B, source: test}
    word: {value: 16, unit: bit, source: test}
    read: {value: 7, unit: pJ, source: test}
    write: {value: 3, unit: pJ, source: test}
    leakage: {value: 2, unit: uW, source: test}
    area: {value: 0.5, unit: mm2, source: test}
    cycle: {value: 0, unit: ns, source: test}
"""


def plain_text(dataflow: str = "tick_batched", size: int = 4096) -> str:
    memory = MEMORY.rstrip().replace("SIZE", str(size))
    return PLAIN.replace("DATAFLOW", dataflow).replace(" MEMORY", memory)


def plain(folder: Path, dataflow: str = "tick_batched", size: int = 4096) -> Hardware:
    """A chip of round numbers with 16-bit words; `size` bytes in each memory."""
    path = folder / f"plain_{dataflow}_{size}.yaml"
    path.write_text(plain_text(dataflow, size), encoding="utf-8")
    return load_hardware(path)


def with_datapath(text: str, **entries: object) -> str:
    """The text of a chip with a datapath; numbers are in bits, but lanes."""
    lines = ["  datapath:"]
    for key, value in entries.items():
        unit = '"1"' if key == "lanes" else "bit"
        lines.append(f"    {key}: {value if key == 'form' else f'{{value: {value}, unit: {unit}, source: test}}'}")
    return text.replace("  accumulator: grown", "\n".join([*lines, "  accumulator: grown"]))
