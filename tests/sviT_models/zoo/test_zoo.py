import pytest
import torch

import sviT_models
from tests import zoo_goldens

HERE = [pair for pair in zoo_goldens.VARIANTS if pair[0] in sviT_models.families()]


def empty(name: str, **options) -> torch.nn.Module:
    with torch.device("meta"):
        return sviT_models.build(name, **options)


@pytest.mark.parametrize(("family", "variant"), HERE)
def test_a_network_has_the_entries_and_the_size_of_the_official_one(family, variant):
    official = zoo_goldens.manifest(family)[variant]
    model = empty(zoo_goldens.name_of(family, variant))
    state = model.state_dict()
    assert [(key, list(tensor.shape)) for key, tensor in state.items()] == list(map(tuple, official["state"]))
    assert all((t.dtype == torch.int64) == key.endswith("num_batches_tracked") for key, t in state.items())
    assert sum(p.numel() for p in model.parameters()) == official["parameters"]
    assert model.config.num_classes == official["classes"]
    assert model.config.resolution == official["measured"]["resolution"] or variant.startswith("tiny")
    if official["heads"]:  # not in the weights, so that nothing else would tell
        assert getattr(model.config, "heads", official["heads"]) == official["heads"]


OWN = {"sdtv1_small"}  # a size that trains on one core; it has no published counterpart


@pytest.mark.parametrize("family", sorted({family for family, _ in HERE}))
def test_a_family_has_exactly_the_networks_of_its_manifest(family):
    names = {zoo_goldens.name_of(family, variant) for variant in zoo_goldens.manifest(family)}
    assert set(sviT_models.names(family)) - OWN == names
    assert names <= set(sviT_models.names())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_classes": 0}, "num_classes is 0; expected an integer of at least 1"),
        ({"time_steps": 2.0}, "time_steps is 2.0; expected an integer of at least 1"),
        ({"resolution": True}, "resolution is True; expected an integer"),
        ({"in_channels": -1}, "in_channels is -1; expected an integer"),
        ({"heads": 5}, "heads is 5, which does not divide the embedding sizes (64,)"),
        ({"levels": 4}, "spikingformer_tiny has no option levels; there are: num_classes, resolution, in_channels"),
    ],
)
def test_impossible_options_are_named(options, says):
    with pytest.raises(sviT_models.ModelError) as error:
        sviT_models.build("spikingformer_tiny", **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_frames_of_events_drive_every_step_with_an_input_of_its_own():
    model = zoo_goldens.network("spikingformer_tiny_32", time_steps=4)
    images = zoo_goldens.images("spikingformer_tiny_32")
    frames = images.unsqueeze(1).expand(-1, 4, -1, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(model(frames), model(images), rtol=0, atol=1e-12)
        assert not torch.allclose(model(frames * torch.arange(4).view(1, 4, 1, 1, 1)), model(images))
    with pytest.raises(sviT_models.ModelError, match=r"spikingformer_tiny expects \(batch, 4, 3, height, width\)"):
        model(frames[:, :3])
    with pytest.raises(sviT_models.ModelError, match=r"images have shape \(4, 2, 32, 32\); expected \(batch, 3"):
        model(images[:, :2])


def test_time_steps_change_without_touching_the_weights():
    model = zoo_goldens.network("sdtv1_tiny_32", time_steps=4)
    short = sviT_models.with_time_steps(model, 1)
    _, counts = sviT_models.spike_counts(short, zoo_goldens.images("sdtv1_tiny_32"))
    assert counts.shape == (19, 1)
    assert model.config.time_steps == 4
    assert short.head.weight is model.head.weight


@pytest.mark.parametrize(
    "recording", [name for name in zoo_goldens.RECORDINGS if "_tiny" in name and "_d8" not in name]
)
def test_a_training_step_reaches_every_parameter_that_the_network_uses(recording):
    model = zoo_goldens.network(recording).train()
    images = zoo_goldens.images(recording)
    unused = (".norm1.", ".norm2.", "talking_heads.weight", ".act.")
    torch.nn.functional.cross_entropy(model(images), torch.arange(len(images))).backward()
    for name, parameter in model.named_parameters():
        if not any(part in name for part in unused):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    silent = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.abs().sum()]
    assert not silent
