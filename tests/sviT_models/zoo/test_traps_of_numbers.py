"""What is easy to get wrong where layers see other numbers than spikes: levels, codes, real products, counts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import sviT_models
from sviT_models.network.attention import attend
from sviT_models.network.neuron import IntegerNeuron
from sviT_models.zoo import qsd, sdtv3, spikingresformer, statten
from tests import zoo_goldens


def neurons_of(name: str, **options) -> dict[str, IntegerNeuron]:
    with torch.device("meta"):
        model = sviT_models.build(name, **options)
    return {path: module for path, module in model.named_modules() if isinstance(module, IntegerNeuron)}


def test_a_half_goes_to_the_even_level_in_the_base_networks_and_up_in_the_large_ones():
    ties = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    base, large = neurons_of("sdtv3_tiny"), neurons_of("sdtv3_large_tiny_base")
    assert (base["downsample2.encode_spike"](ties) * 4).tolist() == [0, 2, 2, 4]
    assert (large["downsample2.encode_lif"](ties) * 4).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "last", "divisor"),
    [("sdtv3_tiny", "spike", 1), ("sdtv3_large_tiny_base", "lif", 1), ("qsd_tiny", "lif", 4)],
)
def test_the_head_of_sdtv3_sees_the_integers_and_every_other_layer_levels_over_d(name, last, divisor):
    neurons = neurons_of(name)
    assert neurons.pop(last).divisor == divisor
    others = {neuron.divisor for path, neuron in neurons.items() if not (name == "qsd_tiny" and "attn_lif" in path)}
    assert others == {4}


def test_a_level_of_qsd_is_a_quarter_of_the_input_and_its_attention_sends_up_to_two():
    neurons = neurons_of("qsd_tiny")
    x = torch.tensor([0.1, 0.125, 0.4, 0.9, 5.0], dtype=torch.float64)  # times 4: 0.4, 0.5, 1.6, 3.6, 20
    assert neurons["downsample2.encode_lif"](x).tolist() == [0.0, 0.25, 0.5, 1.0, 1.0]
    assert neurons["block3.0.attn.attn_lif"](x).tolist() == [0.0, 0.5, 1.0, 2.0, 2.0]


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_levels_spread_over_binary_steps_give_a_convolution_the_same_sums_but_not_an_attention(levels, seed):
    rng = torch.Generator().manual_seed(seed)
    k = torch.randint(0, levels + 1, (2, 3, 5, 5), generator=rng).double()
    steps = torch.stack([(k > step).double() for step in range(levels)])  # level k as k spikes
    conv = nn.functional.conv2d
    weight = torch.randint(-8, 8, (4, 3, 3, 3), generator=rng).double()
    assert torch.equal(sum(conv(spikes, weight) for spikes in steps), conv(k, weight))
    full = k.flatten(2) @ k.flatten(2).transpose(1, 2)
    by_step = sum(s.flatten(2) @ s.flatten(2).transpose(1, 2) for s in steps)
    assert torch.equal(full, by_step) == bool(k.max() <= 1)  # levels multiply levels


def test_the_attention_of_sdtv3_has_four_times_the_values_and_a_scale_that_depends_on_the_head():
    attention = sdtv3.Attention(128, heads=8, levels=4)
    assert attention.v_conv[0].out_channels == attention.proj_conv[0].in_channels == 4 * 128
    assert attention.scale == 2 / math.sqrt(16)
    assert sdtv3.Attention(240, heads=8, levels=4).scale == pytest.approx(0.365, abs=5e-4)  # 2 / sqrt(30)


@given(st.integers(0, 2**32 - 1))
def test_the_product_of_attention_does_not_depend_on_its_order(seed):
    rng = torch.Generator().manual_seed(seed)
    q, k = (torch.randint(0, 5, (2, 3, 6), generator=rng).double() / 4 for _ in range(2))
    v = torch.randint(0, 5, (2, 12, 6), generator=rng).double() / 4
    q_rows, k_rows, v_rows = (x.transpose(1, 2) for x in (q, k, v))  # (B, N, d)
    assert torch.equal(attend(q, k, v), ((q_rows @ k_rows.transpose(1, 2)) @ v_rows).transpose(1, 2))


def test_the_inner_width_of_the_83m_network_is_an_option_because_its_published_file_has_another():
    for ratio, inner in ((1.0, 512), (1.5, 768)):  # as the code makes it; as the published file holds it
        with torch.device("meta"):
            model = sviT_models.build("sdtv3_large_spikformer12_512_83m", leading_ratio=ratio)
        assert model.block3[0].rep_conv.conv1[0].out_channels == inner


def test_the_heads_of_a_large_network_see_mean_potentials_and_levels():
    recording = "sdtv3_large_tiny_base_32"
    model, seen = zoo_goldens.network(recording, levels=4), {}
    for name in ("head", "head_kd", "lif"):
        model.get_submodule(name).register_forward_hook(
            lambda _, inputs, out, name=name: seen.update({name: (inputs[0], out)})
        )
    with torch.no_grad():
        logits = model(zoo_goldens.images(recording))
    assert torch.equal(seen["head"][0], seen["lif"][0])
    assert torch.equal(seen["head_kd"][0], seen["lif"][1])
    assert set(seen["head_kd"][0].unique().tolist()) <= {0, 1, 2, 3, 4}
    torch.testing.assert_close(logits, (seen["head"][1] + seen["head_kd"][1]) / 2)


def test_codes_of_four_bits_are_clamped_before_they_are_rounded_half_to_even():
    layer = qsd.Conv2d(1, 2, 1, bias=False).double()
    with torch.no_grad():
        layer.alpha.copy_(torch.tensor([0.5, 2.0]))
        layer.weight.copy_(torch.tensor([1.25, -9.0]).view(2, 1, 1, 1))  # 2.5 steps and -4.5 steps
    assert layer.codes().flatten().tolist() == [2, -4]
    assert layer.quantized().flatten().tolist() == [1.0, -8.0]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([3.74, -99.0]).view(2, 1, 1, 1))  # 7.48 steps: 7; beyond -8: -8
    assert layer.codes().flatten().tolist() == [7, -8]
    layer.quantized().sum().backward()  # inside the clamp a weight moves its value, outside only the step does
    assert layer.weight.grad.flatten().tolist() == [0.0, 0.0]
    assert layer.alpha.grad.tolist() == [7.0, -8.0]


def test_every_layer_of_qsd_holds_codes_and_its_three_in_a_chain_fit_no_single_one():
    model = zoo_goldens.network("qsd_tiny_32", levels=4)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    assert len(layers) == 138
    for layer in layers:
        codes = layer.codes()
        assert torch.equal(codes, codes.round())
        assert codes.min() >= -8
        assert codes.max() <= 7
    first, last = (model.block3[0].attn.q_conv[0].body[0], model.block3[0].attn.q_conv[0].body[2][1])
    product = last.codes().flatten(1).detach() @ first.codes().flatten(1).detach()
    assert product.abs().max() > 8


def test_training_reaches_the_weights_and_steps_of_qsd():
    torch.manual_seed(0)
    model = zoo_goldens.network("qsd_tiny_32", levels=4).train()
    model(zoo_goldens.images("qsd_tiny_32")).square().sum().backward()
    for layer in (model.downsample1_1.encode_conv, model.block4[1].mlp.fc2_conv, model.head):
        assert layer.weight.grad.abs().sum() > 0
        assert layer.alpha.grad.abs().sum() > 0


def test_dual_spike_attention_is_two_products_of_halves_of_each_head():
    torch.manual_seed(0)
    attention = spikingresformer.DualSpikeAttention(dim=8, heads=2, patch=2, patches=4).double().eval()
    attention.firing_rate_x.copy_(torch.tensor([0.1, 0.4]).view(1, 1, 2, 1, 1))
    attention.firing_rate_attn.copy_(torch.tensor([0.2, 0.3]).view(1, 1, 2, 1, 1))
    x = 3 * torch.randn(1, 1, 8, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        out = attention(x) - x
        spikes = (x[0] >= 2).double()  # one step: fires at twice the threshold of 1
        y = attention.norm(attention.W(spikes)).reshape(16, 4).numpy()  # 2 C channels, 2 x 2 patches
        tokens = spikes.reshape(8, 16).numpy()
        mixed = np.zeros((8, 16))
        for head, (rate_x, rate_attn) in enumerate([(0.1, 0.2), (0.4, 0.3)]):
            y1, y2 = y[8 * head : 8 * head + 4], y[8 * head + 4 : 8 * head + 8]
            of_head = slice(4 * head, 4 * head + 4)
            met = (y1.T @ tokens[of_head] / math.sqrt(rate_x * 4) >= 2).astype(float)
            mixed[of_head] = y2 @ met / math.sqrt(rate_attn * 4) >= 2
        expected = attention.norm_proj(attention.Wproj(torch.from_numpy(mixed).reshape(1, 8, 4, 4)))
    torch.testing.assert_close(out[0], expected)


def test_the_rates_of_spikingresformer_are_measured_in_training_and_constant_in_evaluation():
    torch.manual_seed(0)
    attention = spikingresformer.DualSpikeAttention(dim=8, heads=2, patch=2, patches=4)
    x = 3 * torch.randn(2, 3, 8, 4, 4)
    attention.eval()(x)
    assert attention.firing_rate_x.eq(1).all()  # never measured
    attention.train()(x)
    rate = attention.activation_in(x).unflatten(2, (2, 4)).mean((0, 1, 3, 4, 5))
    torch.testing.assert_close(attention.firing_rate_x.flatten(), rate)
    attention(-x)
    other = attention.activation_in(-x).unflatten(2, (2, 4)).mean((0, 1, 3, 4, 5))
    torch.testing.assert_close(attention.firing_rate_x.flatten(), 0.999 * rate + 0.001 * other)
    assert "firing_rate_x" in attention.state_dict()


def test_spikingresformer_is_made_for_images_of_one_resolution():
    with torch.device("meta"):
        model = sviT_models.build("spikingresformer_ti")
    with pytest.raises(sviT_models.ModelError, match=r"images have 64 x 64 pixels; .* build it with their resolution"):
        model(torch.empty(1, 3, 64, 64, device="meta"))
    with pytest.raises(sviT_models.ModelError, match="resolution is 100; expected a multiple of 16"):
        sviT_models.build("spikingresformer_ti", resolution=100)


def test_a_grouped_convolution_of_spikingresformer_is_neither_dense_nor_depthwise():
    with torch.device("meta"):
        model = sviT_models.build("spikingresformer_l")
    conv = model.layers[2][2].conv[0][1]
    assert (conv.groups, conv.in_channels, conv.weight.shape[1]) == (64, 4096, 64)


def test_a_step_of_statten_sees_the_keys_of_the_other_step_of_its_chunk_only():
    attention = statten.Attention(statten.VARIANTS["tiny"]).eval()
    q, k, v = (torch.ones(4, 1, 64, 4, 4) for _ in range(3))
    without = k.clone()
    without[1] = 0  # the keys of the second step
    changed = potentials_of(attention, q, k, v) != potentials_of(attention, q, without, v)
    assert changed.flatten(1).any(1).tolist() == [True, True, False, False]
    with pytest.raises(sviT_models.ModelError, match=r"time_steps is 3; .*: expected a multiple of 2"):
        sviT_models.build("statten_tiny", time_steps=3)


def potentials_of(attention: statten.Attention, *qkv: torch.Tensor) -> torch.Tensor:
    """What the neurons behind the products of STAtten see."""
    seen = []
    hook = attention.attn_lif.register_forward_hook(lambda _, inputs, out: seen.append(inputs[0]))
    attention.mix(*qkv)
    hook.remove()
    return seen[0]


def test_a_count_that_ties_with_the_threshold_of_statten_is_a_spike_at_every_size():
    attention = statten.Attention(statten.VARIANTS["tiny"]).eval()
    for side in (7, 14):  # 1/7 and 1/14 are no binary fractions
        q, k, v = (torch.zeros(2, 1, 64, side, side, dtype=torch.float64) for _ in range(3))
        q[:, :, 0] = k[0, :, 0] = 1
        v[0, :, 1, 0, :side] = 1  # so many tokens where k and v meet: the count is the height
        assert potentials_of(attention, q, k, v)[0, 0, 1].eq(1).all()
        assert attention.mix(q, k, v)[0, 0, 1].eq(1).all()  # (0 + 1) / 2 reaches 0.5


def test_the_first_neurons_of_integer_networks_keep_no_state_and_take_no_frames():
    model = zoo_goldens.network("sdtv3_tiny_32", levels=4)
    images = zoo_goldens.images("sdtv3_tiny_32")
    with torch.no_grad():
        first = model(images)
        model(-images)
        assert torch.equal(model(images), first)
    with pytest.raises(sviT_models.ModelError, match=r"expected \(batch, 3, height, width\)"):
        model(images.unsqueeze(1))
    with pytest.raises(sviT_models.ModelError, match=r"sdtv3_tiny has no option time_steps; there are: .*levels"):
        sviT_models.build("sdtv3_tiny", time_steps=4)
