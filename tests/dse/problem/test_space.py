import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.errors import ConfigError
from dse.problem.build_space import build_space
from dse.problem.design import Design, uniform
from dse.problem.space import Dimension, Space

# two plain layers, a RepConv of three convolutions in one group, a row without weights
TABLE = pd.DataFrame(
    {
        "name": ["first", "b.0.q.body.0", "b.0.q.body.1", "b.0.q.body.2", "b.0.kv", "head"],
        "group": ["first", "b.0.q", "b.0.q", "b.0.q", "b.0.kv", "head"],
        "block": ["first", "b.0", "b.0", "b.0", "b.0", "head"],
        "stage": ["first", "b", "b", "b", "b", "head"],
        "weights": [10, 20, 5, 20, 0, 30],
        "neurons": [0, 8, 0, 0, 16, 4],
    }
)


def test_modules_group_the_convolutions_of_a_repconv():
    space = build_space(TABLE, widths=[2, 4, 8])
    assert space.names == ("w:first", "w:b.0.q", "w:head")
    assert space.weight_bits(np.array([0, 1, 2])).tolist() == [2, 4, 4, 4, 8]


@pytest.mark.parametrize(("granularity", "count"), [("layer", 5), ("module", 3), ("block", 3), ("stage", 3)])
def test_granularities(granularity, count):
    space = build_space(TABLE, widths=[2, 8], granularity=granularity)
    assert len(space.dimensions) == count
    assert space.layers == ("first", "b.0.q.body.0", "b.0.q.body.1", "b.0.q.body.2", "head")


def test_fixed_layers_are_not_searched_and_keep_their_width():
    space = build_space(TABLE, widths=[2, 4], fixed={"first": 8, "b": 16})
    assert space.names == ("w:head",)
    assert space.weight_bits(np.array([[0], [1]])).tolist() == [[8, 16, 16, 16, 2], [8, 16, 16, 16, 4]]


def test_a_fixed_name_that_does_not_exist_names_the_stages():
    with pytest.raises(ConfigError, match="no layer, group, block or stage 'heads'; stages are first, b, head"):
        build_space(TABLE, widths=[2], fixed={"heads": 8})


def test_nothing_left_to_search_is_a_mistake():
    with pytest.raises(ConfigError, match="nothing is left to search"):
        build_space(TABLE, widths=[2], fixed={"first": 8, "b": 8, "head": 8})


def test_state_widths_and_time_steps_are_dimensions():
    space = build_space(TABLE, widths=[4], other_widths={"state": [8, 12]}, time_steps=[1, 2])
    assert space.names[-3:] == ("v:b", "v:head", "T")
    design = space.design(np.array([0, 0, 0, 1, 0, 1]))
    assert design.time_steps == 2
    assert dict(design.state_bits) == {"b": 12, "head": 8}
    # a dimension with one choice is not in Optuna's space
    assert set(space.distributions()) == {"v:b", "v:head", "T"}


def test_one_point_of_a_batch_is_the_point_alone():
    space = build_space(TABLE, widths=[2, 3, 5], time_steps=[1, 4])
    points = space.draw(np.random.default_rng(0), 20)
    for point, bits, steps in zip(points, space.weight_bits(points), space.steps(points), strict=True):
        design = space.design(point)
        assert design.widths.tolist() == bits.tolist() == space.weight_bits(point).tolist()
        assert design.time_steps == steps == space.steps(point)


@given(st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_levels_and_parameters_are_inverse(levels):
    space = build_space(TABLE, widths=[2, 4, 8])
    assert space.levels(space.params(levels)).tolist() == levels


def test_the_size_of_the_space_is_the_number_of_its_designs():
    space = build_space(TABLE, widths=[2, 4], time_steps=[1, 2, 4])
    points = itertools.product(*(range(n) for n in space.sizes))
    ids = {space.design(np.array(p)).id for p in points}
    assert len(ids) == 2**3 * 3 == round(10**space.log10_size)


def test_nearest_levels_take_the_wider_of_two_equally_near():
    space = Space((Dimension("w:a", "weight", (2, 4, 6), ("a",)),), ("a",))
    assert [space.nearest_levels(b)[0] for b in (1, 3, 4, 5, 8)] == [0, 1, 1, 2, 2]


def test_choices_must_ascend():
    with pytest.raises(ConfigError, match="must be ascending"):
        Dimension("w:a", "weight", (4, 2), ("a",))


def test_a_design_is_its_content():
    one = Design(("a", "b"), (2, 4), 1, {"s": 8})
    assert one.id == Design(("a", "b"), (2, 4), 1, {"s": 8}).id
    others = [
        Design(("a", "b"), (4, 2), 1, {"s": 8}),
        Design(("a", "b"), (2, 4), 2, {"s": 8}),
        uniform(("a", "b"), 2, 1),
    ]
    assert len({one.id, *(d.id for d in others)}) == 4
    assert one.columns() == {"v:s": 8, "w:a": 2, "w:b": 4}


def test_a_row_of_results_is_the_design_that_wrote_it():
    one = Design(("a", "b"), (2, 4), 3, {"s": 8})
    row = {"id": one.id, "origin": "guided", "time_steps": 3, "drop": 0.5, **one.columns(), "s:lif": 7.0}
    assert Design.of_row(row) == one
    without = uniform(("a", "b"), 2, 1)
    assert Design.of_row({"time_steps": 1, **without.columns()}) == without
    assert one.lif_bits({"s": ["x.lif", "y.lif"], "t": ["z.lif"]}) == {"x.lif": 8, "y.lif": 8}


def test_a_design_needs_one_width_per_layer():
    with pytest.raises(ValueError, match="2 layers but 1 widths"):
        Design(("a", "b"), (2,), 1)
