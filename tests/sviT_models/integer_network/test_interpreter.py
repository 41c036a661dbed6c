"""The fixed-point network: interpreter, compiled engine and plain engine give the same integers; its parts by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.engine.fixed_point import operations
from sviT_models.engine.number_formats import State
from sviT_models.errors import ModelError
from sviT_models.integer_network import interpreter
from sviT_models.integer_network.specification import accumulator_widths, specification
from tests.sviT_models.engine.test_fixed_point import as_json
from tests.sviT_models.small import IMAGES, network


def equal(a, b):
    np.testing.assert_array_equal(a.logits, b.logits)
    np.testing.assert_array_equal(a.spikes, b.spikes)


@pytest.fixture(scope="module")
def digits():
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    bank = sviT_models.WeightBank(model, images=sviT_models.load_data("digits", "validation", count=32).images)
    return sviT_models.Engine(model, bank)


def test_engine_and_interpreter_are_equal_on_all_embedded_images(digits):
    images = torch.cat([sviT_models.load_data("digits", split).images for split in ("search", "verify")])
    assert len(images) == 600
    bits = [4] * 138
    found = digits.run(images, bits, state_bits=8)
    assert found.spikes.sum() > 10_000
    equal(sviT_models.exported_design(digits, bits, 8, images).run(images.numpy()), found)


def test_sixteen_bits_lose_nothing_and_four_bits_little(digits):
    data = sviT_models.load_data("digits", "verify")
    share = [
        (digits.run(data.images, [8] * 138, state_bits=w).logits.argmax(1) == np.asarray(data.labels)).mean()
        for w in (None, 16, 8, 4)
    ]
    assert share[0] > 0.97
    assert abs(share[1] - share[0]) < 0.015
    assert abs(share[2] - share[0]) < 0.02
    assert share[3] > 0.9


@settings(max_examples=6)
@given(
    widths=st.sampled_from([(1, 2, 3), (4, 8), (8, 16), (2, 32)]),
    activations=st.integers(4, 16),
    steps=st.integers(1, 4),
    fused=st.booleans(),
    seed=st.integers(0, 99),
)
def test_three_implementations_agree(widths, activations, steps, fused, seed):
    model = network(time_steps=steps)
    model = sviT_models.fuse(model) if fused else model
    bank = sviT_models.WeightBank(model, images=IMAGES)
    bits = np.random.default_rng(seed).choice(widths, len(bank.layers)).tolist()
    states = np.random.default_rng(seed + 1).integers(4, 17, 77).tolist()
    engine = sviT_models.Engine(model, bank, threads=2)
    options = {"state_bits": states, "activation_bits": activations}
    found = engine.run(IMAGES[:3], bits, batch_size=2, **options)
    equal(sviT_models.Engine(model, bank, threads=1, fast=False).run(IMAGES[:3], bits, **options), found)
    exported = sviT_models.exported_design(engine, bits, states, IMAGES, activation_bits=activations)
    equal(exported.run(IMAGES[:3].numpy()), found)


def test_a_neuron_by_hand():
    # threshold 8 in steps of 1/8, inputs in steps of 1/128; u = 16 v + x fires from 256 on
    state = as_json(State(5, 3, 8))
    x = np.array([255, 0, 256, -600, 24]).reshape(-1, 1)
    # u: 255 -> v = (255 + 16) >> 5 = 8;  128 -> 4;  64 + 256 fires, v = 0;  -600 -> -19, clipped to -16;
    # -256 + 24 = -232 -> (-232 + 16) >> 5 = -7: silent
    np.testing.assert_array_equal(operations.fire(x, state, 0, 5)[:, 0], [0, 0, 1, 0, 0])
    # 8 << 4 is 128 in every step: v = 4, then u = 64 + 128 = 192 and v = 6, u = 224 -> 7, u = 240 -> 8, 256 fires
    np.testing.assert_array_equal(operations.fire(np.array([[8]]), state, 4, 5)[:, 0], [0, 0, 0, 0, 1])
    # a right shift rounds ties up: 511 >> 1 becomes 256, which fires at once
    assert operations.fire(np.array([[511]]), state, -1, 1)[0, 0] == 1
    assert operations.fire(np.array([[510]]), state, -1, 1)[0, 0] == 0


@given(st.integers(4, 16), st.integers(-(2**24), 2**24), st.integers(-(2**15), 2**15 - 1), st.data())
def test_clipping_an_input_to_six_bits_more_than_the_potential_changes_nothing(bits, x, v, data):
    fraction = data.draw(st.integers(0, bits - 1))
    state = as_json(State(bits, fraction, 2**fraction))
    top = 2 ** (bits + 5)
    first = 32 * max(min(v, 2**fraction - 1), -(2 ** (bits - 1)))  # leaves its 32nd part as potential
    after = data.draw(st.integers(-top, top - 1))
    runs = [np.array([[first], [each], [after]]) for each in (x, min(max(x, -top), top - 1))]
    a, b = (operations.fire(run, state, 0, 3) for run in runs)
    np.testing.assert_array_equal(a, b)


def test_a_convolution_equals_torch():
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, (3, 7, 7, 4))
    for groups, stride, padding, dilation, sides in (
        (1, (2, 2), (1, 1), (1, 1), (3, 3)),
        (4, (1, 1), (1, 1), (1, 1), (3, 3)),
        (1, (1, 1), (0, 0), (1, 1), (3, 3)),
        (2, (1, 2), (0, 2), (2, 1), (3, 5)),
        (4, (1, 1), (3, 3), (1, 1), (7, 7)),
    ):
        weight = rng.integers(-5, 5, (4, 4 // groups, *sides))
        wanted = torch.nn.functional.conv2d(
            torch.from_numpy(x).permute(0, 3, 1, 2).double(),
            torch.from_numpy(weight).double(),
            None,
            stride,
            padding,
            dilation,
            groups,
        )
        found = operations.conv(x, weight, stride, padding, dilation, groups)
        np.testing.assert_array_equal(found, wanted.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(("ceil", "size"), [(False, 7), (True, 7), (True, 8), (False, 8)])
def test_pools_equal_torch(ceil, size):
    x = np.random.default_rng(1).integers(-99, -9, (2, size, size, 3))  # below nothing, which is no number
    image = torch.from_numpy(x).permute(0, 3, 1, 2).double()
    wanted = torch.nn.functional.max_pool2d(image, 3, 2, 1, ceil_mode=ceil).permute(0, 2, 3, 1)
    sides = {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1]}
    found = operations.pool(x, {"how": "max", "out": list(wanted.shape[1:3]), **sides})
    np.testing.assert_array_equal(found, wanted.numpy())
    sides |= {"padding": [0, 0]}
    sums = torch.nn.functional.avg_pool2d(image, 3, 2, divisor_override=1).permute(0, 2, 3, 1)
    found = operations.pool(x, {"how": "sum", "out": list(sums.shape[1:3]), **sides})
    np.testing.assert_array_equal(found, sums.numpy())


def test_accumulators_stay_within_their_worst_case(digits):
    images, bits = sviT_models.load_data("digits", "search", count=16).images, [8] * 138
    plan = digits.plan(images, bits, 8)
    weights = {layer: digits.integers(layer, 8) for layer in digits.layers}
    spec, arrays = specification(plan, weights, (3, 32, 32))
    table = accumulator_widths(spec, arrays, plan, interpreter.quantize_images(spec, images.numpy()))
    assert table["layer"].tolist() == list(digits.layers)
    assert (table["observed_bits"] <= table["worst_case_bits"]).all()
    assert table["worst_case_bits"].max() <= 32
    # the first layer by hand: 8-bit image, so the sum of magnitudes times 128 at most
    codes = np.abs(weights["downsample1_1.encode_conv"].codes()).sum(1).max() * 128
    assert table["worst_case_bits"][0] <= 1 + int(codes).bit_length()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"state_bits": 3}, "width 3; expected 4 to 16"),
        ({"state_bits": 17}, "width 17"),
        ({"state_bits": [8] * 76}, "76 widths for 77"),
        ({"state_bits": {"lif": 8}}, "no width for"),
        ({"state_bits": {"nobody": 8}}, "no 'nobody'"),
        ({"state_bits": 8.5}, "width 8.5"),
        ({"state_bits": 8, "activation_bits": 32}, "width 32"),
        ({"activation_bits": 8}, "needs state_bits"),
        ({"state_bits": 8, "activation_bits": {"downsample1_1.encode_conv": 12}}, "images of 8 bits"),
    ],
)
def test_widths_that_do_not_exist_are_mistakes(digits, options, said):
    with pytest.raises(ModelError, match=said) as error:
        digits.run(IMAGES, [8] * 138, **options)
    assert "\n" not in str(error.value)


def test_a_bank_without_images_cannot_place_the_binary_points():
    model = network()
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model))
    with pytest.raises(ModelError, match="calibration images"):
        engine.run(IMAGES, [8] * 138, state_bits=8)


def test_a_damaged_batch_norm_is_named():
    model = network()
    bank = sviT_models.WeightBank(model, images=IMAGES)
    engine = sviT_models.Engine(model, bank)
    model.block3[0].mlp.fc1_bn.bias.data[0] = float("nan")
    with pytest.raises(ModelError, match=r"block3\.0\.mlp\.fc1"):
        engine.run(IMAGES, [8] * 138, state_bits=8)
