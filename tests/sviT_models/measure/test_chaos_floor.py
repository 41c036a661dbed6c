import copy
import math

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.measure.chaos_floor import noisy_weights
from tests import goldens


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    config = sviT_models.ModelConfig("small", (4, 6, 8, 12), num_classes=5, time_steps=2, heads=2)
    model = sviT_models.MetaSpikeFormer(config)
    model.load_state_dict(
        {k: torch.from_numpy(goldens.weight(k, tuple(t.shape))) for k, t in model.state_dict().items()}
    )
    return model.double().eval()


IMAGES = torch.from_numpy(goldens.images((12, 3, 32, 32), seed=4)).double()
LABELS = np.arange(12) % 5


def disturbed(model: torch.nn.Module, noise: float, generator: torch.Generator) -> torch.nn.Module:
    """A copy with the noisy weights."""
    changed = copy.deepcopy(model)
    changed.load_state_dict(noisy_weights(model, noise, generator), strict=False)
    return changed


def logits_of(model: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        return model(IMAGES).numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_the_floor_is_what_its_definitions_say(model):
    floor = sviT_models.chaos_floor(model, IMAGES, LABELS, noise=0.05, copies=2, seed=9)
    generator = torch.Generator().manual_seed(9)
    noisy = [logits_of(disturbed(model, 0.05, generator)) for _ in range(2)]
    clean = logits_of(model)
    changed = [np.mean(one.argmax(1) != clean.argmax(1)) for one in noisy]
    kl, nll, right = [], [], []
    for one in noisy:
        p, q = softmax(clean), softmax(one)
        kl += [sum(p[i, c] * math.log(p[i, c] / q[i, c]) for c in range(5)) for i in range(12)]
        nll += [-math.log(q[i, LABELS[i]]) for i in range(12)]
        right.append(np.mean(one.argmax(1) == LABELS))
    assert floor.changed == pytest.approx(np.mean(changed))
    assert floor.changed_spread == pytest.approx(abs(changed[0] - changed[1]) / 2)
    assert floor.kl == pytest.approx(np.mean(kl))
    assert floor.nll == pytest.approx(np.mean(nll))
    assert floor.nll_clean == pytest.approx(np.mean([-math.log(softmax(clean)[i, LABELS[i]]) for i in range(12)]))
    assert floor.drop == pytest.approx(100 * (np.mean(clean.argmax(1) == LABELS) - np.mean(right)))
    assert (floor.images, floor.copies, floor.noise) == (12, 2, 0.05)
    assert floor.kl > 0


def test_the_noise_is_relative_to_each_weight_and_touches_nothing_else(model):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    after = disturbed(model, 1e-3, torch.Generator().manual_seed(0)).state_dict()
    weights = {f"{name}.weight" for name in sviT_models.weight_layers(model)}
    factors = torch.cat([(after[key] / before[key] - 1).flatten() for key in weights])
    assert factors.mean().item() == pytest.approx(0.0, abs=5e-5)
    assert factors.std().item() == pytest.approx(1e-3, rel=0.05)
    assert all(torch.equal(after[key], before[key]) for key in before.keys() - weights)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_the_floor_is_a_function_of_the_seed_and_not_of_the_batches(model):
    floor = sviT_models.chaos_floor(model, IMAGES, LABELS, noise=0.02, copies=2, seed=1)
    assert sviT_models.chaos_floor(model, IMAGES, LABELS, noise=0.02, copies=2, seed=1) == floor
    parts = sviT_models.chaos_floor(model, IMAGES.split(5), LABELS, noise=0.02, copies=2, seed=1)
    assert (parts.changed, parts.kl) == (floor.changed, pytest.approx(floor.kl, abs=1e-9))
    assert sviT_models.chaos_floor(model, IMAGES, LABELS, noise=0.02, copies=2, seed=2).kl != floor.kl


def test_a_network_that_ignores_its_spikes_has_no_floor(model):
    deaf = copy.deepcopy(model)
    torch.nn.init.zeros_(deaf.head.weight)
    floor = sviT_models.chaos_floor(deaf, IMAGES, LABELS, noise=0.1, copies=1)
    assert (floor.changed, floor.drop, floor.kl, floor.changed_spread) == (0.0, 0.0, 0.0, 0.0)
    assert floor.nll == pytest.approx(floor.nll_clean)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"noise": 0.0}, "noise is 0.0; expected a positive number"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"copies": 0}, "copies is 0; expected at least 1"),
        ({"labels": LABELS[:5]}, r"labels have shape \(5,\); expected \(12,\)"),
    ],
)
def test_impossible_questions_are_named(model, options, says):
    with pytest.raises(sviT_models.ModelError, match=says):
        sviT_models.chaos_floor(model, IMAGES, **{"labels": LABELS, **options})


def test_a_copy_is_the_same_for_all_images_and_another_for_another_seed(model):
    whole = sviT_models.copy_logits(model, IMAGES, seed=5)
    parts = [sviT_models.copy_logits(model, part, seed=5) for part in (IMAGES[:5], IMAGES[5:])]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-9)
    noisy = disturbed(model, 1e-3, torch.Generator().manual_seed(5))
    np.testing.assert_allclose(whole, logits_of(noisy), rtol=1e-9)
    assert not np.array_equal(whole, sviT_models.copy_logits(model, IMAGES, seed=6))
    assert not np.array_equal(whole, logits_of(model))
