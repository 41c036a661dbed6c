"""The non-spiking twin of Meta-SpikeFormer: the same weights, and quantized ReLUs as torch itself quantizes them."""

import math

import numpy as np
import pytest
import torch

import costmodels
import sviT_models
from sviT_models.graph.capture import capture
from sviT_models.network.neuron import LIF, IntegerNeuron
from sviT_models.training.recipe import Recipe
from sviT_models.training.train import initial, store_training, train
from sviT_models.zoo.sdtv2relu import activation_bits
from tests import goldens

IMAGES = torch.from_numpy(goldens.images((2, 3, 32, 32), seed=4))


def twin(time_steps: int = 2) -> torch.nn.Module:
    return initial(Recipe("x", model="sdtv2relu_tiny", time_steps=time_steps), 10).eval()


@pytest.mark.parametrize("time_steps", range(1, 17))
def test_the_bits_are_those_that_the_cost_models_charge(time_steps):
    expected = math.ceil(math.log2(time_steps + 1))
    assert activation_bits(time_steps) == expected == costmodels.activation_width(time_steps)


def test_it_has_the_weights_of_the_spiking_network_and_no_other():
    spiking, relu = (sviT_models.build(name, num_classes=10, heads=4) for name in ("sdtv2_tiny", "sdtv2relu_tiny"))
    shapes = [{key: tensor.shape for key, tensor in model.state_dict().items()} for model in (spiking, relu)]
    assert shapes[0] == shapes[1]
    neurons = [name for name, module in relu.named_modules() if isinstance(module, IntegerNeuron)]
    assert neurons == [name for name, module in spiking.named_modules() if isinstance(module, LIF)]
    assert len(neurons) == 77


@pytest.mark.parametrize(("time_steps", "bits"), [(1, 1), (2, 2), (4, 3)])
@pytest.mark.parametrize(("path", "threshold"), [("lif", 1.0), ("block4.1.attn.attn_lif", 0.5)])
def test_a_neuron_is_torchs_quantized_relu_up_to_its_threshold(time_steps, bits, path, threshold):
    neuron, levels = twin(time_steps).get_submodule(path), 2**bits - 1
    x = torch.linspace(-2, 3, 1001, requires_grad=True)
    out = neuron(x)
    expected = torch.fake_quantize_per_tensor_affine(torch.relu(x), threshold / levels, 0, 0, levels) / threshold
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-6)
    assert len(out.unique()) == levels + 1
    out.sum().backward()
    inside = (x > 0) & (x < threshold)  # the gradient of a clamped line of slope 1 / threshold
    torch.testing.assert_close(x.grad[inside], torch.full((int(inside.sum()),), 1 / threshold))
    assert (x.grad[(x < 0) | (x > threshold)] == 0).all()


def test_it_runs_once_whatever_T_its_bits_come_from():
    runs = []
    model = twin(time_steps=4)
    model.downsample1_2.register_forward_hook(lambda module, inputs, output: runs.append(output.shape[0]))
    model(IMAGES)
    assert runs == [1]
    assert model.config.time_steps == 4


def test_it_trains_and_comes_back_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(72) % 2
    images = rng.integers(0, 90, (72, 32, 32), dtype=np.uint8)
    images[labels == 1, :16] += 160
    split = np.array(["train"] * 48 + ["validation", "search", "verify"] * 8)
    np.savez(tmp_path / "halves.npz", images=images, labels=labels, split=split)
    recipe = Recipe(str(tmp_path / "halves.npz"), model="sdtv2relu_tiny", epochs=12, batch_size=16, shift=0)
    done = train(recipe)
    assert done.log[-1].loss < 0.6 * done.log[0].loss
    store_training(done, tmp_path / "relu.safetensors")
    loaded = sviT_models.load_checkpoint(tmp_path / "relu.safetensors")
    assert type(loaded) is type(done.model)
    assert torch.equal(loaded(IMAGES), done.model(IMAGES))


def test_its_graph_gives_its_logits():
    graph = capture(twin(), IMAGES)  # which raises where they differ
    assert graph.time_steps == 1


def test_what_is_made_for_spikes_says_so():
    with pytest.raises(
        sviT_models.ModelError, match=r"sdtv2relu_tiny: ConvBlock1_1.0.Conv.lif1 does not spike; layer tables"
    ):
        sviT_models.layer_table(twin(), 32)
    with pytest.raises(sviT_models.ModelError, match="does not spike"):
        sviT_models.WeightBank(twin())
    assert len(sviT_models.WeightBank(capture(twin(), IMAGES)).layers) == 138  # which is what they say to do
