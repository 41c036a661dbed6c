"""Least spill of feature maps against linear programming, and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from costmodels import Workload, actions, breakdown, load_hardware
from costmodels.equations.memory import buffers, spilled
from costmodels.workload.streams import Shortcuts


def at_rows(first: list[int], after: list[int], rows: int) -> Shortcuts:
    """Additions that hold sums from a row to another."""
    none = np.zeros(len(first))
    return Shortcuts(none, none, rows, tuple(first), tuple(after), tuple(first))


def least(maps: np.ndarray, sums: np.ndarray, shortcuts: Shortcuts, size: float) -> np.ndarray:
    """The spill of maps and sums."""
    return spilled(buffers(maps, sums, shortcuts), maps, sums, shortcuts, size)


@settings(max_examples=80)
@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 8), st.integers(0, 4)), max_size=4),
    st.integers(0, 150),
)
def test_no_smaller_spill_lets_every_row_run(maps: list[int], sums: list[tuple[int, int, int]], size: int):
    rows = len(maps)
    first = [start % rows for _, start, _ in sums]
    after = [min(start + length, rows - 1) for start, (_, _, length) in zip(first, sums, strict=True)]
    shortcuts, held = at_rows(first, after, rows), np.array([bits for bits, _, _ in sums], dtype=float)
    found = least(np.array(maps, dtype=float), held, shortcuts, float(size))
    batch = least(np.array([maps, maps], dtype=float), held, shortcuts, float(size))
    assert (batch == found).all()
    spans = [(max(row - 1, 0), row) for row in range(rows)] + list(zip(first, after, strict=True))
    live = np.array([[start <= row <= end for start, end in spans] for row in range(rows)], dtype=float)
    sizes = np.concatenate([maps, held])
    assert (buffers(np.array(maps, dtype=float), held, shortcuts) == live @ sizes).all()
    optimum = linprog(
        np.ones(len(sizes)), A_ub=-live, b_ub=size - live @ sizes, bounds=[(0, m) for m in sizes], method="highs"
    )
    assert found.sum() == pytest.approx(optimum.fun, abs=1e-6)


def test_a_map_that_spills_is_written_and_read_once():
    """Two maps of 32 768 bytes and 2 KiB of spike memory: 262 144 + 262 144 - 16 384 bits leave and come back."""
    assert least(np.array([262144.0, 262144.0]), np.zeros(0), at_rows([], [], 2), 16384.0).sum() == 507904
    row = {"kind": "conv", "in_channels": 64, "out_channels": 64, "in_height": 64, "in_width": 64, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([row | {"name": name, "spikes": 1000} for name in "ab"]))
    chip = load_hardware("generic_45nm").with_constant("memories.spikes.size", 16384)
    assert actions(work, chip, 4)["buffer_bits"].tolist() == [2 * 262144, 262144]
    parts = breakdown(work, chip, 4)
    dram = parts[(parts["component"] == "dram") & (parts["quantity"] == "energy_j")]["value"].sum()
    assert dram == pytest.approx(2 * 507904 * chip.chip.dram_energy)
