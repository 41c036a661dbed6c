"""The table of docs/validation.md is what the models say of measured chips, failures included."""

from pathlib import Path

import silicon

PAGE = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")


def test_the_table_of_the_page_is_recomputed():
    rows = silicon.table()
    assert len({row.what for row in rows}) == len(rows)
    for row in rows:
        assert silicon.line(row) in PAGE
    printed = [text for text in PAGE.split("## ")[0].splitlines() if text.startswith("| ") and "| why" not in text]
    assert len(printed) == len(rows)


def test_rows_that_use_the_chips_own_constants_are_called_calibration():
    for row in silicon.table():
        assert (row.kind == "calibration") == ("its own" in row.why)


def test_odins_power_is_leakage_clock_and_events():
    """The two measured powers follow from the chip's own three constants, as its paper says."""
    for megahertz, rate, measured in ((75, 37.5e6, 477e-6), (1.3, 650e3, 35e-6)):
        by_hand = silicon.LEAK_W + silicon.CLOCK_J * megahertz * 1e6 + 8.43e-12 * rate
        assert abs(by_hand / measured - 1) < 0.01


def test_a_query_on_loihi_is_its_events_by_hand():
    low, high = silicon.neighbours("loihi_like")
    sweeps = 76_800 * 60 * 52e-12
    assert abs(low / (667 * 76_800 * 23.6e-12 + sweeps) - 1) < 1e-9
    assert abs(high / (750 * 76_800 * 23.6e-12 + sweeps) - 1) < 1e-9
