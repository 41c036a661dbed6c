import itertools

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optuna.study._multi_objective import _fast_non_domination_rank

from dse.optimize import pareto

# a coarse grid of values, so that ties and equal points are common
CLOUDS = st.integers(1, 12).flatmap(lambda n: arrays(float, (n, 3), elements=st.integers(0, 4).map(float)))


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


def cells_dominated(points, reference):
    """Volume by counting unit cells of an integer grid: cell c is dominated if a point is at or below its corner."""
    corners = np.array(list(itertools.product(*(range(int(r)) for r in reference))))
    return sum(any((p <= c).all() for p in points) for c in corners)


@given(CLOUDS)
def test_nondominated_is_what_the_definition_says(points):
    expected = [not any(dominates(q, p) for q in points) for p in points]
    assert pareto.is_nondominated(points).tolist() == expected


@given(CLOUDS)
def test_ranks_are_those_of_peeling_fronts_off_and_of_optuna(points):
    left, rank, expected = np.arange(len(points)), 0, np.zeros(len(points), dtype=int)
    while len(left):
        top = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        expected[top] = rank
        left, rank = np.setdiff1d(left, top), rank + 1
    assert pareto.ranks(points).tolist() == expected.tolist()
    assert _fast_non_domination_rank(points).tolist() == expected.tolist()


@given(CLOUDS)
@settings(max_examples=50)
def test_hypervolume_counts_the_dominated_cells(points):
    reference = np.array([4.0, 4.0, 4.0])
    expected = cells_dominated(points, reference)
    assert pareto.hypervolume(points, reference) == pytest.approx(expected)
    inside = np.minimum(points, reference)  # Optuna's wants no point beyond the reference
    assert optuna._hypervolume.compute_hypervolume(inside, reference) == pytest.approx(expected)


@given(CLOUDS, CLOUDS)
@settings(max_examples=50)
def test_an_improvement_is_the_difference_of_two_hypervolumes(front, candidates):
    reference = np.array([3.5, 4.0, 4.5])
    before = pareto.hypervolume(front, reference)
    expected = [pareto.hypervolume(np.vstack([front, c]), reference) - before for c in candidates]
    assert pareto.improvements(candidates, front, reference) == pytest.approx(expected, abs=1e-9)


@given(CLOUDS, CLOUDS, st.integers(1, 4))
@settings(max_examples=50)
def test_a_batch_is_the_greedy_choice(front, candidates, count):
    reference = np.array([4.5, 4.5, 4.5])
    chosen = pareto.best_batch(candidates, front, reference, count)
    grown = front
    for i in chosen:
        gains = pareto.improvements(candidates, grown, reference)
        assert gains[i] == pytest.approx(gains.max())
        grown = np.vstack([grown, candidates[i]])
    if len(chosen) < count:
        assert pareto.improvements(candidates, grown, reference).max() == pytest.approx(0.0)


def test_no_points_no_volume():
    nothing = np.zeros((0, 3))
    assert pareto.hypervolume(nothing, [1, 1, 1]) == 0.0
    assert pareto.improvements([[0.5, 0.5, 0.5]], nothing, [1, 1, 1]) == pytest.approx(0.125)  # 0.5^3
    assert pareto.is_nondominated(nothing).shape == pareto.ranks(nothing).shape == (0,)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        pareto.is_nondominated([[0.0, np.nan]])
    with pytest.raises(ValueError, match="shape"):
        pareto.ranks([1.0, 2.0])
