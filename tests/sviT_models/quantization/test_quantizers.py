import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sviT_models import ModelError
from sviT_models.quantization.quantizers import WIDTHS, QuantizedWeight, largest_code, quantize_weight, round_codes

INTEGER_WIDTHS = [bits for bits in WIDTHS if bits < 32]
CLIPS = ["mse", "max", "percentile"]


def draw(seed: int, shape: tuple[int, ...] = (6, 40)) -> torch.Tensor:
    """Heavy-tailed weights, so that clipping matters."""
    return torch.from_numpy(np.random.default_rng(seed).standard_t(4, shape)).float()


def grid(bits: int, two_bit: str = "four") -> list[int]:
    """The codes of a width, listed."""
    return {
        1: [-1, 1],
        2: [-3, -1, 1, 3] if two_bit == "four" else [-1, 0, 1],
    }.get(bits, list(range(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1))))


def error(weight: torch.Tensor, quantized: QuantizedWeight) -> torch.Tensor:
    """Squared error of every output channel."""
    return (quantized.dequantized() - weight).flatten(1).square().sum(1)


def test_codes_by_hand():
    # largest weight 0.7 at 3 bits: scale 0.7 / 3, so 0.7 -> 3, -0.3 -> -1.29, 0.1 -> 0.43
    found = quantize_weight(torch.tensor([[0.7, -0.3, 0.1]]), 3, clip="max")
    assert found.codes.tolist() == [[3, -1, 0]]
    assert found.scale.tolist() == pytest.approx([0.7 / 3])
    assert found.codes.dtype == torch.int8
    assert found.shift.tolist() == [0.0]


def test_binary_weights_are_signs_times_the_mean_magnitude():
    weight = draw(1)
    found = quantize_weight(weight, 1)
    assert torch.equal(found.codes, weight.sign().to(torch.int8))
    torch.testing.assert_close(found.scale, weight.abs().mean(1))  # Rastegari et al. 2016: the least squared error


