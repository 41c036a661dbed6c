"""Which rows of the layer table have weights; intervals of shares."""

from dataclasses import fields

import pytest
from scipy.stats import binomtest

from reports.run.designs import share_interval, weight_layers
from reports.run.rows import LayerRow


def row(name: str, kind: str, weights: int) -> LayerRow:
    usual = {"str": "", "int": 0, "float": 1.0}
    values = {each.name: usual.get(str(each.type), 0) for each in fields(LayerRow)}
    return LayerRow(**(values | {"name": name, "kind": kind, "weights": weights}))


def test_products_of_spikes_and_additions_of_streams_have_no_weights():
    layers = [row("a.conv", "conv", 30), row("a.kv", "attention", 0), row("a.add", "add", 0), row("head", "linear", 10)]
    found = weight_layers(layers)
    assert found.names == ("a.conv", "head")
    assert found.weight_share == (0.75, 0.25)


@pytest.mark.parametrize("images", [1, 7, 360, 10_000])
def test_intervals_of_shares_are_those_of_scipy(images: int):
    for right in {0, 1, images // 3, images - 1, images}:
        ends = binomtest(right, images).proportion_ci(method="wilson")
        assert share_interval(right / images, images) == pytest.approx((ends.low, ends.high), abs=1e-12)
