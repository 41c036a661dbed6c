import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models import ModelError
from sviT_models.measure.hooks import spike_counts
from sviT_models.quantization.quantizers import WIDTHS
from tests.sviT_models.small import CLASSES, IMAGES, network

LAYERS = 138


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def bank(model):
    return sviT_models.WeightBank(model)


def with_weights(model, bank, widths):
    """A copy whose parameters are the dequantized weights, in float64: no code of the evaluator is involved."""
    changed = copy.deepcopy(model).double()
    with torch.no_grad():
        for name, bits in zip(bank.layers, widths, strict=True):
            held, module = bank.get(name, bits), changed.get_submodule(name)
            scale = held.scale.double().view(-1, *[1] * (held.codes.ndim - 1))
            module.weight.copy_(held.codes.double() * scale)
            own = 0.0 if module.bias is None else module.bias
            module.bias = torch.nn.Parameter(own + held.shift.double())
    return changed


@given(st.integers(0, 10**6), st.sampled_from(["nearest", "compensated"]), st.sampled_from([1, 2, 4]))
@settings(max_examples=8)
def test_equals_the_network_with_those_weights(seed, method, steps):
    model = network().double()
    bank = sviT_models.WeightBank(model, method, images=IMAGES)
    widths = np.random.default_rng(seed).choice(WIDTHS, LAYERS).tolist()
    found = sviT_models.fake_quantized_run(model, bank, IMAGES, widths, time_steps=steps)
    changed = sviT_models.with_time_steps(with_weights(model, bank, widths), steps)
    with torch.no_grad():
        expected = changed(IMAGES.double())
    np.testing.assert_allclose(found.logits, expected.numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.spikes, spike_counts(changed, IMAGES)[1])
    assert found.spikes.shape == (77, steps)


def test_32_bits_are_the_float_network_to_the_bit(model, bank):
    found = sviT_models.fake_quantized_run(model, bank, IMAGES, [32] * LAYERS)
    with torch.no_grad():
        assert np.array_equal(found.logits, model(IMAGES).numpy())
    assert np.array_equal(found.spikes, spike_counts(model, IMAGES)[1])


def test_batches_of_any_size_give_the_same(model, bank):
    runs = [sviT_models.fake_quantized_run(model, bank, IMAGES, [4] * LAYERS, batch_size=size) for size in (None, 1, 4)]
    for run in runs[1:]:
        assert np.array_equal(run.spikes, runs[0].spikes)
        np.testing.assert_allclose(run.logits, runs[0].logits, rtol=1e-5, atol=1e-6)


def test_nothing_stays_changed(model, bank):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    sviT_models.fake_quantized_run(model, bank, IMAGES, [2] * LAYERS, time_steps=1)
    assert model.training
    assert model.config.time_steps == 2
    assert not any("forward" in module.__dict__ or module._forward_hooks for module in model.modules())
    model.eval()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_nothing_stays_changed_after_a_failure(model, bank):
    with pytest.raises(ModelError, match="images have shape"):
        sviT_models.fake_quantized_run(model, bank, IMAGES[:, :1], [2] * LAYERS)
    assert not any("forward" in module.__dict__ or module._forward_hooks for module in model.modules())


def test_fewer_widths_than_layers_are_refused(model, bank):
    with pytest.raises(ModelError, match="3 widths for 138 weight layers"):
        sviT_models.fake_quantized_run(model, bank, IMAGES, [8, 8, 8])


def test_classes_of_the_output(model, bank):
    assert sviT_models.fake_quantized_run(model, bank, IMAGES, [8] * LAYERS).logits.shape == (6, CLASSES)
