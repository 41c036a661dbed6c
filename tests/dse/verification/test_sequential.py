import numpy as np
import pytest

from dse.verification import sequential
from dse.verification.sequential import boundaries, looks, shown


def test_boundaries_of_equal_looks_are_pococks():
    """Jennison and Turnbull, Group Sequential Methods (2000), table 2.1: 2.413 at five looks, two-sided 0.05.

    Pocock's constant boundary spends nearly as ln(1 + (e - 1) t), so each look's boundary lies within 0.1 of it.
    """
    found = boundaries(np.arange(1, 6) / 5, level=0.025)
    assert found == pytest.approx(np.full(5, 2.413), abs=0.1)


def test_one_look_is_the_plain_test():
    assert boundaries([1.0]) == pytest.approx([1.644854])


def test_the_level_is_kept_by_brute_force():
    t = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.0])
    limits = boundaries(t)
    steps = np.random.default_rng(0).standard_normal((200_000, len(t))) * np.sqrt(np.diff(t, prepend=0))
    scores = steps.cumsum(axis=1) / np.sqrt(t)
    assert (scores >= limits).any(axis=1).mean() == pytest.approx(sequential.LEVEL, abs=0.002)


def test_looks_double_and_end_with_everything():
    assert looks(20) == (1, 2, 4, 8, 16, 20)
    assert looks(1) == (1,)


def test_nothing_is_shown_after_the_first_that_is_not():
    assert shown([[3.0], [0.0, 2.5], [0.1], [9.0]], [2.7, 2.4]).tolist() == [True, True, False, False]
