"""Batch norms estimated again: against statistics taken by numpy, and as integers that the engine runs."""

import numpy as np
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models import ModelError
from sviT_models.measure.hooks import evaluating, watching
from sviT_models.quantization.fake_quantized import quantized
from sviT_models.training.batch_norms import norms_behind
from tests.sviT_models.small import IMAGES, network

BITS = [3] * 138


@pytest.fixture(scope="module")
def model():
    return sviT_models.capture(network(), IMAGES[:1]).network


@pytest.fixture(scope="module")
def bank(model):
    return sviT_models.WeightBank(model)


def test_every_norm_but_the_inner_ones_stands_behind_a_layer(model):
    norms = [norm for each in norms_behind(model).values() for norm in each]
    inside = [n for n in model.modules() if isinstance(n, nn.BatchNorm1d | nn.BatchNorm2d) and n not in set(norms)]
    assert len(set(norms)) == len(norms)
    # 8 transformer blocks with 4 RepConvs; each has one norm between its first two layers
    assert len(inside) == 32
    assert len(norms) + 32 == sum(isinstance(n, nn.BatchNorm1d | nn.BatchNorm2d) for n in model.modules())
    fused = sviT_models.capture(sviT_models.fuse(network()), IMAGES[:1]).network
    assert norms_behind(fused) == {}
    own = sviT_models.WeightBank(fused)
    with pytest.raises(ModelError, match="a fused network has no batch norms left"):
        sviT_models.reestimate(fused, own, [3] * len(own.layers), IMAGES)


def inputs_and_outputs(model, weights, images):
    """What enters every norm of the network with these weights, and what it makes of it."""
    names = {module: name for name, module in model.named_modules()}
    norms = [names[norm] for each in norms_behind(model).values() for norm in each]
    seen = {}

    def note(name, given, result):
        seen[name] = given.double().numpy(), result.double().numpy()

    with quantized(model, weights), evaluating(model), watching(model, norms, note):
        model(images)
    return seen


def standardised(x, weight, bias, eps):
    """A norm with the statistics of its own input, by numpy; unbiased variance, channels in axis 1."""
    axes = tuple(i for i in range(x.ndim) if i != 1)
    wide = (1, -1, *[1] * (x.ndim - 2))
    mean, variance = x.mean(axes).reshape(wide), x.var(axes, ddof=1).reshape(wide)
    return weight.reshape(wide) * (x - mean) / np.sqrt(variance + eps) + bias.reshape(wide)


def test_what_leaves_a_layer_has_the_statistics_of_its_own_sums_in_order(model, bank):
    """Layer by layer: the new integers, run with the network's own norms, give what numpy's norm makes of the sums.

    The inputs of a layer are those of the network whose earlier norms are corrected already, as its spikes are taken
    from that very run.
    """
    found = sviT_models.reestimate(model, bank, BITS, IMAGES)
    assert all("proj_conv" in name for name in found.dead)  # behind the attention of this network nothing fires
    old = bank.design(BITS)
    modules = {"head": ()} | norms_behind(model)
    layer_inputs = {}
    with quantized(model, found.weights), evaluating(model):
        names = [name for name in found.weights if len(modules.get(name, ())) == 1 and name != "head"]
        with watching(model, names, lambda name, given, _: layer_inputs.__setitem__(name, given)):
            seen = inputs_and_outputs(model, found.weights, IMAGES)
    paths = {module: name for name, module in model.named_modules()}
    assert len(layer_inputs) == 5 + 4 * 4 + 8 * 2  # down-samplings, four of every ConvBlock, MLPs
    for name, given in layer_inputs.items():
        (norm,) = modules[name]
        conv = model.get_submodule(name)
        codes, scale = old[name].codes.double(), old[name].scale.double()
        weight = codes * scale.view(-1, *[1] * (codes.ndim - 1))
        bias = torch.zeros(len(scale)) if conv.bias is None else conv.bias.detach()
        plain = torch.nn.functional.conv1d if codes.ndim == 3 else torch.nn.functional.conv2d
        sums = plain(given.double(), weight, bias.double(), conv.stride, conv.padding, 1, conv.groups).numpy()
        parts = (p.detach().double().numpy() for p in (norm.weight, norm.bias))
        wanted = standardised(sums, *parts, norm.eps)
        np.testing.assert_allclose(seen[paths[norm]][1], wanted, rtol=1e-3, atol=1e-4)


