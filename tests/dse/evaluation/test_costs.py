"""Additive tables against the cost model itself, for widths, membrane potentials and time steps."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodels import Designs, Workload, estimate, load_hardware, separable_tables
from costmodels.workload.examples import example_table
from dse.evaluation.costs import Costing
from dse.evaluation.separable import additive_tables
from dse.problem.build_space import build_space
from dse.problem.by_form import ByForm
from dse.problem.design import Design
from dse.results.tables import as_written, costed


@cache
def problem():
    table = example_table("sdtv2_8_256", 0.2, 4, False)
    space = build_space(
        table,
        widths=(2, 4, 8),
        granularity="block",
        other_widths={"state": (6, 8, 16)},
        time_steps=(1, 2, 4),
        fixed={"head": 8},
    )
    workload = Workload.from_table(table)
    costing = Costing(ByForm.single(workload, workload.weight_layers), load_hardware("generic_45nm"), 30.0)
    return space, costing, {t: additive_tables(costing, space, t) for t in (1, 2, 4)}


@cache
def bounds(steps):
    """How far the energy [J] may lie under and over the tables' sum: some weights are pinned and the rest streams."""
    _, costing, _ = problem()
    options = Designs(np.repeat([[2], [4], [8]], len(costing.workload.weight_layers), axis=1), time_steps=steps)
    known = separable_tables(costing.workload, costing.hardware, options, frame_rate=30.0)
    return known.below["energy_j"], known.above["energy_j"]


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_tables_add_up_to_the_estimate(seed):
    space, costing, tables = problem()
    levels = space.draw(np.random.default_rng(seed), 1)[0]
    design = space.design(levels)
    known, offsets = tables[design.time_steps]
    cost = costing.columns([design])
    for quantity, (below, above) in (("memory_bytes", (0.0, 0.0)), ("energy_j", bounds(design.time_steps))):
        added, exact = offsets[quantity] + known[quantity][np.arange(len(levels)), levels].sum(), cost[quantity][0]
        assert exact - added >= -below - 1e-9 * exact
        assert exact - added <= above + 1e-9 * exact
        assert added == pytest.approx(exact, rel=1e-2)


def test_levels_and_designs_cost_the_same():
    space, costing, _ = problem()
    levels = space.draw(np.random.default_rng(3), 20)
    by_levels = costing.objective_costs(space, ("drop", "memory_bytes", "power_w"))(levels)
    columns = costing.columns([space.design(row) for row in levels])
    assert np.array_equal(by_levels, np.stack([columns["memory_bytes"], columns["power_w"]], axis=-1))


def test_a_design_is_costed_with_its_own_state_widths():
    space, costing, _ = problem()
    costing = Costing(costing.workloads, load_hardware("seneca_like"), 30.0)  # keeps potentials in memory
    levels = space.sizes - 1
    design = space.design(levels)
    states = {**design.state_bits, "block3": 6}
    narrow = Design(design.layers, design.weight_bits, design.time_steps, states)
    by_hand = [6 if stage == "block3" else 16 for stage in costing.workload.stages]
    expected = estimate(
        costing.workload, costing.hardware, Designs(design.widths, time_steps=4, state_bits=by_hand), frame_rate=30.0
    )
    cost = costing.columns([design, narrow])
    assert cost["memory_bytes"][1] == pytest.approx(float(expected.memory_bytes))
    assert cost["memory_bytes"][1] < cost["memory_bytes"][0]


def test_states_that_a_design_leaves_open_have_the_chips_width_and_a_float_networks_32():
    space, costing, _ = problem()
    searched = space.design(space.sizes - 1)
    plain = Design(searched.layers, searched.weight_bits, 4)
    wide = Design(searched.layers, (32,) * len(searched.layers), 4)
    together = costing.columns([searched, plain, wide])["energy_j"]
    alone = [float(costing.columns([d])["energy_j"][0]) for d in (searched, plain, wide)]
    assert together == pytest.approx(alone, rel=1e-12)


def test_results_say_why_a_design_does_not_fit_and_have_no_power_at_a_rate_that_is_not_reached():
    space, costing, _ = problem()
    design = space.design(space.sizes - 1)
    spikes = np.full((1, 77), 100.0)
    table = pd.DataFrame({"id": ["a"]})
    reached = costed(table, costing, [design], spikes)
    assert reached["reasons"].tolist() == [""]
    assert as_written(reached)["power_w"].tolist() == reached["power_w"].tolist()
    fast = costed(table, Costing(costing.workloads, costing.hardware, 1e6), [design], spikes)
    assert not fast["fits"][0]
    assert "at 1e+06 per second there are 1e-06 s: lower the frame rate" in fast["reasons"][0]
    assert as_written(fast)["power_w"].isna().all()
    assert fast["power_w"].notna().all()  # the search still ranks by it


@cache
def every_width():
    """A space with streams and sums between layers, its costs, its tables, and by how much these miss the narrowest."""
    table = example_table("sdtv2_8_256", 0.2, 4, False)
    widths = {"state": (6, 16), "stream": (6, 8, 16), "between": (6, 8, 16)}
    space = build_space(table, widths=(2, 4, 8), granularity="block", other_widths=widths)
    workload, chip = Workload.from_table(table), load_hardware("generic_22nm")
    chip = chip.with_constant("memories.weights.size", 1e12)  # nothing streams, so that weights add up exactly
    costing = Costing(ByForm.single(workload, workload.weight_layers), chip, 30.0)
    tables = additive_tables(costing, space)
    narrowest = np.zeros((1, len(space.dimensions)), dtype=np.int64)
    return space, costing, tables, missed(costing, space, tables, narrowest)["energy_j"][0]


def missed(costing, space, tables, levels):
    """What costs lie over the sum of the tables, by quantity, (N,)."""
    known, offsets = tables
    cost, rows = costing.of_levels(space, levels), np.arange(levels.shape[1])
    return {name: cost[name] - offsets[name] - known[name][rows, levels].sum(1) for name in known}


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_tables_of_streams_and_sums_are_a_lower_bound_of_the_energy(seed):
    """A multiplier's energy is the product of two widths, which no sum of two tables gives; its error is bounded.

    (W - w)(N - n) is missed for a weight of w and an input of n bits, W and N being the widest: never negative, and
    largest where all are narrowest.
    """
    space, costing, tables, most = every_width()
    levels = space.draw(np.random.default_rng(seed), 8)
    over, cost = missed(costing, space, tables, levels), costing.of_levels(space, levels)
    assert (over["energy_j"] >= -1e-9 * cost["energy_j"]).all()
    assert (over["energy_j"] <= most + 1e-9 * cost["energy_j"]).all()
    assert most < 0.15 * cost["energy_j"].min()
    wide = np.where([d.kind in ("weight", "state", "stream") for d in space.dimensions], levels, space.sizes - 1)
    assert missed(costing, space, tables, wide)["energy_j"] == pytest.approx(0.0, abs=1e-9 * cost["energy_j"].min())
    assert over["memory_bytes"] == pytest.approx(0.0, abs=1e-9 * cost["memory_bytes"].min())
