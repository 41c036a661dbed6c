"""Fine-tuning: it starts at the bank's integers, learns with LSQ's gradient, and ends in integers the engine runs."""

import math

import pytest
import torch

import sviT_models
from sviT_models.measure import accuracy
from sviT_models.quantization.quantizers import largest_code, quantize_weight
from sviT_models.training.finetune import LearnedBank, Schedule, finetune_design, learners, learning
from sviT_models.training.learner import Learner


@pytest.fixture(scope="module")
def model():
    return sviT_models.load_checkpoint(sviT_models.checkpoint_path("sdtv2_tiny_digits")).eval()


@pytest.fixture(scope="module")
def images():
    return sviT_models.load_data("digits", "train", count=16).images


@pytest.fixture(scope="module")
def bank(model, images):
    return sviT_models.WeightBank(model, "compensated", images=images)


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
@pytest.mark.parametrize("two_bit", ["four", "ternary"])
def test_learning_starts_at_the_given_integers_wherever_they_were_rounded_to(bits, two_bit):
    generator = torch.Generator().manual_seed(bits)
    weight = torch.randn(6, 4, 3, 3, generator=generator)
    start = quantize_weight(weight, bits, two_bit=two_bit)
    moved = torch.roll(start.codes, 1, 0)  # codes that are not the nearest
    begun = Learner(weight, type(start)(moved, start.scale, bits, start.shift), two_bit=two_bit).result()
    assert torch.equal(begun.codes, moved)
    assert torch.equal(begun.scale, start.scale)


def test_the_gradient_of_a_step_is_that_of_lsq():
    """d(codes * step) / d step is code - w / step inside the clipping range and the largest code outside."""
    weight = torch.tensor([[0.9, -1.4, 5.0, 0.2]])
    start = quantize_weight(weight, 3, clip="max")
    start = type(start)(torch.tensor([[1, -1, 3, 0]], dtype=torch.int8), torch.ones(1), 3, start.shift)
    learner = Learner(weight, start)
    # with a step of 1: 0.9 -> 1 gives 0.1, -1.4 -> -1 gives 0.4, 5 is clipped to 3 gives 3, 0.2 -> 0 gives -0.2
    (learner.codes() * learner.scale()[:, None]).sum().backward()
    calm = 1 / math.sqrt(4 * largest_code(3))
    assert learner.factor.grad.item() == pytest.approx((0.1 + 0.4 + 3.0 - 0.2) * calm, rel=1e-5)
    # straight through: the weight inside passes the gradient on, the clipped one does not
    assert learner.scaled.grad.tolist() == [[1.0, 1.0, 0.0, 1.0]]


def test_the_network_that_learns_is_the_quantized_network(model, bank, images):
    bits = [2] * len(bank.layers)
    learn = learners(model, bank, bits)
    with learning(model, learn), torch.no_grad():
        seen = model(images)
    expected = sviT_models.fake_quantized_run(model, bank, images, bits).logits
    assert (seen.argmax(1).numpy() == expected.argmax(1)).all()
    torch.testing.assert_close(seen.numpy(), expected, rtol=1e-3, atol=1e-3)
    assert all("forward" not in model.get_submodule(name).__dict__ for name in learn)


def test_a_few_steps_bring_binary_weights_nearer_to_the_float_network(model, images):
    """The KL divergence on the training images, of integers that the engine runs, before and after."""
    bank = sviT_models.WeightBank(model)
    bits = [1] * len(bank.layers)
    weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    losses = []
    schedule = Schedule(epochs=3, batch_size=8, shift=0, learning_rate=0.002)
    learned = finetune_design(model, bank, bits, images, schedule, progress=lambda _, loss: losses.append(loss))
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    tuned = LearnedBank(model, learned)
    found = sviT_models.Engine(model, tuned, threads=1).run(images, bits)
    before = sviT_models.Engine(model, bank, threads=1).run(images, bits)
    exact = sviT_models.Engine(model, bank, threads=1).run(images, [32] * len(bits))
    assert accuracy.kl(exact.logits, found.logits) < accuracy.kl(exact.logits, before.logits)
    assert all(weight.codes.unique().tolist() == [-1, 1] for weight in learned.values())
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())
    inner = "block3.0.attn.q_conv.0.body.2.0"  # has no constants of its own on the chip
    assert not learned[inner].shift.any()


def test_float_layers_stay_float_and_powers_of_two_stay_powers_of_two(model, images):
    bank = sviT_models.WeightBank(model, scale="power_of_two")
    bits = [32] * (len(bank.layers) - 1) + [2]
    learned = finetune_design(model, bank, bits, images[:8], Schedule(epochs=1, batch_size=8))
    assert {weight.bits for weight in list(learned.values())[:-1]} == {32}
    steps = torch.log2(learned["head"].scale)
    assert torch.equal(steps, steps.round())


def test_mistakes_are_named(model, bank, images):
    with pytest.raises(sviT_models.ModelError, match="every layer of the design is float"):
        finetune_design(model, bank, [32] * len(bank.layers), images, Schedule())
    with pytest.raises(sviT_models.ModelError, match="epochs is 0; expected an integer of at least 1"):
        Schedule(epochs=0)
    with pytest.raises(sviT_models.ModelError, match="learning_rate is -1"):
        Schedule(learning_rate=-1)
    with pytest.raises(sviT_models.ModelError, match="learned weights are of 0 layers; this network has 138"):
        LearnedBank(model, {})
    weights = bank.design([2] * len(bank.layers))
    with pytest.raises(sviT_models.ModelError, match="head: 3 bits were not fine-tuned; the design has 2"):
        LearnedBank(model, weights).get("head", 3)
