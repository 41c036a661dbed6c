import copy

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models import ModelError
from tests.sviT_models.small import IMAGES, LABELS, network

WIDTHS = (2, 4, 8, 32)


@pytest.fixture(scope="module")
def double():
    return network().double()


@pytest.fixture(scope="module")
def scores(double):
    return sviT_models.fisher_scores(double, sviT_models.WeightBank(double), IMAGES, LABELS, WIDTHS)


@pytest.mark.parametrize(
    "layer", ["downsample1_1.encode_conv", "ConvBlock1_2.0.conv1", "block3.4.mlp.fc2_conv", "head"]
)
def test_is_the_squared_product_of_gradient_and_change_at_every_output(double, scores, layer):
    """One image at a time; the gradient of each output is that of a zero that is added to it."""
    bank = sviT_models.WeightBank(double)
    found, rounded = bank.get(layer, 2), copy.deepcopy(double.get_submodule(layer))
    with torch.no_grad():
        rounded.weight.copy_(found.dequantized())
    expected = 0.0
    for image, label in zip(IMAGES.double(), LABELS, strict=True):
        probe = {}

        def add(_module, inputs, output, probe=probe):
            probe["zero"] = torch.zeros_like(output, requires_grad=True)
            probe["change"] = rounded(inputs[0]) - output
            return output + probe["zero"]

        handle = double.get_submodule(layer).register_forward_hook(add)
        loss = torch.nn.functional.cross_entropy(double(image[None]), label[None])
        handle.remove()
        (gradient,) = torch.autograd.grad(loss, probe["zero"])
        expected += float((gradient * probe["change"]).square().sum().detach())
    row = scores[(scores["layer"] == layer) & (scores["bits"] == 2)]
    assert row["score"].item() == pytest.approx(expected / len(IMAGES), rel=1e-6)


def test_every_layer_and_width_in_network_order(double, scores):
    assert list(scores.columns) == ["layer", "bits", "score"]
    assert scores["layer"].drop_duplicates().tolist() == sviT_models.weight_layers(double)
    assert scores["bits"].tolist() == list(WIDTHS) * 138
    assert np.isfinite(scores["score"]).all()


def test_wider_is_less_sensitive_and_float_not_at_all(scores):
    total = scores.groupby("bits")["score"].sum()
    assert total.is_monotonic_decreasing
    assert (scores.loc[scores["bits"] == 32, "score"] == 0).all()
    assert total[8] > 0


def test_batches_do_not_matter(double, scores):
    bank = sviT_models.WeightBank(double)
    again = sviT_models.fisher_scores(double, bank, list(IMAGES.split(4)), LABELS, WIDTHS)
    np.testing.assert_allclose(again["score"], scores["score"], rtol=1e-9)


def test_nothing_stays_changed(double):
    wanted = [p.requires_grad for p in double.parameters()]
    sviT_models.fisher_scores(double, sviT_models.WeightBank(double), IMAGES[:2], LABELS[:2], (8,))
    assert [p.requires_grad for p in double.parameters()] == wanted
    assert all(p.grad is None for p in double.parameters())
    assert not any(module._forward_hooks for module in double.modules())
    assert not double.training


@pytest.mark.parametrize("labels", [LABELS[:4], torch.cat([LABELS, LABELS])])
def test_another_number_of_labels_is_refused(double, labels):
    with pytest.raises(ModelError, match=r"labels have shape \(\d+,\); expected \(6,\)"):
        sviT_models.fisher_scores(double, sviT_models.WeightBank(double), IMAGES, labels, (8,))
