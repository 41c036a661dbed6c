import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sviT_models
from tests import goldens

SIZES = {  # parameters without and with the distillation head; 8_384 and 8_512 as in the official repository's table
    "sdtv2_8_256": (15_112_208, 15_473_208),
    "sdtv2_8_384": (31_333_864, 31_814_864),
    "sdtv2_8_512": (55_350_248, 55_991_248),
    "sdtv2_8_768": (123_741_160, 124_702_160),
}
GOLDENS = {
    "tiny_32": ("sdtv2_tiny", 10, False),
    "tiny_kd_32": ("sdtv2_tiny", 10, True),
    "8_512_64": ("sdtv2_8_512", 1000, False),
}


def network(golden: str, dtype: torch.dtype, time_steps: int) -> torch.nn.Module:
    name, classes, distilled = GOLDENS[golden]
    with torch.device("meta"):
        model = sviT_models.build(name, num_classes=classes, time_steps=time_steps, distilled=distilled)
    state = {key: torch.from_numpy(goldens.weight(key, tuple(t.shape))) for key, t in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.to(dtype).eval()


@pytest.mark.parametrize("time_steps", [1, 4])
@pytest.mark.parametrize(("short", "dtype"), [("f64", torch.float64), ("f32", torch.float32)])
@pytest.mark.parametrize("golden", GOLDENS)
def test_logits_and_spikes_are_those_of_the_official_code(golden, short, dtype, time_steps):
    recorded = np.load(goldens.DATA / f"golden_{golden}.npz")
    model = network(golden, dtype, time_steps)
    images = torch.from_numpy(goldens.images(tuple(recorded["input_shape"]), int(recorded["input_seed"]))).to(dtype)
    names, counts = sviT_models.spike_counts(model, images)
    with torch.no_grad():
        logits = model(images).numpy()
    assert names == recorded["lif_names"].tolist()
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, recorded[f"spikes_{short}_T{time_steps}"])
    tolerance = 1e-9 if short == "f64" else 1e-4
    np.testing.assert_allclose(logits, recorded[f"logits_{short}_T{time_steps}"], rtol=0, atol=tolerance)


@pytest.mark.parametrize(("name", "column", "classes"), [("sdtv2_tiny", "tiny", 10), ("sdtv2_8_512", "8_512", 1000)])
def test_the_state_dict_has_the_official_keys_order_shapes_and_types(name, column, classes):
    with torch.device("meta"):
        state = sviT_models.build(name, num_classes=classes).state_dict()
        distilled = sviT_models.build(name, num_classes=classes, distilled=True).state_dict()
    official = goldens.official_state(column)
    assert [(key, tuple(tensor.shape)) for key, tensor in state.items()] == list(official.items())
    assert all((t.dtype == torch.int64) == key.endswith("num_batches_tracked") for key, t in state.items())
    assert list(distilled)[825:] == ["head_kd.weight", "head_kd.bias"]


@pytest.mark.parametrize("name", SIZES)
def test_the_networks_have_their_published_sizes(name):
    with torch.device("meta"):
        sizes = tuple(
            sum(p.numel() for p in sviT_models.build(name, distilled=distilled).parameters())
            for distilled in (False, True)
        )
    assert sizes == SIZES[name]


@pytest.mark.parametrize("name", sviT_models.names("sdtv2"))
def test_every_network_of_the_zoo_has_138_weight_layers_and_77_lif_layers(name):
    with torch.device("meta"):
        model, distilled = (sviT_models.build(name, distilled=kd) for kd in (False, True))
    assert model.config.name == name
    assert len(sviT_models.weight_layers(model)) == 138
    assert sviT_models.weight_layers(distilled) == [*sviT_models.weight_layers(model), "head_kd"]
    assert len(sviT_models.lif_layers(model)) == len(sviT_models.lif_layers(distilled)) == 77


def test_no_state_outlives_a_call():
    model = network("tiny_32", torch.float32, time_steps=2)
    images = torch.from_numpy(goldens.images((2, 3, 32, 32), seed=5))
    with torch.no_grad():
        first = model(images)
        model(-images)
        assert torch.equal(model(images), first)
        # an image's logits do not depend on what else is in the batch (float32: batches may sum in another order)
        torch.testing.assert_close(model(images[1:]), first[1:], rtol=0, atol=1e-4)


def test_counting_spikes_leaves_no_trace():
    model = network("tiny_32", torch.float32, time_steps=1).train()
    model.block3.eval()  # a mode of its own, as when fine-tuning with frozen statistics
    modes = [module.training for module in model.modules()]
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    sviT_models.spike_counts(model, torch.zeros(1, 3, 32, 32))
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


def test_time_steps_change_without_touching_the_weights():
    model = network("tiny_32", torch.float64, time_steps=4)
    images = torch.from_numpy(goldens.images((4, 3, 32, 32), seed=1)).double()
    short = sviT_models.with_time_steps(model, 1)
    _, counts = sviT_models.spike_counts(short, images)
    np.testing.assert_array_equal(counts, np.load(goldens.DATA / "golden_tiny_32.npz")["spikes_f64_T1"])
    assert model.config.time_steps == 4
    assert short.head.weight is model.head.weight


