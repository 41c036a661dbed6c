"""One-at-a-time distances: which of them fall with the width as rounding does, and what a look at them costs."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.config.schema import Config, Data, Quantization, Search
from dse.evaluation.distances import (
    Distances,
    distances_for,
    distances_of,
    distances_that_tell,
    falls,
    measure_distances,
    trusted,
    written,
)
from dse.evaluation.prepare import prepare

NAN = float("nan")
CHOICES = np.array([[1, 2, 4], [2, 4, 8], [2, 3, 3], [2, 4, 8]])
TABLE = np.array([[NAN, 0.032, 0.002], [0.03, 0.02, NAN], [0.5, NAN, NAN], [NAN, NAN, NAN]])


def test_distances_that_fall_are_kept_and_flat_ones_are_not():
    """By hand: 16-fold over two bits is rounding, 1.5-fold is not; one width cannot tell; nothing stays nothing."""
    factor, bits = falls(TABLE, CHOICES)
    np.testing.assert_allclose(factor, [16.0, 1.5, NAN, NAN])
    assert bits.tolist() == [2, 2, 0, 0]
    kept = trusted(TABLE, CHOICES)
    np.testing.assert_array_equal(kept[[0, 2, 3]], TABLE[[0, 2, 3]])
    assert np.isnan(kept[1]).all()


@given(floor=st.floats(0, 1), harm=st.floats(1e-3, 1))
def test_a_floor_below_a_fifth_of_the_narrow_harm_is_trusted_and_one_above_is_not(floor, harm):
    """(h + c) / (h / 16 + c) >= 4 where c <= h / 4: the law of rounding plus a floor, solved for the floor."""
    table = np.array([[harm + floor, harm / 16 + floor]])
    kept = np.isfinite(trusted(table, np.array([[2, 4]]))).all()
    if abs(floor - harm / 4) > 1e-9:
        assert kept == (floor < harm / 4)


def test_distances_come_back_from_json():
    for values in (TABLE, None):
        found = Distances(values, 320, 1.5, 2)
        again = distances_of(json.loads(json.dumps(written(found))))
        np.testing.assert_array_equal(again.distances if values is not None else 0, TABLE if values is not None else 0)
        assert (again.images, again.fall, again.bits) == (320, 1.5, 2)


def experiment(images: int, **fixed: int):
    return prepare(
        Config(
            checkpoint="sdtv2_tiny_glyphs",
            data=Data(name="glyphs", search_images=images, fisher_images=16, batch_size=64),
            search=Search(widths=(2, 4), granularity="stage", state_widths=(), fixed=fixed),
            quantization=Quantization(method="nearest"),
        )
    )


def test_a_chaotic_network_is_told_by_the_first_look():
    """A narrow stage of this network moves its output nearly as far at 4 bits as at 2 (benchmarks/distances.py)."""
    chaotic = experiment(192)
    weights = sum(d.kind == "weight" for d in chaotic.space.dimensions)
    found = distances_that_tell(chaotic)
    assert found.distances is None
    assert found.images == 2 * 16 * weights
    assert found.fall < 4
    assert "chaos" in found.advice
    everything = distances_for(chaotic, "both", 16)
    assert everything.images == found.images
    assert np.isfinite(everything.distances).sum() == 2 * weights


def test_no_look_where_it_would_cost_more_than_two_evaluations():
    few = experiment(40)
    found = distances_for(few, "auto", None)
    assert found.distances is None
    assert found.images == 0


def test_a_head_that_is_searched_alone_is_measured_on_more_images():
    stages = {d.group for d in experiment(40).space.dimensions if d.kind == "weight"} - {"head"}
    assert stages
    alone = experiment(160, **dict.fromkeys(stages, 8))
    found = distances_that_tell(alone)
    np.testing.assert_array_equal(found.distances, measure_distances(alone).distances)
    assert found.fall == pytest.approx(16, rel=0.5)
    assert found.images == 2 * 16 + measure_distances(alone).images
