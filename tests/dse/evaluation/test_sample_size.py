import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.evaluation.sample_size import needed_images


def test_the_number_is_the_normal_margin_solved_for_n():
    # changed 0.15, budget 1 point, half of it as margin: n = 0.15 * (1.6449 / 0.005)^2 = 16233
    assert needed_images(0.15, 1.0) == pytest.approx(0.15 * (1.644854 / 0.005) ** 2, abs=1)


def test_a_simulated_network_keeps_the_guarantee():
    """At that many images a design with half the budget as true drop is within budget in 95 % of the measurements."""
    rng = np.random.default_rng(0)
    changed, budget = 0.10, 1.0
    n = needed_images(changed, budget)
    lost, won = changed / 2 + 0.0025, changed / 2 - 0.0025  # true drop 0.5 points
    counts = rng.multinomial(n, [lost, won, 1 - lost - won], size=4000)
    drops = 100 * (counts[:, 0] - counts[:, 1]) / n
    assert abs((drops <= budget).mean() - 0.95) < 0.01


@given(st.floats(0, 1), st.floats(0.1, 5), st.floats(1.1, 3))
def test_more_chaos_or_a_tighter_budget_needs_more_images(changed, budget, factor):
    n = needed_images(changed, budget)
    assert needed_images(min(1, changed * factor), budget) >= n
    assert needed_images(changed, budget / factor) >= n


def test_no_chaos_needs_no_images():
    assert needed_images(0.0, 1.0) == 0


def test_none_of_a_few_images_is_not_none():
    # (0 + 1) / (8 + 2) = 0.1
    assert needed_images(0.0, 1.0, images=8) == needed_images(0.1, 1.0)


def test_a_budget_of_nothing_cannot_be_guaranteed():
    with pytest.raises(ValueError, match="cannot be guaranteed"):
        needed_images(0.1, 0.0)