@pytest.mark.parametrize("bits", [3, 4, 6, 8, 16])
def test_nearest_rounding_equals_torchs_own_fake_quantizer(bits):
    weight = draw(bits)
    found = quantize_weight(weight, bits, clip="max")
    top = 2 ** (bits - 1) - 1
    expected = torch.fake_quantize_per_channel_affine(
        weight, found.scale, torch.zeros(6, dtype=torch.int32), 0, -top, top
    )
    torch.testing.assert_close(found.dequantized(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("two_bit", ["four", "ternary"])
@pytest.mark.parametrize("bits", INTEGER_WIDTHS)
def test_codes_lie_on_the_grid(bits, two_bit):
    for rounding in ("nearest", "truncate", "stochastic"):
        found = quantize_weight(
            draw(2, (5, 300)), bits, rounding=rounding, two_bit=two_bit, rng=torch.Generator().manual_seed(0)
        )
        assert set(found.codes.unique().tolist()) <= set(grid(bits, two_bit))
        assert largest_code(bits, two_bit) == grid(bits, two_bit)[-1]
        assert found.codes.dtype == (torch.int8 if bits <= 8 else torch.int16)


@pytest.mark.parametrize("two_bit", ["four", "ternary"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_nearest_is_the_nearest_of_all_codes(bits, two_bit):
    scaled = torch.linspace(-9.013, 9.013, 1001)
    levels = torch.tensor(grid(bits, two_bit), dtype=torch.float32)
    distance = (round_codes(scaled, bits, two_bit=two_bit) - scaled).abs()
    torch.testing.assert_close(distance, (scaled[:, None] - levels).abs().amin(1))


@given(st.integers(0, 10**6), st.sampled_from(INTEGER_WIDTHS), st.sampled_from(["channel", "tensor"]))
@settings(max_examples=40)
def test_representable_weights_are_kept_and_quantizing_twice_changes_nothing(seed, bits, granularity):
    once = quantize_weight(draw(seed), bits, granularity=granularity)
    twice = quantize_weight(once.dequantized(), bits, granularity=granularity)
    torch.testing.assert_close(twice.dequantized(), once.dequantized(), rtol=1e-5, atol=1e-7)


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_the_error_falls_with_the_width(seed):
    weight = draw(seed)
    errors = [error(weight, quantize_weight(weight, bits)).sum() for bits in INTEGER_WIDTHS]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(("bits", "slack"), [(2, 1.005), (3, 1.005), (4, 1.005), (8, 1.05)])
def test_clipping_by_error_is_nearly_the_best_of_a_fine_grid(bits, slack):
    weight = draw(7, (4, 500))
    found = error(weight, quantize_weight(weight, bits))
    for channel, row in enumerate(weight.numpy()):
        levels = np.array(grid(bits))
        steps = np.abs(row).max() / levels[-1] * np.linspace(0.05, 1, 1500)
        best = min(((levels[np.abs(row[:, None] / s - levels).argmin(1)] * s - row) ** 2).sum() for s in steps.tolist())
        assert found[channel] <= slack * best


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_one_scale_per_layer_costs_error_and_so_do_powers_of_two(bits):
    weight = draw(3) * torch.logspace(-1, 1, 6)[:, None]
    free = error(weight, quantize_weight(weight, bits))
    shifts = quantize_weight(weight, bits, scale="power_of_two")
    shared = quantize_weight(weight, bits, granularity="tensor")
    assert free.sum() < error(weight, shifts).sum()
    assert free.sum() < error(weight, shared).sum()
    assert len(shared.scale.unique()) == 1
    assert torch.equal(shifts.scale.log2(), shifts.scale.log2().round())


def test_a_power_of_two_is_the_better_of_the_two_neighbours():
    weight = draw(4)
    free = quantize_weight(weight, 4).scale
    found = quantize_weight(weight, 4, scale="power_of_two")
    for factor in (0.5, 2.0):
        other = found.scale * factor
        within = (other >= free / 2) & (other <= free * 2)  # the two powers around the free scale
        codes = round_codes(weight / other[:, None], 4)
        worse = (codes * other[:, None] - weight).square().sum(1) >= error(weight, found)
        assert worse[within].all()


def test_two_bits_four_levels_against_ternary():
    weight = torch.randn(8, 400, generator=torch.Generator().manual_seed(0))
    four = error(weight, quantize_weight(weight, 2, two_bit="four")).sum() / weight.square().sum()
    ternary = error(weight, quantize_weight(weight, 2, two_bit="ternary")).sum() / weight.square().sum()
    # uniform quantizers of a normal variable, Max 1960, table II: four levels 0.1188, three levels 0.1902
    assert four == pytest.approx(0.1188, abs=0.006)
    assert ternary == pytest.approx(0.1902, abs=0.006)


def test_truncation_rounds_towards_zero():
    # scale 1: codes of 2.9, -2.9, 0.9, -0.9
    found = quantize_weight(torch.tensor([[3.0, 2.9, -2.9, 0.9, -0.9]]), 3, clip="max", rounding="truncate")
    assert found.codes.tolist() == [[3, 2, -2, 0, 0]]


def test_stochastic_rounding_is_right_on_average_and_follows_its_generator():
    weight = torch.cat([torch.full((1, 20000), 0.3), torch.tensor([[3.0]])], 1)
    found = quantize_weight(weight, 3, clip="max", rounding="stochastic", rng=torch.Generator().manual_seed(1))
    share = found.codes[0, :-1].float().mean().item()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 20000))  # four standard errors
    again = quantize_weight(weight, 3, clip="max", rounding="stochastic", rng=torch.Generator().manual_seed(1))
    assert torch.equal(found.codes, again.codes)
    with pytest.raises(ModelError, match="pass rng"):
        quantize_weight(weight, 3, rounding="stochastic")


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("bits", INTEGER_WIDTHS)
def test_channels_of_zeros_or_of_next_to_nothing_stay_finite(bits, clip):
    weight = draw(5)
    weight[2] = 0.0
    weight[3] = 1e-42
    found = quantize_weight(weight, bits, clip=clip)
    assert torch.isfinite(found.dequantized()).all()
    assert found.scale[2] == 1.0
    if bits > 2:  # one and two bits have no zero
        assert (found.codes[2] == 0).all()


def test_float_width_keeps_the_weights():
    weight = draw(6)
    assert torch.equal(quantize_weight(weight, 32).dequantized(), weight)


def test_percentile_clips_the_tail():
    weight = torch.cat([torch.linspace(-1, 1, 1999), torch.tensor([100.0])])[None]
    # 2000 weights: the 1998th magnitude is that of the ends, 1
    assert quantize_weight(weight, 4, clip="percentile").scale.item() == pytest.approx(1 / 7, rel=2e-3)
    assert quantize_weight(weight, 4, clip="max").scale.item() == pytest.approx(100 / 7)


@pytest.mark.parametrize("bits", [0, -1, 9, 15, 2.5])
def test_widths_that_do_not_exist_are_named(bits):
    with pytest.raises(ModelError, match=rf"width {bits} does not exist; choose from 1, 2, 3"):
        quantize_weight(draw(0), bits)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(bad):
    weight = draw(0)
    weight[1, 2] = bad
    with pytest.raises(ModelError, match="NaN or infinity"):
        quantize_weight(weight, 8)


@pytest.mark.parametrize("option", ["granularity", "clip", "scale", "rounding", "two_bit"])
def test_options_that_do_not_exist_are_named_with_those_that_do(option):
    with pytest.raises(ModelError, match=rf"quantization.{option} is 'wrong'; expected one of \w+"):
        quantize_weight(draw(0), 4, **{option: "wrong"})
