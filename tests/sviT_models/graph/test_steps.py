"""Networks that step inside of forward, outside of it, or module by module: one layer per module, T as a number."""

import numpy as np
import pytest
import torch

from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.graph import BATCH, TIME
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.recognise import Neuron
from sviT_models.graph.run import run, spike_counts
from tests.sviT_models.graph.small import (
    Inside,
    LIFNode,
    Listed,
    ModuleByModule,
    Outside,
    Recurrent,
    images,
    seeded,
)

LAYERS = ["conv1", "conv2", "fc"]


def logits_of(model, x):
    with torch.no_grad():
        return model.double()(x.double())


def counted(model, x):
    """Spikes of both neuron layers by step, from hooks on the module itself."""
    spikes = {"lif1": [], "lif2": []}
    hooks = [
        getattr(model, name).register_forward_hook(lambda _, __, out, name=name: spikes[name].append(out))
        for name in spikes
    ]
    logits_of(model, x)
    for hook in hooks:
        hook.remove()
    return {
        name: [int(frame.count_nonzero()) for out in seen for frame in (out if out.ndim == 5 else [out])]
        for name, seen in spikes.items()
    }


@pytest.mark.parametrize("make", [Inside, Listed])
def test_a_loop_inside_of_forward_is_one_layer_per_module(make):
    x = images()
    model = seeded(lambda: make(LIFNode, steps=4))
    graph = capture(model, x)
    assert graph.time_steps == 4
    assert [node.layer for node in graph.of("conv", "linear")] == LAYERS
    assert [node.path for node in graph.of("neuron")] == ["lif1", "lif2"]
    torch.testing.assert_close(run(graph, x), logits_of(model, x), rtol=0, atol=1e-12)
    found = {path: count.tolist() for path, count in spike_counts(graph, x).items()}
    assert found == counted(model, x)
    assert min(sum(count) for count in found.values()) > 0
    # a still image reaches the first convolution once, and every neuron T times
    assert graph.by_name["conv1"].shape[0] == (BATCH,)
    assert graph.by_name["lif2"].shape[:2] == ((TIME,), (BATCH,))


def test_a_network_that_is_stepped_from_outside_is_the_same_as_one_that_steps_inside():
    x = images()
    inside = capture(seeded(lambda: Inside(LIFNode, steps=3)), x)
    outside = capture(seeded(lambda: Outside(LIFNode)), x, time_steps=3)
    assert outside.time_steps == 3
    torch.testing.assert_close(run(outside, x), run(inside, x), rtol=0, atol=1e-12)
    assert [n.layer for n in outside.of("conv", "linear")] == LAYERS
    with pytest.raises(ModelError, match="lif1 is called once: the network steps outside of forward; pass time_steps"):
        capture(seeded(lambda: Outside(LIFNode)), x)


def test_module_by_module_is_the_same_as_a_loop():
    x = images()
    loop = capture(seeded(lambda: Inside(LIFNode, steps=4)), x)
    whole = capture(seeded(lambda: ModuleByModule(lambda: LIFNode(step_mode="m"))), x)
    torch.testing.assert_close(run(whole, x), run(loop, x), rtol=0, atol=1e-12)
    assert whole.time_steps == loop.time_steps == 4


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_potentials_that_are_passed_by_hand(reset):
    x = images()
    model = seeded(lambda: Recurrent(steps=5, beta=0.8, reset_mechanism=reset))
    graph = capture(model, x)
    torch.testing.assert_close(run(graph, x), logits_of(model, x), rtol=0, atol=1e-12)
    assert [node.layer for node in graph.of("conv", "linear")] == ["conv", "fc"]
    assert {node.value.largest for node in graph.of("sum")} == {5}  # spikes summed over five steps
    law = next(graph.of("neuron")).attributes["law"]
    assert (law.beta, law.fires_at, law.reset, law.delayed) == (0.8, ">", reset, True)


def test_frames_that_differ_from_step_to_step():
    frames = images(3, 4, 2, 16, 16)
    model = seeded(lambda: Inside(LIFNode, steps=4, channels=2))
    graph = capture(model, frames)
    torch.testing.assert_close(run(graph, frames), logits_of(model, frames), rtol=0, atol=1e-12)
    assert graph.by_name["conv1"].shape[0] == (TIME, BATCH)  # the first layer runs in every step
    assert graph.image.shape[:2] == ((BATCH,), (TIME,))
    with pytest.raises(ModelError, match="images have shape"):
        run(graph, frames[:, :3])


def test_frames_go_one_by_one_into_a_network_that_is_stepped_from_outside():
    frames = images(3, 4, 2, 16, 16)
    inside = capture(seeded(lambda: Inside(LIFNode, steps=4, channels=2)), frames)
    outside = capture(seeded(lambda: Outside(LIFNode, channels=2)), frames, time_steps=4)
    torch.testing.assert_close(run(outside, frames), run(inside, frames), rtol=0, atol=1e-12)


def test_the_batch_may_be_of_any_size():
    x = images(5)
    graph = capture(seeded(lambda: Inside(LIFNode)), x[:2])
    together, alone = run(graph, x), torch.cat([run(graph, part) for part in x.split(1)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)


class TokenFlattened(torch.nn.Module):
    """Time and batch folded together, the rest flattened and viewed back, as SpikingJelly's multi-step layers do."""

    def __init__(self):
        super().__init__()
        self.lif, self.fc = LIFNode(step_mode="m"), torch.nn.Linear(3 * 64, 5)

    def forward(self, pictures):
        x = self.lif(pictures.unsqueeze(0).repeat(4, 1, 1, 1, 1))
        shape = [x.shape[0], x.shape[1]]
        flat = x.flatten(0, 1).flatten(1)
        return self.fc(flat.view([*shape, flat.shape[1]])).mean(0)


def test_time_and_batch_folded_together_and_flattened():
    x = images(3, 3, 8, 8)
    model = seeded(TokenFlattened)
    graph = capture(model, x)
    torch.testing.assert_close(run(graph, x), logits_of(model, x), rtol=0, atol=1e-12)
    assert next(graph.of("linear")).shape[:2] == ((TIME,), (BATCH,))


class SinglePrecision(LIFNode):
    """Answers in float32 whatever it is given, as the neurons of snnTorch do."""

    def forward(self, x):
        return super().forward(x).float()


def test_neurons_that_answer_in_single_precision():
    x = images()
    law = Neuron(SpikingLaw(), multi_step=False)
    graph = capture(seeded(lambda: Inside(SinglePrecision)), x, neurons={"SinglePrecision": law})
    torch.testing.assert_close(run(graph, x), logits_of(seeded(lambda: Inside(LIFNode)), x), rtol=0, atol=1e-12)
