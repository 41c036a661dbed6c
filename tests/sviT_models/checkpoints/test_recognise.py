"""A bare state_dict says by its entries which network it belongs to; the official code's entries are the judge."""

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.checkpoints.recognise import likeness
from sviT_models.errors import ModelError
from tests import zoo_goldens

HEADS = ("head.", "head_kd.", "classifier.")


def official(family: str, variant: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in zoo_goldens.manifest(family)[variant]["state"]}


@pytest.mark.parametrize("family", zoo_goldens.FAMILIES)
def test_the_official_entries_of_every_network_are_recognised(family):
    for variant, known in zoo_goldens.manifest(family).items():
        name, have = zoo_goldens.name_of(family, variant), official(family, variant)
        found = likeness(have)
        assert found.fits, name
        if name not in (found.name, *found.others):  # cifar and cifar100 differ in the classes alone
            with torch.device("meta"):
                alike = sviT_models.build(found.name, **found.options)
            assert {key: tuple(tensor.shape) for key, tensor in alike.state_dict().items()} == have, name
            assert alike.config.num_classes == known["classes"]


@pytest.mark.parametrize(
    "name", ["maxformer_tiny", "qsd_tiny", "sdtv3_large_tiny_base", "spikingresformer_tiny", "qkformer_tiny"]
)
def test_another_number_of_classes_and_of_image_channels_is_read_from_the_shapes(name):
    family, _, variant = name.rpartition("_tiny")[0], "", "tiny" + name.rpartition("_tiny")[2]
    have = official(family, variant)
    head = {key: (7, *shape[1:]) for key, shape in have.items() if key.startswith(HEADS) and shape}
    first = next(key for key, shape in have.items() if len(shape) == 4)
    have |= {**head, first: (have[first][0], 2, *have[first][2:])}
    found = likeness(have)
    assert (found.name, found.options, found.fits) == (name, {"num_classes": 7, "in_channels": 2}, True)


@pytest.mark.parametrize("recording", ["spikformer_tiny_32", "sdtv3_tiny_32"])
def test_a_file_of_entries_alone_gives_the_official_logits(tmp_path, recording):
    torch.save(zoo_goldens.network(recording).float().state_dict(), tmp_path / "weights.pth")
    found = sviT_models.open_checkpoint(tmp_path / "weights.pth")
    with torch.no_grad():
        logits = found.model.double()(zoo_goldens.images(recording)).numpy()
    stored = np.load(zoo_goldens.DATA / f"{recording}.npz")
    steps = found.model.config.levels if recording.startswith("sdtv3") else found.model.config.time_steps
    (key,) = [key for key in stored.files if key.startswith("logits") and key.endswith(str(steps))]
    np.testing.assert_allclose(logits, stored[key], rtol=0, atol=1e-9)
    assert (
        f"levels {steps}" in found.assumed if recording.startswith("sdtv3") else f"time_steps {steps}" in found.assumed
    )


def test_networks_with_the_same_entries_are_named():
    twin = likeness(official("statten", "tiny"))
    assert (twin.name, twin.others) == ("sdtv1_tiny", ("statten_tiny",))


def test_the_user_hears_which_of_two_networks_with_the_same_entries_was_taken(tmp_path):
    torch.save(sviT_models.build("statten_tiny").state_dict(), tmp_path / "w.pth")
    found = sviT_models.open_checkpoint(tmp_path / "w.pth")
    assert "has the entries of statten_tiny as well; sdtv1_tiny is assumed" in found.assumed
    assert "\n" not in found.assumed
    named = sviT_models.open_checkpoint(tmp_path / "w.pth", network="statten_tiny")
    assert named.model.config.name == "statten_tiny"
    assert "as well" not in named.assumed


def test_a_file_of_another_size_names_the_network_that_is_nearest(tmp_path):
    torch.save(sviT_models.build("spikformer_tiny", embed_dim=72).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"no network of the zoo has this size; the nearest is spikformer_tiny$"):
        sviT_models.load_checkpoint(tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"does not fit sdtv1_tiny: .* the nearest is spikformer_tiny$"):
        sviT_models.load_checkpoint(tmp_path / "w.pth", "sdtv1_tiny")
    found = sviT_models.load_checkpoint(tmp_path / "w.pth", "spikformer_tiny", embed_dim=72)
    assert found.config.embed_dim == 72
