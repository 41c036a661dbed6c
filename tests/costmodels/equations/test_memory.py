"""Least spill of feature maps against linear programming, and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from costmodels import Workload, actions, breakdown, load_hardware
from costmodels.equations.memory import spilled_maps


@settings(max_examples=80)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=9), st.integers(0, 150))
def test_no_smaller_spill_lets_every_row_run(maps: list[int], size: int):
    found = spilled_maps(np.array(maps, dtype=float), float(size))
    held = np.array(maps) - found
    assert np.all(found >= 0)
    assert np.all(held >= 0)
    assert np.all(held + np.append(held[1:], 0) <= size)
    rows = len(maps)
    pairs = np.eye(rows) + np.eye(rows, k=1)  # (m_i - z_i) + (m_i+1 - z_i+1) <= size
    least = linprog(
        np.ones(rows), A_ub=-pairs, b_ub=size - pairs @ np.array(maps), bounds=[(0, m) for m in maps], method="highs"
    )
    assert found.sum() == pytest.approx(least.fun, abs=1e-6)


def test_a_map_that_spills_is_written_and_read_once():
    """Two maps of 32 768 bytes and 2 KiB of spike memory: 262 144 + 262 144 - 16 384 bits leave and come back."""
    assert spilled_maps(np.array([262144.0, 262144.0]), 16384.0).sum() == 507904
    row = {"kind": "conv", "in_channels": 64, "out_channels": 64, "in_height": 64, "in_width": 64, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([row | {"name": name, "spikes": 1000} for name in "ab"]))
    chip = load_hardware("generic_45nm").with_constant("memories.spikes.size", 16384)
    assert actions(work, chip, 4)["buffer_bits"].tolist() == [2 * 262144, 262144]
    parts = breakdown(work, chip, 4)
    dram = parts[(parts["component"] == "dram") & (parts["quantity"] == "energy_j")]["value"].sum()
    assert dram == pytest.approx(2 * 507904 * chip.chip.dram_energy)
