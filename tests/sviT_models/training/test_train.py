"""Training: a few steps lower the loss, a seed fixes the weights, and the shipped networks are what they claim."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models import (
    ImageSet,
    load_checkpoint,
    load_data,
    open_checkpoint,
    read_metadata,
    save_checkpoint,
    shipped_names,
)
from sviT_models.checkpoints.shipped import checkpoint_path
from sviT_models.errors import ModelError
from sviT_models.inventory import WEIGHTS
from sviT_models.training import train as training
from sviT_models.training.augment import batches, flipped, shifted
from sviT_models.training.initial import initial
from sviT_models.training.recipe import Recipe, command, recipe_for
from sviT_models.training.step_logits import step_loss
from sviT_models.training.train import store_training, top1, train


def quarters(path: Path, training: int, others: int) -> str:
    """Which quarter of a 32 px image is bright, as an .npz with splits; `others` images are in each but `train`."""
    rng = np.random.default_rng(0)
    count = training + 3 * others
    labels = np.arange(count) % 4
    images = rng.integers(0, 90, (count, 32, 32), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = 16 * (label // 2), 16 * (label % 2)
        image[row : row + 16, column : column + 16] += 160
    splits = ["train"] * training + ["validation"] * others + ["search"] * others + ["verify"] * others
    np.savez(path, images=images, labels=labels, split=np.array(splits))
    return str(path)


@pytest.fixture(scope="module")
def bars(tmp_path_factory) -> str:
    """A task that is learnt in seconds."""
    return quarters(tmp_path_factory.mktemp("data") / "bars.npz", 64, 16)


@pytest.fixture(scope="module")
def recipe(bars) -> Recipe:
    return Recipe(bars, start="sdtv2_tiny_digits", epochs=5, batch_size=16, shift=1, learning_rate=4e-3, warmup=0.2)


@pytest.fixture(scope="module")
def short(recipe, tmp_path_factory) -> Recipe:
    """One epoch of two steps, for what is not about learning."""
    few = quarters(tmp_path_factory.mktemp("data") / "bars.npz", 16, 4)
    return replace(recipe, data=few, epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def two_steps(short) -> training.Training:
    """What `short` gives."""
    return train(short)


@pytest.fixture(scope="module")
def trained(recipe) -> training.Training:
    return train(recipe)


def state(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


def test_the_loss_falls(trained):
    losses = [epoch.loss for epoch in trained.log]
    assert losses[-1] < 0.6 * losses[0]
    assert losses[-1] < 0.6 * np.log(4)  # the loss of guessing among four classes
    assert trained.test_images == 32
    assert not trained.model.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(short, two_steps):
    first, again, other = two_steps, train(short), train(replace(short, seed=1))
    assert torch.equal(state(first.model), state(again.model))
    assert [replace(epoch, seconds=0) for epoch in first.log] == [replace(epoch, seconds=0) for epoch in again.log]
    assert not torch.equal(state(first.model), state(other.model))


def test_the_callers_random_numbers_are_left_alone(recipe):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    initial(recipe, 4)
    assert torch.equal(torch.rand(3), expected)


def test_progress_is_told_of_every_epoch_and_step(recipe):
    seen, steps = [], []
    log = train(replace(recipe, epochs=2), seen.append, steps=steps.append).log
    assert tuple(seen) == log
    assert [epoch.epoch for epoch in seen] == [1, 2]
    assert [(step.epoch, step.step) for step in steps] == [(epoch, step) for epoch in (1, 2) for step in (1, 2, 3, 4)]
    assert {(step.epochs, step.steps) for step in steps} == {(2, 4)}  # 64 images in batches of 16
    assert steps[0].left > steps[-1].left == 0
    assert np.mean([step.loss for step in steps[4:]]) == pytest.approx(log[1].loss)


def test_a_warm_up_of_one_step_begins_at_the_peak(short):
    """5 epochs of 2 steps, a tenth of them warm-up: half a cosine over 9 steps, from the peak to 4e-6 of it."""
    peak = short.learning_rate
    log = train(replace(short, epochs=5, warmup=0.1)).log
    rates = [4e-6 * peak + (1 - 4e-6) * peak * (1 + np.cos(np.pi * step / 9)) / 2 for step in (0, 2, 4, 6, 8)]
    assert [epoch.learning_rate for epoch in log] == pytest.approx(rates, rel=1e-6)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def whole(short) -> training.Training:
    """A training that nothing interrupts."""
    return train(replace(short, epochs=3, flip=True, half=True))


@pytest.mark.parametrize("after", [1, 2])
def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(whole, tmp_path, after):

    def stop(epoch):
        if epoch.epoch == after:
            raise Killed

    with pytest.raises(Killed):
        train(whole.recipe, stop, state=tmp_path / "state.safetensors")
    seen = []
    resumed = train(whole.recipe, seen.append, state=tmp_path / "state.safetensors", resume=True)
    assert torch.equal(state(resumed.model), state(whole.model))
    assert [replace(epoch, seconds=0) for epoch in resumed.log] == [replace(epoch, seconds=0) for epoch in whole.log]
    assert [epoch.epoch for epoch in seen] == list(range(after + 1, 4))


@pytest.fixture(scope="module")
def begun(short, tmp_path_factory):
    path = tmp_path_factory.mktemp("begun") / "state.safetensors"
    train(short, state=path)
    return path


def test_a_training_goes_on_only_with_what_it_began_with(short, begun, tmp_path):
    with pytest.raises(ModelError, match=r"epochs was 1 and is 5; go on with the same recipe, or delete"):
        train(replace(short, epochs=5), state=begun, resume=True)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with pytest.raises(ModelError, match=rf"written on {before} threads and this is {before + 1}"):
            train(short, state=begun, resume=True)
    finally:
        torch.set_num_threads(before)
    with np.load(short.data) as file:
        np.savez(tmp_path / "bars.npz", **{**file, "images": file["images"] ^ 1})
    moved = replace(short, data=str(tmp_path / "bars.npz"))
    train(moved, state=tmp_path / "moved.safetensors")
    with np.load(short.data) as file:
        np.savez(tmp_path / "bars.npz", **file)
    with pytest.raises(ModelError, match=r"the images of .*bars.npz have changed since"):
        train(moved, state=tmp_path / "moved.safetensors", resume=True)


def test_a_state_that_is_none_is_refused(short, begun, tmp_path):
    one = short
    with pytest.raises(ModelError, match="no such checkpoint"):
        train(one, state=tmp_path / "none", resume=True)
    with pytest.raises(ModelError, match=r"holds no training that can go on .*; delete it to start again"):
        train(one, state=checkpoint_path("sdtv2_tiny_digits"), resume=True)
    (tmp_path / "cut.safetensors").write_bytes(begun.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="truncated or corrupt"):
        train(one, state=tmp_path / "cut.safetensors", resume=True)


def test_what_is_stored_is_what_was_trained(trained, tmp_path, bars):
    store_training(trained, tmp_path / "bars.safetensors")
    loaded = load_checkpoint(tmp_path / "bars.safetensors")
    assert torch.equal(state(loaded), state(trained.model))
    assert (loaded.config.heads, loaded.config.attention_scale, loaded.config.time_steps) == (4, 0.5, 2)
    tests = [load_data(bars, split) for split in ("search", "verify")]
    assert trained.test == pytest.approx((top1(loaded, tests[0]) + top1(loaded, tests[1])) / 2)  # 16 images each
    stored = json.loads((tmp_path / "bars.json").read_text())
    metadata = read_metadata(tmp_path / "bars.safetensors")
    assert stored == {key: metadata[key] for key in stored}
    assert stored["accuracy"] == {"validation": trained.log[-1].validation, "test": trained.test, "test_images": 32}
    assert stored["data_sha256"] == load_data(bars, "train").sha256
    assert stored["recipe"]["seed"] == 0
    lines = (tmp_path / "bars.log").read_text().splitlines()
    assert lines == [
        f"$ {command(trained.recipe)}",
        *map(str, trained.log),
        f"test accuracy {trained.test:.2%} on 32 images",
    ]


def test_a_start_gives_the_trunk_and_a_fresh_head(trained, tmp_path, recipe):
    store_training(trained, tmp_path / "bars.safetensors")
    model = initial(replace(recipe, start=str(tmp_path / "bars.safetensors")), 7).state_dict()
    for key, tensor in trained.model.state_dict().items():
        if not key.startswith("head"):
            assert torch.equal(model[key], tensor), key
    assert model["head.weight"].shape == (7, 80)


def test_query_key_and_value_start_with_the_recipes_bias(recipe):
    model = initial(replace(recipe, start=None), 4)
    for name, parameter in model.named_parameters():
        if name.endswith(tuple(f"attn.{matrix}_conv.1.bias" for matrix in "qkv")):
            assert (parameter == 1).all(), name
        elif name.endswith("proj_conv.1.bias"):
            assert (parameter == 0).all(), name


def test_branches_of_qsd_start_with_the_recipes_gain(recipe):
    model = initial(Recipe("digits", model="qsd_tiny", options={"embed_dims": [8, 8, 8, 8]}, branch_gain=0.25), 10)
    ends = ("bn2.weight", "attn.proj_conv.1.weight", "mlp.fc2_bn.weight")
    seen = {name: set(value.tolist()) for name, value in model.named_parameters() if name.endswith(ends)}
    assert len(seen) == 24  # two in each of 4 convolutional and 8 attention blocks
    assert all(values == {0.25} for values in seen.values())


def test_a_shift_moves_every_image_by_its_offset_and_repeats_the_border():
    images = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    moved = shifted(images, torch.tensor([[0, 0], [1, -2]]))
    assert torch.equal(moved[0], images[0])
    for row in range(4):
        for column in range(5):
            assert torch.equal(moved[1, :, row, column], images[1, :, max(row - 1, 0), min(column + 2, 4)])


def test_a_flip_mirrors_the_images_that_are_chosen():
    images = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    mirrored = flipped(images, torch.tensor([True, False]))
    assert np.array_equal(mirrored[0], images[0].numpy()[:, :, ::-1])
    assert torch.equal(mirrored[1], images[1])


def test_a_batch_holds_each_image_once_and_about_every_other_one_mirrored(recipe, bars):
    images = load_data(bars, "train")
    generator = torch.Generator().manual_seed(0)
    still = replace(recipe, shift=0)
    plain = [inputs for inputs, _ in batches(images, 16, still, generator)]
    assert {image.numpy().tobytes() for image in torch.cat(plain)} == {i.numpy().tobytes() for i in images.images}
    originals = {image.numpy().tobytes() for image in images.images}
    mirrors = {image.flip(2).numpy().tobytes() for image in images.images}
    turned = torch.cat([inputs for inputs, _ in batches(images, 16, replace(still, flip=True), generator)])
    found = [image.numpy().tobytes() for image in turned]
    assert all(image in originals or image in mirrors for image in found)
    assert 16 < sum(image in mirrors for image in found) < 48  # of 64; outside once in 20 000 seeds


def test_half_the_bytes_hold_the_same_weights(whole, tmp_path):
    store_training(whole, tmp_path / "half.safetensors")
    loaded = load_checkpoint(tmp_path / "half.safetensors").state_dict()
    for key, tensor in whole.model.state_dict().items():
        assert loaded[key].dtype == tensor.dtype, key
        seen = torch.zeros_like(tensor) if key.endswith("num_batches_tracked") else tensor  # is not stored
        assert torch.equal(loaded[key], seen), key
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * checkpoint_path("sdtv2_tiny_digits").stat().st_size
    with pytest.raises(ModelError, match=r"downsample1_1.encode_conv.weight holds weights that float16 does not"):
        save_checkpoint(tmp_path / "x.safetensors", load_checkpoint(checkpoint_path("sdtv2_tiny_digits")), half=True)
    assert not (tmp_path / "x.safetensors").exists()


def test_what_is_measured_while_training_is_not_halved(tmp_path):
    model = sviT_models.build("spikingresformer_tiny", planes=(16, 16, 16), num_classes=4).eval()
    for parameter in model.parameters():
        parameter.data = parameter.half().float()
    for key, buffer in model.named_buffers():
        if "firing_rate" in key:
            buffer.fill_(0.1)  # no number that float16 holds
    save_checkpoint(tmp_path / "half.safetensors", model, half=True)
    loaded = load_checkpoint(tmp_path / "half.safetensors").state_dict()
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded[key], tensor), key


def test_bfloat16_learns_what_float32_learns_and_leaves_float32_weights(short, two_steps):
    coarse, fine = train(replace(short, bfloat16=True)), two_steps
    assert {tensor.dtype for tensor in coarse.model.parameters()} == {torch.float32}
    assert coarse.log[0].loss == pytest.approx(fine.log[0].loss, rel=0.1)  # 8 bits of mantissa, through spikes
    assert coarse.log[0].loss != fine.log[0].loss
    assert "--bfloat16" in command(coarse.recipe)


def test_a_loss_of_every_step_is_the_mean_of_their_cross_entropies():
    logits = torch.tensor([[[0.0, 0.0], [math.log(3), 0.0]], [[0.0, math.log(3)], [0.0, 0.0]]])  # (T, B, classes)
    # step 1: ln 2 and -ln(3/4); step 2: -ln(1/4) and ln 2
    expected = (math.log(2) - math.log(3 / 4) - math.log(1 / 4) + math.log(2)) / 4
    assert step_loss(logits, torch.tensor([0, 0]), 0.0).item() == pytest.approx(expected)


def test_tet_learns_from_every_step_and_says_where_there_is_none(short):
    few = replace(short, model="maxformer_tiny", start=None, options={"embed_dim": 32, "heads": 4})
    plain, tet = train(few), train(replace(few, tet=True))
    assert tet.log[0].loss != plain.log[0].loss  # the loss of a mean is below the mean of losses
    assert "--tet" in command(tet.recipe)
    one = [train(replace(few, time_steps=1, tet=given)).log[0].loss for given in (False, True)]
    assert one[0] == pytest.approx(one[1], rel=1e-6)  # of a single step they are the same
    for name in ("spikingformer_tiny", "sdtv3_tiny"):
        with pytest.raises(ModelError, match=rf"{name} gives no logits per time step: .*leave tet out"):
            train(replace(few, model=name, options={}, tet=True))


@pytest.mark.parametrize("name", ["sdtv1_tiny", "ms_qkformer_tiny", "sdtv3_tiny"])
def test_every_family_trains_by_a_recipe_and_comes_back_from_its_file(recipe, tmp_path, name):
    other = replace(recipe, model=name, start=None, epochs=2)
    done = train(other)
    assert done.log[1].loss < done.log[0].loss
    assert getattr(done.model.config, "levels" if name == "sdtv3_tiny" else "time_steps") == other.time_steps == 2
    assert done.model.config.num_classes == 4
    store_training(done, tmp_path / "other.safetensors")
    loaded = load_checkpoint(tmp_path / "other.safetensors")
    assert loaded.config == done.model.config
    images = load_data(recipe.data, "verify").images
    assert torch.equal(loaded(images), done.model(images))


def test_a_network_without_a_recipe_takes_the_one_of_the_data_from_random_weights():
    assert recipe_for("glyphs", model="sdtv1_tiny") == replace(recipe_for("glyphs"), model="sdtv1_tiny", start=None)
    assert (
        command(recipe_for("glyphs", model="sdtv1_tiny")) == "svit-dse train --data glyphs --model sdtv1_tiny --seed 0"
    )


def test_the_command_names_what_differs_from_the_recipe_of_the_data():
    assert command(recipe_for("digits")) == "svit-dse train --data digits --seed 0"
    changed = recipe_for("digits", seed=3, batch_size=32, learning_rate=None)
    assert command(changed) == "svit-dse train --data digits --seed 3 --batch-size 32"
    assert changed == replace(recipe_for("digits"), seed=3, batch_size=32)
    assert command(Recipe("my data", fresh=True)) == "svit-dse train --data 'my data' --seed 0 --fresh"
    assert command(recipe_for("glyphs", fresh=False)) == "svit-dse train --data glyphs --seed 0 --no-fresh"
    scratch = recipe_for("glyphs", start="random")
    assert scratch == replace(recipe_for("glyphs"), start=None)
    assert command(scratch) == "svit-dse train --data glyphs --seed 0 --start random"
    small = recipe_for("fashion_mnist", model="sdtv2_small", flip=False)
    assert command(small) == "svit-dse train --data fashion_mnist --model sdtv2_small --seed 0 --no-flip"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0; expected an integer of at least 1"),
        ({"batch_size": 1}, "batch_size is 1; expected an integer of at least 2"),
        ({"resolution": 8}, "resolution is 8; expected an integer of at least 16"),
        ({"seed": True}, "seed is True; expected an integer"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected a positive number"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; expected a share"),
    ],
)
def test_recipes_that_cannot_be_trained_are_refused(change, complaint):
    with pytest.raises(ModelError, match=complaint):
        recipe_for("digits", **change)


@pytest.mark.parametrize(
    ("model", "options", "complaint"),
    [
        ("sdtv1_tiny", {"embed_dims": 32}, r"sdtv1_tiny has no option embed_dims; did you mean embed_dim\? There are"),
        ("sdtv2_tiny", {"head": 3}, r"sdtv2_tiny has no option head; did you mean heads\? There are"),
        ("sdtv1_tiny", {"embed_dim": "x"}, "embed_dim is 'x'; expected an integer of at least 1"),
        ("sdtv1_tiny", {"pooled": 3}, r"pooled is 3; expected a value such as \(False, False, True, True\)"),
        ("spikingresformer_tiny", {"planes": [8, 8]}, r"planes is \(8, 8\); expected a value such as \(64, 64, 128\)"),
        ("spikingresformer_tiny", {"planes": [8, 8, 8]}, r"cannot be built with .*planes=\(8, 8, 8\): groups must be"),
        ("sdtv3_tiny", {"time_steps": 2}, "sdtv3_tiny has no option time_steps; there are: .*levels"),
        ("sdtv1_tiny", {"num_classes": 3}, "num_classes is 3; .* has 4: leave the option out"),
    ],
)
def test_options_that_make_no_network_are_named(bars, model, options, complaint):
    with pytest.raises(ModelError, match=complaint):
        train(recipe_for(bars, model=model, options=options))


def test_options_make_a_network_of_another_size_that_comes_back_from_its_file(short, tmp_path):
    options = {"planes": [16, 16, 16], "heads": [1, 1, 1], "time_steps": 1}
    done = train(recipe_for(short.data, model="spikingresformer_tiny", options=options, epochs=1, batch_size=8))
    assert (done.model.config.planes, done.model.config.time_steps) == ((16, 16, 16), 1)
    words = "--option 'planes=[16, 16, 16]' --option 'heads=[1, 1, 1]' --option time_steps=1"
    assert words in command(done.recipe)
    store_training(done, tmp_path / "small.safetensors")
    assert load_checkpoint(tmp_path / "small.safetensors").config == done.model.config
    assert Recipe(**json.loads((tmp_path / "small.json").read_text())["recipe"]) == done.recipe


def test_training_says_what_is_wrong(recipe):
    with pytest.raises(ModelError, match="no model 'vit'"):
        train(replace(recipe, model="vit"))
    with pytest.raises(ModelError, match=r"no checkpoint 'mnist'; there are: .*, or the path of a file"):
        train(replace(recipe, start="mnist"))
    with pytest.raises(ModelError, match="diverged in epoch 1; try a smaller learning_rate"):
        train(replace(recipe, learning_rate=1e30, clip=1e30, epochs=1))


# --- the networks that ship ------------------------------------------------------------------------------------------


def training_images(recipe: dict) -> ImageSet | None:
    """None for those of Fashion-MNIST, which do not come with the package, where they are not installed."""
    try:
        return load_data(recipe["data"], "train", count=recipe["images"])
    except ModelError as error:
        if "install Debian's dataset-fashion-mnist" not in str(error):
            raise
        return None


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_network_comes_with_what_made_it(name):
    path = checkpoint_path(name)
    assert path.stat().st_size < 8e6
    story = json.loads(path.with_suffix(".json").read_text())
    metadata = read_metadata(path)
    assert story == {key: metadata[key] for key in story}
    assert story["command"] == command(Recipe(**story["recipe"]))
    images = training_images(story["recipe"])
    assert images is None or images.sha256 == story["data_sha256"]
    log = path.with_suffix(".log").read_text().splitlines()
    assert log[0] == f"$ {story['command']}"
    epochs, accuracy = story["recipe"]["epochs"], story["accuracy"]
    assert [line.split()[:2] for line in log[1 : epochs + 1]] == [["epoch", str(n)] for n in range(1, epochs + 1)]
    assert f"validation {accuracy['validation']:.2%}" in log[epochs]
    results = [f"test accuracy {accuracy['test']:.2%} on {accuracy['test_images']} images"]
    if "held_out" in accuracy:
        results.insert(0, f"held-out accuracy {accuracy['held_out']:.2%} on {accuracy['held_out_images']} images")
    assert log[epochs + 1 :] == results
    if story["recipe"]["start"] == name:  # trained further: what made the network it started from is kept too
        first = json.loads(path.with_suffix(".start.json").read_text())
        assert first["command"] == command(Recipe(**first["recipe"]))
        assert first["data_sha256"] == story["data_sha256"]
        assert path.with_suffix(".start.log").read_text().startswith(f"$ {first['command']}\n")


OTHERS = [name for name in shipped_names() if not name.startswith("sdtv2_") and name.endswith("_digits")]
FASHION = [name for name in shipped_names() if name.endswith("_fashion_mnist")]


def test_the_networks_of_fashion_mnist_are_of_two_families_and_small():
    assert {name.partition("_")[0] for name in FASHION} == {"sdtv1", "sdtv2"}
    assert sum(checkpoint_path(name).stat().st_size for name in FASHION) < 12e6


def test_the_trained_networks_of_the_other_families_are_small():
    assert sum(checkpoint_path(name).stat().st_size for name in OTHERS) < 6e6
    for name in OTHERS:
        assert load_checkpoint(checkpoint_path(name)).config.name.startswith(name.partition("_tiny")[0] + "_tiny")


@pytest.mark.campaign
@pytest.mark.parametrize("name", OTHERS)
def test_a_shipped_network_reads_as_many_digits_as_its_story_says(name):
    model = load_checkpoint(checkpoint_path(name))
    parts = [load_data("digits", split) for split in ("search", "verify")]
    right = sum(top1(model, part) * len(part) for part in parts)
    story = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert right / 600 == pytest.approx(story["accuracy"]["test"], abs=2.5 / 600)  # sums differ between machines
    assert right / 600 > 0.9


def test_the_digits_network_reads_98_5_percent_of_600_unseen_digits():
    model = load_checkpoint(checkpoint_path("sdtv2_tiny_digits"))
    parts = [load_data("digits", split) for split in ("search", "verify")]
    right = sum(top1(model, part) * len(part) for part in parts)
    assert right / 600 >= 0.985
    story = json.loads((WEIGHTS / "sdtv2_tiny_digits.json").read_text())
    assert right / 600 == pytest.approx(story["accuracy"]["test"], abs=2.5 / 600)  # sums differ between machines


@pytest.mark.parametrize(("name", "least"), [("sdtv2_tiny_fashion_mnist", 0.9), ("sdtv1_small_fashion_mnist", 0.885)])
def test_a_fashion_network_names_as_many_test_images_as_its_story_says(name, least):
    model = load_checkpoint(checkpoint_path(name))
    found = top1(model, load_data("fashion_mnist", "test", count=4000))
    story = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert found == pytest.approx(story["accuracy"]["test"], abs=0.01)  # two standard errors of 4000 images
    assert story["accuracy"]["test"] >= least
    assert found > least - 0.01


def test_a_network_is_opened_by_name_or_by_path():
    by_name = open_checkpoint("sdtv2_tiny_digits")
    by_path = open_checkpoint(WEIGHTS / "sdtv2_tiny_digits.safetensors", network="sdtv2_tiny", time_steps=4)
    assert by_name.path == by_path.path
    assert by_name.sha256 == by_path.sha256 == hashlib.sha256(by_name.path.read_bytes()).hexdigest()
    assert (by_name.model.config.time_steps, by_path.model.config.time_steps) == (2, 4)
    assert torch.equal(state(by_name.model), state(by_path.model))
    with pytest.raises(ModelError, match=r"no checkpoint 'sdtv2_tiny_mnist'; there are: .*sdtv2_tiny_digits"):
        open_checkpoint("sdtv2_tiny_mnist")
