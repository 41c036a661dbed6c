"""One table of prefixes for chips and configurations, and how people spell units."""

import pytest

from costmodels.hardware.quantity import Area, Energy, Size
from costmodels.units import factor
from dse.config.quantities import parse


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("kB", "B", 1e3),
        ("KB", "B", 1e3),
        ("MiB", "B", 1048576.0),
        ("uJ", "J", 1e-6),
        ("µJ", "J", 1e-6),
        ("μJ", "J", 1e-6),  # the Greek letter
        ("fJ", "J", 1e-15),
        ("um2", "mm2", 1e-6),
        ("cm²", "mm2", 1e2),
        ("kJ", "B", None),
        ("Kibit", "B", None),
        ("xJ", "J", None),
    ],
)
def test_a_prefix_means_the_same_everywhere(text, unit, expected):
    assert factor(text, unit) == expected
    if expected is not None:
        assert parse(f"3 {text}", unit, "budgets.x", "3") == pytest.approx(3 * expected)


@pytest.mark.parametrize(("written", "same"), [("KB", "kB"), ("kB", "kB"), ("KiB", "KiB"), ("MB", "MB")])
def test_a_chip_reads_sizes_as_a_configuration_does(written, same):
    size = Size(value=64, unit=written, source="design choice")
    assert size == Size(value=64, unit=same, source="design choice")
    assert size.si == 8 * 64 * factor(same, "B")


def test_a_chip_reads_micro_in_every_spelling():
    for letter in ("u", "µ", "μ"):
        assert Energy(value=2, unit=f"{letter}J", source="x").si == pytest.approx(2e-6)
        assert Area(value=5, unit=f"{letter}m2", source="x").si == pytest.approx(5e-6)


@pytest.mark.parametrize("unit", ["Kb", "KJ", "Joule", ""])
def test_what_is_no_unit_of_a_chip_stays_an_error(unit):
    with pytest.raises(ValueError, match="Input should be"):
        Energy(value=2, unit=unit, source="x")
