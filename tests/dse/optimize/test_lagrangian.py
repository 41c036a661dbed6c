import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.errors import ConfigError
from dse.optimize import integer_program, lagrangian
from dse.optimize.integer_program import InfeasibleError, Limit
from dse.problem import constraints
from dse.problem.constraints import Sides
from tests.dse.problems import every_design, random_problem, space_of

WIDTHS = [(2, 3, 4, 8), (2, 4, 8), (2, 3, 4, 6, 8), (3, 4, 8), (2, 8)]  # 4 * 3 * 5 * 3 * 2 = 360 designs
SEEDS = st.integers(0, 10_000)


def setting(seed):
    problem = random_problem(seed, WIDTHS)
    exists = problem.space.exists
    harm = np.where(exists, problem.whole.scores, np.inf)
    costs = np.stack([np.where(exists, problem.whole.tables[k], 0.0) for k in ("memory_bytes", "energy_j")])
    return problem, harm, costs


def limits(whole, budgets):
    return {name: Limit(whole.tables[name], most, whole.offsets[name]) for name, most in budgets.items()}


@given(SEEDS)
@settings(max_examples=20)
def test_a_priced_minimum_is_the_minimum_over_all_designs(seed):
    problem, harm, costs = setting(seed)
    prices = lagrangian.draw_prices(np.random.default_rng(seed), harm, costs, 20)
    found = lagrangian.minimisers(harm, costs, prices)
    every = every_design(problem.space)
    values = np.stack([lagrangian.gather(t, every) for t in (harm, *costs)])  # (3, designs)
    for price, levels in zip(prices, found, strict=True):
        total = values[0] + price @ values[1:]
        mine = lagrangian.gather(harm, levels) + price @ [lagrangian.gather(c, levels) for c in costs]
        assert mine == pytest.approx(total.min())


@given(SEEDS)
@settings(max_examples=10)
def test_the_sweep_finds_nothing_but_nondominated_designs_and_both_ends(seed):
    problem, harm, costs = setting(seed)
    levels = lagrangian.front(harm, costs)
    every = every_design(problem.space)
    values = np.stack([lagrangian.gather(t, every) for t in (harm, *costs)], axis=1)
    for row in levels:
        mine = np.array([lagrangian.gather(t, row) for t in (harm, *costs)])
        # a price of zero on one cost leaves ties in that cost, which random tables do not have
        assert not ((values <= mine).all(1) & (values < mine - 1e-12 * mine).any(1)).any()
    assert (levels == 0).all(1).any()
    assert len(np.unique(levels, axis=0)) == len(levels)


