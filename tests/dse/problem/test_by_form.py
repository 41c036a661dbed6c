"""The mapping from the form of the network to a value."""

import pytest

from dse.problem.by_form import ByForm

LAYERS = {"unfused": ("a", "b"), "fused": ("ab",)}


def test_a_design_finds_its_form_by_its_layers():
    both = ByForm(LAYERS, LAYERS)
    assert both.first == ("a", "b")
    for form, layers in LAYERS.items():
        assert both.form_of(layers) == form
        assert both.with_layers(layers) == both[form] == layers
    with pytest.raises(KeyError, match="no form of the network has these 1 weight layers"):
        both.form_of(("a",))


def test_changed_values_keep_forms_and_layers():
    counted = ByForm.of(LAYERS, lambda layers: layers).map(len)
    assert dict(counted) == {"unfused": 2, "fused": 1}
    assert counted.with_layers(("ab",)) == 1
    assert dict(ByForm.single(3, ("a",), "fused").map(str)) == {"fused": "3"}