def test_the_memory_layout_is_kept_and_changes_no_spike():
    recorded = np.load(goldens.DATA / "golden_tiny_32.npz")
    model = network("tiny_32", torch.float64, time_steps=4).to(memory_format=torch.channels_last)
    images = torch.from_numpy(goldens.images((4, 3, 32, 32), seed=1)).double().to(memory_format=torch.channels_last)
    strides = []
    model.ConvBlock1_1[0].lif2.register_forward_hook(lambda _, inputs, out: strides.append(out.stride()))
    _, counts = sviT_models.spike_counts(model, images)
    np.testing.assert_array_equal(counts, recorded["spikes_f64_T4"])
    assert strides == [(4 * 32 * 256, 32 * 256, 1, 16 * 32, 32)]  # (T, B, C, H, W) of 4, 4, 32, 16, 16: C innermost


def test_a_training_step_reaches_every_parameter():
    torch.manual_seed(0)
    model = network("tiny_32", torch.float32, time_steps=2).train()
    images = torch.from_numpy(goldens.images((8, 3, 32, 32), seed=2))
    torch.nn.functional.cross_entropy(model(images), torch.arange(8)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_the_border_of_a_rep_conv_is_what_its_norm_makes_of_zero():
    from sviT_models.network.layers import PaddedBatchNorm

    norm = PaddedBatchNorm(2).double()
    norm.bn.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.bn.running_var.copy_(torch.tensor([4.0, 1.0]) - norm.bn.eps)
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64)
    borders = []
    for mode in (True, False):
        norm.bn.momentum = 0.0  # training keeps the statistics above
        padded = norm.train(mode)(x)
        assert padded.shape == (3, 2, 6, 7)
        torch.testing.assert_close(padded[:, :, 1:-1, 1:-1], norm.bn(x))
        borders += [padded[:, :, 0], padded[:, :, -1], padded[..., 0], padded[..., -1]]
    expected = torch.tensor([-0.5, 2.0], dtype=torch.float64)  # (0 - 1) / sqrt(4), (0 + 2) / sqrt(1)
    for border in borders:
        torch.testing.assert_close(border, expected.view(1, 2, 1).expand_as(border))


def lif_by_hand(current: np.ndarray, threshold: float) -> np.ndarray:
    v, spikes = np.zeros(current.shape[1:]), []
    for x in current:
        v = v + (x - v) / 2
        spikes.append(v >= threshold)
        v = np.where(spikes[-1], 0.0, v)
    return np.stack(spikes)


@given(st.integers(1, 5), st.integers(0, 3), st.sampled_from([0.5, 1.0]), st.integers(0, 2**32 - 1))
def test_lif_integrates_fires_and_resets(steps, size, threshold, seed):
    # multiples of 1/8 hit the threshold exactly now and then
    current = np.random.default_rng(seed).integers(-8, 32, (steps, size, 2)) / 8
    spikes = sviT_models.lif(torch.from_numpy(current), threshold)
    np.testing.assert_array_equal(spikes.numpy(), lif_by_hand(current, threshold))


def test_a_lone_step_fires_at_twice_the_threshold():
    assert sviT_models.lif(torch.tensor([[1.99, 2.0]])).tolist() == [[0.0, 1.0]]


@given(st.integers(1, 5), st.sampled_from([0.5, 1.0]), st.integers(0, 2**32 - 1))
def test_the_gradient_of_lif_is_that_of_the_surrogate_with_the_reset_detached(steps, threshold, seed):
    current = torch.from_numpy(np.random.default_rng(seed).normal(0.6, 1.5, (steps, 3, 4))).requires_grad_()
    upstream = torch.from_numpy(np.random.default_rng(seed + 1).normal(0, 1, (steps, 3, 4)))
    (grad,) = torch.autograd.grad(sviT_models.lif(current, threshold), current, upstream)
    v, loss = torch.zeros(3, 4, dtype=torch.float64), 0.0  # the same by autograd: sigmoid in place of the step
    for x, weight in zip(current, upstream, strict=True):
        v = v + (x - v) / 2
        loss = loss + (weight * torch.sigmoid(4 * (v - threshold))).sum()
        v = v * (v < threshold).double()
    (expected,) = torch.autograd.grad(loss, current)
    torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "sdtv2_8_500"}, "no model 'sdtv2_8_500'; the nearest names are: sdtv2_8_"),
        ({"levels": 4}, "sdtv2_tiny has no option levels; there are: num_classes, time_steps, distilled"),
        ({"time_steps": 0}, "time_steps is 0; expected an integer of at least 1"),
        ({"num_classes": True}, "num_classes is True"),
        ({"heads": 3}, "heads is 3, which does not divide the embedding sizes (64, 80)"),
        ({"attention_scale": float("nan")}, "attention_scale is nan; expected a positive number"),
    ],
)
def test_impossible_networks_are_named(options, says):
    with pytest.raises(sviT_models.ModelError) as error:
        sviT_models.build(**{"name": "sdtv2_tiny", **options})
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_images_of_another_shape_are_named():
    model = network("tiny_32", torch.float32, time_steps=1)
    with pytest.raises(sviT_models.ModelError, match=r"images have shape \(1, 1, 28, 28\); expected \(batch, 3"):
        model(torch.zeros(1, 1, 28, 28))
