"""What is easy to get wrong in each family, one test each; the goldens pin the rest."""

import numpy as np
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models.network.neuron import LIF, Neuron
from sviT_models.network.steps import each_step
from sviT_models.zoo import maxformer, qkformer, sdtv1, spikformer
from tests import zoo_goldens

STEPS = {"time_steps": 4}
LEVELS = {"levels": 4}
STEM_AND_EMBEDDING = ("patch_embed1.proj_res", "patch_embed2.proj3", "patch_embed2.proj4")


def logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(images)


def outputs(model: nn.Module, images: torch.Tensor, *kinds: type[nn.Module]) -> dict[str, torch.Tensor]:
    """What every module of these kinds gave, in the order in which they ran."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, inputs, out, path=path: seen.update({path: out}))
        for path, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    logits(model, images)
    for hook in hooks:
        hook.remove()
    return seen


def options_of(recording: str) -> dict[str, int]:
    return LEVELS if recording.startswith(("qsd", "sdtv3")) else STEPS


@pytest.mark.parametrize("recording", [name for name in zoo_goldens.RECORDINGS if "_tiny" in name])
def test_neurons_fire_in_the_official_order_and_the_unused_ones_never(recording):
    recorded = np.load(zoo_goldens.DATA / f"{recording}.npz")
    model = zoo_goldens.network(recording, **options_of(recording))
    fired = list(outputs(model, zoo_goldens.images(recording)[:1], Neuron))
    names = recorded["lif_names"].tolist()
    assert fired == [names[i] for i in recorded["lif_order"]]
    unused = set(recorded["unused_lif_names"].tolist())
    assert {path for path, module in model.named_modules() if isinstance(module, Neuron)} == {*names, *unused}


@pytest.mark.parametrize("recording", ["spikingformer_tiny_32", "spikformer_tiny_32", "qsd_tiny_32", "sdtv1_tiny_32"])
def test_entries_without_effect_are_in_the_state_and_change_nothing(recording):
    model = zoo_goldens.network(recording, **options_of(recording))
    images = zoo_goldens.images(recording)[:2]
    before = logits(model, images)
    dead = [
        tensor
        for key, tensor in model.state_dict().items()
        if ".norm1." in key or ".norm2." in key or "talking_heads.weight" in key or ".act." in key
    ]
    assert dead
    for tensor in dead:
        tensor.fill_(7.0)
    assert torch.equal(logits(model, images), before)


@pytest.mark.parametrize(
    ("recording", "matters"),
    [
        ("spikingformer_tiny_32", True),
        ("maxformer_tiny_32", True),
        ("qkformer_tiny_32", True),
        ("statten_tiny_32", True),
        ("sdtv1_tiny_32", False),  # everything is per channel
    ],
)
def test_the_number_of_heads_is_not_in_the_weights_but_may_change_the_result(recording, matters):
    images = zoo_goldens.images(recording)
    few, many = (zoo_goldens.network(recording, **STEPS, heads=heads) for heads in (2, 8))
    assert few.state_dict().keys() == many.state_dict().keys()
    assert torch.equal(logits(few, images), logits(many, images)) != matters


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("sdtv1_tiny_32", "patch_embed.proj_bn3"),
        ("maxformer_tiny_32", "patch_embed2.max_embed1.embed_bn"),
        ("ms_qkformer_tiny_imagenet_stem_64", "patch_embed1.proj_bn"),
        ("qkformer_tiny_imagenet_stem_64", "patch_embed1.proj_bn"),
        ("spikingresformer_tiny_imagenet_stem_64", "prologue.1"),
    ],
)
def test_a_pool_of_potentials_follows_the_norm_and_pads_with_less_than_any_number(recording, path):
    model, images = zoo_goldens.network(recording, time_steps=1), zoo_goldens.images(recording)[:1]
    norm = model.get_submodule(path)
    norm = norm if isinstance(norm, nn.BatchNorm2d) else norm.bn
    with torch.no_grad():
        norm.weight.neg_()  # max does not commute with a negative gain
        norm.bias.sub_(99.0)  # every potential is below zero: a padding with zero would show
    potentials: list[torch.Tensor] = []
    norm.register_forward_hook(lambda _, inputs, out: potentials.append(out))
    pooled = all_outputs(model, images, nn.MaxPool2d)
    assert potentials[0].max() < 0
    padded = nn.functional.pad(potentials[0], (1, 1, 1, 1), value=-np.inf)
    expected = padded.unfold(2, 3, 2).unfold(3, 3, 2).amax((-1, -2))  # windows of 3 x 3, two apart
    assert any(torch.equal(out, expected) for out in pooled)


def all_outputs(model: nn.Module, images: torch.Tensor, kind: type[nn.Module]) -> list[torch.Tensor]:
    """Every call of the modules of a kind: one pool may serve several layers."""
    seen: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, out: seen.append(out))
        for module in model.modules()
        if isinstance(module, kind)
    ]
    logits(model, images)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("recording", ["spikformer_tiny_32", "qkformer_tiny_32"])
def test_shortcuts_that_add_spikes_make_integers_that_grow_by_two_a_block(recording):
    model = zoo_goldens.network(recording, **STEPS)
    streams = outputs(model, zoo_goldens.images(recording), spikformer.Block, qkformer.Block)
    bound = 2  # spikes of the last convolution of the embedding, and those of its branch
    for path, stream in streams.items():
        bound = 4 if path.startswith("stage") and path.endswith(".0") else bound + 2  # an embedding starts anew
        assert torch.equal(stream, stream.round())
        assert 1 < stream.max() <= bound, path


def test_the_gate_of_sdtv1_opens_at_one_step_where_a_single_token_has_k_and_v():
    attention = sdtv1.Attention(sdtv1.VARIANTS["tiny"])
    q = torch.ones(1, 1, 64, 2, 2, dtype=torch.float64)
    k, v = torch.zeros_like(q), torch.ones_like(q)
    k[0, 0, 5, 1, 0] = 1  # v = (0 + 1) / 2 reaches the threshold 0.5 exactly: a tie is a spike
    mixed = attention.mix(q, k, v)
    assert mixed[0, 0, 5].eq(1).all()
    assert mixed.sum() == 4


def test_events_pool_over_pixels_and_over_tokens_and_channels_of_a_head():
    config = sdtv1.VARIANTS["cifar10dvs_2_256"].changed(embed_dim=16, heads=2, time_steps=3)
    attention = sdtv1.Attention(config)
    rng = np.random.default_rng(0)
    q, k, v = (rng.random((3, 2, 16, 4, 4)) < 0.2 for _ in range(3))

    def neighbours(x: np.ndarray) -> np.ndarray:  # whether any of the 3 x 3 around fires
        padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
        around = [padded[..., i : i + x.shape[-2], j : j + x.shape[-1]] for i in range(3) for j in range(3)]
        return np.any(around, axis=0)

    def by_token(x: np.ndarray) -> np.ndarray:  # (T, B, heads, N, d)
        return x.reshape(3, 2, 2, 8, 16).swapaxes(3, 4)

    meetings = neighbours(by_token(neighbours(k)) & by_token(neighbours(v))).sum(3, keepdims=True)
    gate = LIF(0.5)(torch.from_numpy(meetings).double()).numpy().astype(bool)
    expected = neighbours(by_token(q) & gate).swapaxes(3, 4).reshape(3, 2, 16, 4, 4)
    given = [torch.from_numpy(x).double() for x in (q, k, v)]
    np.testing.assert_array_equal(attention.mix(*given).numpy(), expected)


def test_a_network_for_events_sees_two_channels_that_change_from_step_to_step():
    torch.manual_seed(0)
    model = sviT_models.build("sdtv1_cifar10dvs_2_256", embed_dim=16, time_steps=3).eval()
    frames = torch.rand(2, 3, 2, 64, 64).round()
    assert logits(model, frames).shape == (2, 10)
    _, counts = sviT_models.spike_counts(model, frames)
    assert counts.shape[1] == 3
    with pytest.raises(sviT_models.ModelError, match=r"expects \(batch, 3, 2, height, width\)"):
        model(frames[:, :2])


def test_qkformer_evaluates_an_image_alone_whatever_its_batch():
    recording = "qkformer_tiny_32"
    model, images = zoo_goldens.network(recording, **STEPS), zoo_goldens.images(recording)
    alone = torch.cat([logits(model, image.unsqueeze(0)) for image in images])
    torch.testing.assert_close(logits(model, images), alone, rtol=0, atol=1e-12)


def test_the_official_qkformer_lets_the_images_of_a_batch_see_each_other():
    recorded = np.load(zoo_goldens.DATA / f"{zoo_goldens.NO_TARGET}.npz")
    model = zoo_goldens.network("qkformer_tiny_32", **STEPS)
    images = zoo_goldens.images("qkformer_tiny_32")
    assert np.abs(logits(model, images).numpy() - recorded["logits_f64_T4"]).max() > 1e-3

    class Folded(LIF):  # the axis in front is time: here the steps of the first image, then those of the second
        def forward(self, current):
            return super().forward(current.flatten(0, 1)).unflatten(0, current.shape[:2])

    for module in model.modules():
        if isinstance(module, qkformer.Attention):
            module.proj_lif = Folded()
    np.testing.assert_allclose(logits(model, images).numpy(), recorded["logits_f64_T4"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("recording", "pooled"), [("qkformer_tiny_32", "proj4"), ("qkformer_tiny_imagenet_stem_64", "proj3")]
)
def test_the_embedding_of_qkformer_pools_behind_the_first_or_the_second_convolution(recording, pooled):
    model = zoo_goldens.network(recording, time_steps=1)
    fired = outputs(model, zoo_goldens.images(recording)[:1], LIF)
    before, inner, after = (fired[f"{path}_lif"].shape[-1] for path in STEM_AND_EMBEDDING)
    assert before == 2 * after
    assert inner == (after if pooled == "proj3" else before)


def test_the_two_neurons_of_the_ms_qkformer_stem_fire_alike():
    recording = "ms_qkformer_tiny_32"
    fired = outputs(zoo_goldens.network(recording, **STEPS), zoo_goldens.images(recording), LIF)
    assert torch.equal(fired["patch_embed1.embed1.embed_lif"], fired["patch_embed1.embed2.embed_lif"])


def test_the_branch_of_a_maxformer_embedding_pools_potentials_of_the_first_neurons():
    embedding = maxformer.PatchEmbedding(8, 16).double().eval()
    x = torch.randn(2, 3, 8, 6, 6, dtype=torch.float64) * 2
    spikes = embedding.max_embed1.embed_lif(x)
    branch = each_step(spikes, embedding.max_embed2.embed_conv, embedding.max_embed2.embed_bn, embedding.pool)
    main = each_step(spikes, embedding.max_embed1.embed_conv, embedding.max_embed1.embed_bn, embedding.pool)
    assert torch.equal(embedding(x), embedding.embed1(main) + branch)