@given(SEEDS, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
@settings(max_examples=25)
def test_a_pick_under_two_budgets_is_the_best_of_all_designs(seed, at_memory, at_energy):
    problem, harm, _ = setting(seed)
    every = every_design(problem.space)
    memory, energy = (problem.whole.additive(k, every) for k in ("memory_bytes", "energy_j"))
    budgets = {
        "memory_bytes": float(memory.min() + at_memory * np.ptp(memory)),
        "energy_j": float(energy.min() + at_energy * np.ptp(energy)),
    }
    levels = integer_program.best(problem.space, harm, limits(problem.whole, budgets))
    inside = (memory <= budgets["memory_bytes"]) & (energy <= budgets["energy_j"])
    assert lagrangian.gather(harm, levels) == pytest.approx(lagrangian.gather(harm, every[inside]).min(), rel=1e-4)
    for name, limit in budgets.items():
        assert problem.whole.additive(name, levels) <= limit


@given(SEEDS, st.integers(1, 3), st.sampled_from([None, (3, 4, 8), (2, 4, 8)]), st.booleans())
@settings(max_examples=25)
def test_side_constraints_are_kept_and_cost_no_more_than_they_must(seed, most, allowed, tied):
    problem, harm, _ = setting(seed)
    # at least one common width is allowed in each layer
    sides = Sides((("w:l0", "w:l1", "w:l3"),) if tied else (), most, allowed)
    every = every_design(problem.space)
    widths = problem.space.values(every)
    keep = np.array([len(set(row)) <= most for row in widths])
    if allowed:
        keep &= np.isin(widths, allowed).all(1)
    if tied:
        keep &= (widths[:, 0] == widths[:, 1]) & (widths[:, 0] == widths[:, 3])
    memory = problem.whole.additive("memory_bytes", every)
    limit = float(np.quantile(memory[keep], 0.4)) + 1e-9
    levels = integer_program.best(problem.space, harm, limits(problem.whole, {"memory_bytes": limit * 1.001}), sides)
    expected = lagrangian.gather(harm, every[keep & (memory <= limit * 1.001)]).min()
    assert lagrangian.gather(harm, levels) == pytest.approx(expected, rel=1e-4)
    assert keep[(every == levels).all(1)].all()
    least = integer_program.best(problem.space, problem.whole.tables["memory_bytes"], {}, sides)
    assert problem.whole.additive("memory_bytes", least) == pytest.approx(memory[keep].min())


@given(SEEDS, st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, (3, 4, 8), (2, 8)]), st.booleans())
@settings(max_examples=40)
def test_any_design_can_be_moved_to_one_that_keeps_the_side_constraints(seed, most, allowed, tied):
    space = space_of([(2, 3, 4, 8)] * 5)
    sides = Sides((("w:l0", "w:l1", "w:l3"),) if tied else (), most, allowed)
    levels = space.draw(np.random.default_rng(seed), 1)[0]
    found = constraints.projected(space, sides, levels)
    widths = space.values(found)
    assert len(set(widths)) <= (most or 4)
    assert set(widths) <= set(allowed or (2, 3, 4, 8))
    assert not tied or widths[0] == widths[1] == widths[3]
    assert constraints.obeyed(space, sides, found)[0]
    np.testing.assert_array_equal(constraints.projected(space, sides, found), found)
    if constraints.obeyed(space, sides, levels)[0]:
        np.testing.assert_array_equal(found, levels)


def test_an_impossible_budget_is_named_with_what_is_possible():
    problem, harm, _ = setting(3)
    whole = problem.whole
    least = float(whole.additive("memory_bytes", np.zeros(5, dtype=int)))
    with pytest.raises(InfeasibleError, match=rf"memory_bytes <= .* the least is {least:.6g}"):
        integer_program.best(whole.space, harm, limits(whole, {"memory_bytes": least - 1}))


def test_budgets_that_exclude_each_other_say_what_each_would_need():
    # one layer: memory falls and harm rises with every bit less; 4 bits cost 4 byte and 0.25, 2 bits 2 byte and 1.0
    space = space_of([(2, 4)])
    memory = np.array([[2.0, 4.0]])
    budgets = {"memory": Limit(memory, 3.0), "drop": Limit(np.array([[1.0, 0.25]]), 0.5)}
    with pytest.raises(InfeasibleError, match=r"at once; .*memory would need 4, or drop would need 1$"):
        integer_program.best(space, memory, budgets)


def test_sides_that_leave_nothing_are_refused():
    space = space_of([(2, 4), (8,)])
    table = np.array([[1.0, 2.0], [3.0, np.inf]])
    with pytest.raises(InfeasibleError, match="none of its widths"):
        integer_program.best(space, table, {}, Sides(allowed=(2, 4)))
    with pytest.raises(InfeasibleError, match="contradict"):
        integer_program.best(space, table, {}, Sides(equal=(("w:l0", "w:l1"),)))
    with pytest.raises(ConfigError, match="no dimension 'w:x'"):
        integer_program.best(space, table, {}, Sides(equal=(("w:x", "w:l1"),)))


def test_a_single_free_layer_and_a_flat_harm_work():
    space = space_of([(2, 4, 8)])
    memory = np.array([[[2.0, 4.0, 8.0]]])
    assert lagrangian.front(np.array([[4.0, 1.0, 0.0]]), memory).tolist() == [[0], [1], [2]]
    assert lagrangian.front(np.zeros((1, 3)), memory).tolist() == [[0]]
    assert integer_program.best(space, memory[0], {"m": Limit(memory[0], 9.0)}).tolist() == [0]