def test_two_norms_in_a_row_are_estimated_one_after_the_other(model, bank):
    found = sviT_models.reestimate(model, bank, BITS, IMAGES)
    layer = "block3.0.attn.q_conv.0.body.2.1"
    first, second = norms_behind(model)[layer]
    sums = {}
    old = {**found.weights, layer: bank.get(layer, 3)}  # everything before it corrected, itself not yet
    with quantized(model, old), evaluating(model), watching(model, [layer], lambda n, _, out: sums.update({n: out})):
        model(IMAGES)
    x = sums[layer].double().numpy()
    for norm in (first, second):
        x = standardised(x, norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy(), norm.eps)
    outer = next(name for name, module in model.named_modules() if module is second)
    np.testing.assert_allclose(inputs_and_outputs(model, found.weights, IMAGES)[outer][1], x, rtol=1e-3, atol=1e-4)


def test_statistics_that_are_right_already_are_left_alone(model, bank):
    """Eight-bit weights are nearly the float ones: estimated twice, nothing moves; the codes never do."""
    once = sviT_models.reestimate(model, bank, BITS, IMAGES).weights
    learned = sviT_models.LearnedBank(model, once)
    twice = sviT_models.reestimate(model, learned, BITS, IMAGES).weights
    for name, weight in twice.items():
        assert torch.equal(weight.codes, bank.get(name, 3).codes)
        torch.testing.assert_close(weight.scale, once[name].scale, rtol=1e-3, atol=0)
        size = float(weight.scale.max()) * 8
        torch.testing.assert_close(weight.shift, once[name].shift, rtol=1e-2, atol=0.02 * size)


def test_the_result_runs_as_integers_and_wins_accuracy_back():
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    unlabelled = sviT_models.load_data("digits", "validation", count=96).images
    data = sviT_models.load_data("digits", "verify")
    bank = sviT_models.WeightBank(model, images=unlabelled)
    bits = [2] * 138
    found = sviT_models.reestimate(model, bank, bits, unlabelled)
    after = sviT_models.LearnedBank(model, found.weights, images=unlabelled)

    def share(bank, **options):
        logits = sviT_models.Engine(model, bank, threads=1).run(data.images, bits, **options).logits
        return (logits.argmax(1) == data.labels.numpy()).mean()

    assert share(bank) < 0.65  # plain rounding to nearest loses half of the images
    assert share(after) > 0.95
    assert share(after, state_bits=8) > 0.93


def test_channels_without_variance_keep_their_statistics(bank, model):
    weights = dict(bank.design(BITS))
    layer = "ConvBlock1_1.0.conv1"
    weights[layer] = sviT_models.QuantizedWeight(
        weights[layer].codes * (torch.arange(len(weights[layer].scale)) > 0).view(-1, 1, 1, 1),
        weights[layer].scale,
        3,
        weights[layer].shift,
    )
    silent = sviT_models.LearnedBank(model, weights)
    found = sviT_models.reestimate(model, silent, BITS, IMAGES)
    assert {name: count for name, count in found.dead.items() if "proj" not in name} == {"ConvBlock1_1.0.bn1": 1}
    assert found.weights[layer].scale[0] == weights[layer].scale[0]
    assert found.weights[layer].shift[0] == weights[layer].shift[0]
    assert found.weights[layer].scale[1] != weights[layer].scale[1]


def test_float_layers_keep_their_norms_and_a_float_design_is_refused(model, bank):
    mixed = [32, *[3] * 137]
    found = sviT_models.reestimate(model, bank, mixed, IMAGES)
    assert found.weights["downsample1_1.encode_conv"].bits == 32
    assert (found.weights["downsample1_1.encode_conv"].scale == 1).all()
    with pytest.raises(ModelError, match="every layer of the design is float"):
        sviT_models.reestimate(model, bank, [32] * 138, IMAGES)
    with pytest.raises(ModelError, match=r"downsample1_1\.encode_bn: its inputs .* not finite"):
        sviT_models.reestimate(model, bank, BITS, IMAGES * np.inf)
