"""Networks on frames (B, T, C, H, W): still images are repeated ones, and training on frames works."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

import sviT_models
from sviT_models.errors import ModelError
from sviT_models.training.augment import flipped, shifted
from sviT_models.training.recipe import Recipe
from sviT_models.training.train import initial, store_training, train


@pytest.fixture(scope="module")
def directions(tmp_path_factory) -> str:
    """Dots that move left or right: one frame alone does not tell which, (N, 2, 2, 32, 32) counts with splits."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 2
    images = np.zeros((96, 2, 2, 32, 32), np.uint8)
    for frames, label in zip(images, labels, strict=True):
        columns = rng.integers(8, 24, 12) + np.array([[0], [6 if label else -6]])
        for frame, column in zip(frames, columns, strict=True):
            frame[1, rng.integers(0, 32, 12), column] = 3
    split = np.repeat(["train", "validation", "search", "verify"], [48, 16, 16, 16])
    path = tmp_path_factory.mktemp("data") / "directions.npz"
    np.savez(path, images=images, labels=labels, split=split)
    return str(path)


@pytest.mark.parametrize("channels", [2, 3])
@torch.no_grad()
def test_a_still_image_is_the_same_frame_in_every_step(channels):
    weights = sviT_models.open_checkpoint("sdtv2_tiny_digits").model.state_dict()
    first = "downsample1_1.encode_conv.weight"
    weights[first] = weights[first][:, :channels] * (3 / channels)  # the three channels of digits are one and the same
    model = sviT_models.build("sdtv2_tiny", num_classes=10, time_steps=3, in_channels=channels)
    model.load_state_dict(weights)
    model.double().eval()
    images = sviT_models.load_data("digits", "search", count=4).images[:, :channels].double()
    frames = images[:, None].expand(-1, 3, -1, -1, -1)
    assert model(images).std(0).max() > 1  # the network fires: its logits depend on what it sees
    torch.testing.assert_close(model(frames), model(images), rtol=0, atol=1e-12)
    changed = torch.stack([images, images.flip(3), -images], dim=1)
    assert (model(changed) - model(images)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        (
            (1, 2, 2, 32, 32),
            r"frames have shape \(1, 2, 2, 32, 32\); sdtv2_tiny expects \(batch, 3, 2, height, width\)",
        ),
        ((1, 3, 3, 32, 32), r"expects \(batch, 3, 2, height, width\)"),
        ((1, 3, 32, 32), r"images have shape \(1, 3, 32, 32\); expected \(batch, 2, height, width\)"),
    ],
)
def test_other_frames_than_the_network_has_steps_are_refused(shape, complaint):
    model = sviT_models.build("sdtv2_tiny", num_classes=5, time_steps=3, in_channels=2)
    with pytest.raises(ModelError, match=complaint):
        model(torch.zeros(shape))


def test_a_network_is_trained_on_frames_stored_and_opened(directions, tmp_path):
    done = train(Recipe(directions, time_steps=2, epochs=1, batch_size=16, shift=1, flip=True))
    store_training(done, tmp_path / "d.safetensors")
    opened = sviT_models.load_checkpoint(tmp_path / "d.safetensors")
    assert opened.config == done.model.config
    assert (opened.config.in_channels, opened.config.time_steps) == (2, 2)
    images = sviT_models.load_data(directions, "verify").images
    with torch.no_grad():
        assert torch.equal(opened(images), done.model.eval()(images))


def test_a_checkpoint_for_images_says_nothing_of_channels(tmp_path):
    sviT_models.save_checkpoint(tmp_path / "x.safetensors", sviT_models.build("sdtv2_tiny", num_classes=5))
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert "in_channels" not in json.loads(file.metadata()["config"])


def test_what_cannot_take_frames_says_so(directions):
    recipe = Recipe(directions, time_steps=2)
    with pytest.raises(ModelError, match=r"start sdtv2_tiny_digits: downsample1_1.* is .*, not .*; start from random"):
        initial(replace(recipe, start="sdtv2_tiny_digits"), 2, channels=2)
    with pytest.raises(ModelError, match=r"directions.npz: has 2 frames per sample, not 3; ask for 2 time steps"):
        train(replace(recipe, time_steps=3))


def test_all_frames_of_a_sample_are_moved_and_mirrored_alike():
    frames = torch.rand(3, 4, 2, 6, 6)
    offsets, which = torch.tensor([[1, 0], [0, -2], [2, 2]]), torch.tensor([True, False, True])
    for step in range(4):
        assert torch.equal(shifted(frames, offsets)[:, step], shifted(frames[:, step], offsets))
        assert torch.equal(flipped(frames, which)[:, step], flipped(frames[:, step], which))
