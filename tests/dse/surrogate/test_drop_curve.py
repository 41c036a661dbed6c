"""The curve from harm to drop: its derivatives by differences, its inverse, and the shapes that it must have."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.surrogate.drop_curve import Curve

HARM = np.geomspace(1e-3, 200, 25)
CURVES = st.builds(
    Curve,
    cap=st.floats(20, 95),
    early=st.floats(0.4, 4),
    late=st.floats(0.4, 4),
    knee=st.floats(0.5, 20),
    norm=st.floats(1, 4.5),
)


@given(CURVES)
def test_derivatives_are_those_of_differences(curve):
    point = curve.at(HARM)

    def slope(up, down):
        return (up - down) / 2e-6

    log_step = slope(curve(HARM * np.exp(1e-6)), curve(HARM * np.exp(-1e-6)))
    assert point.by_harm * HARM == pytest.approx(log_step, rel=1e-4, abs=1e-6)
    for name in ("cap", "early", "late", "knee"):
        moved = [replace(curve, **{name: getattr(curve, name) * np.exp(sign * 1e-6)})(HARM) for sign in (1, -1)]
        assert getattr(point, f"by_{name}") == pytest.approx(slope(*moved), rel=1e-4, abs=1e-6)


@given(CURVES, st.floats(0.01, 15))
def test_more_harm_never_loses_less_and_the_inverse_is_one(curve, drop):
    assert (np.diff(curve(HARM)) >= 0).all()
    assert curve(np.array(curve.harm_of(drop))) == pytest.approx(drop, rel=1e-6)


def test_known_curves_are_special_cases():
    plain = Curve(*np.array([70.0, 1.0, 1.0, 3.0]))
    assert plain(HARM) == pytest.approx(70 * (1 - np.exp(-HARM / 70)))
    cliff = Curve(*np.array([70.0, 1.0, 3.0, 2.0]))  # z (1 + (z / 2)^2)
    assert cliff(HARM) == pytest.approx(70 * (1 - np.exp(-HARM * (1 + (HARM / 2) ** 2) / 70)))
    worst = Curve(*np.array([70.0, 1.0, 1.0, 3.0]), norm=3.0)
    assert worst(np.array([8.0 + 27.0])) == pytest.approx(70 * (1 - np.exp(-(35 ** (1 / 3)) / 70)))
