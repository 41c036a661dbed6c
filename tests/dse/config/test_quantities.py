import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.config.quantities import QUANTITIES, parse, show
from dse.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("300 kB", "B", 300e3),
        ("300kB", "B", 300e3),
        ("2 MiB", "B", 2 * 1024 * 1024),
        ("20 uJ", "J", 20e-6),
        ("20 µJ", "J", 20e-6),
        ("1.5e-3", "J", 1.5e-3),
        (4, "mm2", 4.0),
        ("30 mm2", "mm2", 30.0),
        ("3e1mm2", "mm2", 30.0),
        ("30 mm²", "mm2", 30.0),
        ("0.3 cm2", "mm2", 30.0),
        ("5e5 um2", "mm2", 0.5),
        ("0.8 pp", "pp", 0.8),
        ("5 ms", "s", 5e-3),
    ],
)
def test_numbers_with_units(text, unit, value):
    assert parse(text, unit, "key", "1") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["many", "3 W", "-1 J", "1 kmm2", "1.2.3 J", "inf J", ""])
def test_nonsense_names_the_key(text):
    with pytest.raises(ConfigError, match=r"budgets\.energy is"):
        parse(text, "J", "budgets.energy", "20 uJ")


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.key)
def test_the_example_of_a_message_is_accepted(quantity):
    assert parse(quantity.example, quantity.unit, quantity.key, quantity.example) > 0


@given(st.floats(1e-12, 1e11))
def test_a_shown_value_reads_back_to_three_digits(value):
    assert parse(show(value, "J"), "J", "key", "") == pytest.approx(value, rel=6e-3)
