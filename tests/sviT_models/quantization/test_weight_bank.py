import copy

import numpy as np
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models import ModelError
from sviT_models.measure.hooks import evaluating, watching
from sviT_models.quantization.calibration import calibrate
from sviT_models.quantization.quantizers import quantize_weight
from sviT_models.quantization.weight_bank import CALIBRATED, METHODS
from tests.sviT_models.small import IMAGES, network

ONE_OF_EACH_KIND = [
    "downsample1_1.encode_conv",
    "downsample2.encode_conv",
    "ConvBlock2_1.0.Conv.dwconv",
    "block3.0.attn.q_conv.0.body.2.0",
    "block4.1.mlp.fc2_conv",
    "head",
]


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def calibration(model):
    return calibrate(model, IMAGES)


def seen_by(model, layer):
    """The inputs of one layer on the test's images."""
    found = []
    with evaluating(model), watching(model, [layer], lambda _name, x, _out: found.append(x)):
        model(IMAGES)
    return found[0].double()


def test_moments_and_codes_are_the_same_bytes_on_any_number_of_threads(model):
    before = torch.get_num_threads()
    images = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            bank = sviT_models.WeightBank(model, "compensated", images=images)
            made = [bank.get(layer, bits) for layer in ONE_OF_EACH_KIND for bits in (2, 4)]
            parts = [t for w in made for t in (w.codes, w.scale, w.shift)]
            parts += [t for i in bank.calibration.values() for t in (i.mean, i.moment)]
            found.append([part.numpy().tobytes() for part in parts])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_weight_is_made_once_and_shared(model):
    bank = sviT_models.WeightBank(model)
    first = bank.get("head", 4)
    for _ in range(3):
        assert bank.get("head", 4) is first
    assert (bank.counts.builds, bank.counts.hits) == (1, 3)
    bank.design([4] * len(bank.layers))
    bank.design([4] * len(bank.layers))
    # 138 layers, one of which was there; the second design builds nothing
    assert (bank.counts.builds, bank.counts.hits) == (138, 3 + 1 + 138)
    assert bank.layers == tuple(sviT_models.weight_layers(model))


def test_bytes_are_those_of_codes_scales_and_shifts(model):
    bank = sviT_models.WeightBank(model)
    bank.get("head", 4)
    weights, outputs = model.head.weight.numel(), len(model.head.weight)
    assert bank.nbytes == weights + 8 * outputs  # int8 codes, float32 scales and shifts
    bank.get("head", 16)
    assert bank.nbytes == 3 * weights + 16 * outputs  # and int16 codes


def test_a_memory_limit_throws_away_what_was_not_used_for_longest(model):
    size = sviT_models.WeightBank(model).get("head", 4).nbytes
    bank = sviT_models.WeightBank(model, max_bytes=2 * size)
    bank.get("head", 3)
    bank.get("head", 4)
    bank.get("head", 3)
    bank.get("head", 5)  # 4 goes, 3 was used since
    assert bank.counts.evictions == 1
    assert bank.nbytes == 2 * size
    bank.get("head", 3)
    assert bank.counts.builds == 3
    bank.get("head", 4)
    assert bank.counts.builds == 4


def test_nearest_is_the_quantizer_itself(model):
    bank = sviT_models.WeightBank(model, granularity="tensor", clip="max", scale="power_of_two", two_bit="ternary")
    found = bank.get("block3.1.mlp.fc1_conv", 2)
    weight = model.get_submodule("block3.1.mlp.fc1_conv").weight
    expected = quantize_weight(weight, 2, granularity="tensor", clip="max", scale="power_of_two", two_bit="ternary")
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.scale, expected.scale)


@pytest.mark.parametrize("layer", ONE_OF_EACH_KIND)
def test_moments_predict_what_any_change_of_the_weights_does_to_the_outputs(model, calibration, layer):
    """E[(x * d)^2] and E[x * d] from the moments, against the layer itself run with the change d as its weights."""
    module, inputs = model.get_submodule(layer), calibration[layer]
    change = torch.randn(module.weight.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if isinstance(module, nn.Linear):
        outputs = (seen_by(model, layer) @ change.T).flatten(0, -2).T
    else:
        convolve = nn.functional.conv2d if isinstance(module, nn.Conv2d) else nn.functional.conv1d
        outputs = convolve(seen_by(model, layer), change, None, module.stride, module.padding, 1, module.groups)
        outputs = outputs.transpose(0, 1).flatten(1)
    rows = change.reshape(len(inputs.mean), -1, inputs.mean.shape[1])
    square = torch.einsum("grn,gnm,grm->gr", rows, inputs.moment.double(), rows).flatten()
    mean = torch.einsum("grn,gn->gr", rows, inputs.mean).flatten()
    torch.testing.assert_close(square, outputs.square().mean(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mean, outputs.mean(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", CALIBRATED)
@pytest.mark.parametrize("layer", ["downsample3.encode_conv", "block3.2.attn.v_conv.0.body.2.1", "head"])
def test_bias_correction_leaves_no_mean_error(model, method, layer):
    bank = sviT_models.WeightBank(model, method, images=IMAGES)
    found, module, x = bank.get(layer, 2), model.get_submodule(layer), seen_by(model, layer)
    rounded = copy.deepcopy(module).double()
    with torch.no_grad():
        before = rounded(x)
        rounded.weight.copy_(found.dequantized())
        rounded.bias = nn.Parameter(found.bias(module).double())
        error = rounded(x) - before
    channels_last = error if isinstance(module, nn.Linear) else error.movedim(1, -1)
    mean = channels_last.flatten(0, -2).mean(0)
    assert mean.abs().max() < 1e-5 * error.abs().max()


@pytest.mark.parametrize("method", CALIBRATED)
def test_layers_without_constants_of_their_own_get_no_shift(model, method):
    bank = sviT_models.WeightBank(model, method, images=IMAGES)
    for layer in ("block3.0.attn.q_conv.0.body.0", "block3.0.attn.q_conv.0.body.2.0", "ConvBlock1_1.0.Conv.dwconv"):
        assert not bank.get(layer, 3).shift.any()
    assert bank.get("block3.0.attn.q_conv.0.body.2.1", 3).shift.any()


@pytest.mark.parametrize("granularity", ["channel", "tensor"])
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_compensated_weights_have_smaller_output_errors(model, calibration, bits, granularity):
    errors = {}
    for method in ("nearest", "corrected", "compensated"):
        bank = sviT_models.WeightBank(model, method, images=IMAGES, granularity=granularity)
        errors[method] = 0.0
        for layer in ("downsample3.encode_conv", "ConvBlock2_1.0.Conv.dwconv", "block3.1.mlp.fc1_conv"):
            found, inputs = bank.get(layer, bits), calibration[layer]
            weight = model.get_submodule(layer).weight.detach()
            rows = (found.dequantized() - weight).double().reshape(len(inputs.mean), -1, inputs.mean.shape[1])
            square = torch.einsum("grn,gnm,grm->gr", rows, inputs.moment.double(), rows)
            mean = torch.einsum("grn,gn->gr", rows, inputs.mean)
            shift = found.shift.double().reshape(mean.shape)
            errors[method] += float((square + 2 * mean * shift + shift**2).sum())  # E[(x d + shift)^2]
    assert errors["compensated"] < errors["corrected"] <= errors["nearest"]


def test_restricted_scales_stay_restricted(model):
    powers = sviT_models.WeightBank(model, "compensated", images=IMAGES, scale="power_of_two").get("head", 3).scale
    assert torch.equal(powers.log2(), powers.log2().round())
    shared = sviT_models.WeightBank(model, "compensated", images=IMAGES, granularity="tensor").get("head", 3).scale
    assert len(shared.unique()) == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_same_images_give_the_same_weights(model, method):
    for bits in (1, 3):
        one, two = (
            sviT_models.WeightBank(model, method, images=IMAGES).get("downsample2.encode_conv", bits) for _ in "ab"
        )
        assert torch.equal(one.codes, two.codes)
        assert torch.equal(one.scale, two.scale)
        assert torch.equal(one.shift, two.shift)


@pytest.mark.parametrize("method", METHODS)
def test_float_layers_stay_as_they_are(model, method):
    found = sviT_models.WeightBank(model, method, images=IMAGES).get("head", 32)
    assert torch.equal(found.dequantized(), model.head.weight.float())
    assert not found.shift.any()


def test_mistakes_are_named(model):
    with pytest.raises(ModelError, match=r"quantization.method is 'best'; expected one of nearest, truncate"):
        sviT_models.WeightBank(model, "best")
    with pytest.raises(ModelError, match="'compensated' needs calibration images; pass images, or use 'nearest'"):
        sviT_models.WeightBank(model, "compensated")
    bank = sviT_models.WeightBank(model)
    with pytest.raises(ModelError, match="no weight layer 'nose'"):
        bank.get("nose", 8)
    with pytest.raises(ModelError, match="head: weight width 9 does not exist"):
        bank.get("head", 9)
    with pytest.raises(ModelError, match="137 widths for 138 weight layers"):
        bank.design([8] * 137)


def test_a_module_that_was_not_captured_is_named():
    with pytest.raises(
        ModelError, match=r"^SpikeDrivenTransformer has no order .* sviT_models.capture\(model, images\)$"
    ):
        sviT_models.WeightBank(sviT_models.build("sdtv1_tiny"))


def test_a_layer_that_never_sees_anything_is_rounded_to_nearest_and_named():
    model = network()
    model.downsample2.encode_lif.threshold = 1e9
    bank = sviT_models.WeightBank(model, "compensated", images=IMAGES)
    for bits in (3, 4):
        found, plain = (
            bank.get("downsample2.encode_conv", bits),
            quantize_weight(model.downsample2.encode_conv.weight, bits),
        )
        assert torch.equal(found.codes, plain.codes)
        assert torch.equal(found.scale, plain.scale)
    (note,) = bank.notes
    assert note.startswith("downsample2.encode_conv: all its inputs are zero")


def test_inputs_that_are_not_finite_are_named(model):
    images = IMAGES.clone()
    images[0, 0, 0, 0] = np.inf
    with pytest.raises(ModelError, match=r"downsample1_1.encode_conv: its inputs .* are not finite"):
        calibrate(model, images)


def test_calibration_images_without_variance_are_named(model):
    images = IMAGES.clone()
    images[:, 1] = 0.25
    (note,) = sviT_models.WeightBank(model, images=images).notes
    assert note.startswith("calibration images: channel 1 is 0.25 in every pixel of all 6")
    images[:, ::2] = -3.0
    with pytest.raises(ModelError, match=r"calibration images: channel 0 is -3 .* no other channel varies"):
        sviT_models.WeightBank(model, "compensated", images=images)
