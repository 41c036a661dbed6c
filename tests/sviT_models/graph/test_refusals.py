"""What cannot be captured is refused on one line that names the module and says what would do."""

import logging

import pytest
import torch
from torch import nn

from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.recognise import Neuron
from sviT_models.graph.run import run
from sviT_models.network.neuron import LIF
from tests.sviT_models.graph.small import Body, Inside, LIFNode, images, seeded


class Step(nn.Module):
    """A neuron whose class nobody knows; IF with a hard reset."""

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for frame in x:
            v = v + frame
            spikes.append((v >= 1).to(v))
            v = v * (1 - spikes[-1])
        return torch.stack(spikes)


class Net(nn.Module):
    def __init__(self, middle):
        super().__init__()
        self.conv, self.middle, self.fc = nn.Conv2d(3, 4, 3, stride=4), middle, nn.Linear(4, 5)

    def forward(self, images):
        x = self.conv(images).expand(2, -1, -1, -1, -1)
        return self.fc(self.middle(x).mean((3, 4))).mean(0)


class Branching(Net):
    def forward(self, images):
        return super().forward(images) if images.sum() > 0 else super().forward(-images)


class BatchAsTime(Net):
    def forward(self, images):
        return self.fc(self.middle(self.conv(images)).mean((2, 3)))


class TimeInTheBatch(Net):
    def forward(self, images):
        x = self.conv(images).expand(2, -1, -1, -1, -1)
        return self.fc(self.middle(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean((3, 4))).mean(0)


class OneBatch(Net):
    def forward(self, images):
        return super().forward(images.reshape(2, 3, 16, 16))


class Uneven(Inside):
    def forward(self, images):
        first = self.lif1(self.bn1(self.conv1(images)))
        return sum(self.fc(self.lif2(self.conv2(first)).mean((2, 3))) for _ in range(2))


class Gelu(nn.Module):
    def forward(self, x):
        return nn.functional.gelu(x)


class BaseNode(nn.Module):
    pass


class OddNode(BaseNode):
    pass


class BatchStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(4, track_running_stats=False, affine=False)

    def forward(self, x):
        return self.bn(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class OneSize(Net):
    def __init__(self):
        super().__init__(LIF())
        self.fc = nn.Linear(4 * 2 * 2, 5)

    def forward(self, images):
        x = self.conv(images).expand(2, -1, -1, -1, -1)
        return self.fc(self.middle(x).flatten(2)).mean(0)


class Misspelt(Net):
    def forward(self, images):
        return self.cnov(images)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Net(Gelu()), r"^middle \(Gelu\): operation gelu is not supported"),
        (lambda: Net(Step()), r"^middle \(Step\): operation ge is not supported; if Step is a neuron, declare its law"),
        (lambda: Net(OddNode()), r"^middle: neurons of class OddNode are not known; declare their law in NEURONS"),
        (lambda: Net(LIFNode(v_reset=-0.5, step_mode="m")), r"^middle: v_reset is -0.5; expected 0 or None"),
        (lambda: Branching(LIF()), "control flow depends on the data"),
        (lambda: BatchAsTime(LIF()), r"^middle: the neuron steps through the images"),
        (
            lambda: TimeInTheBatch(LIF()),
            "^middle: the neuron steps .* batch: time and batch are one axis",
        ),
        (lambda: Uneven(LIFNode), "^lif2 runs for 2 time steps and lif1 for 1; expected one number"),
        (lambda: OneBatch(LIF()), "the network is written for one batch size"),
        (
            OneSize,
            r"^the network cannot be captured on images of 3 x 16 x 16: RuntimeError: .*; if it is built for another "
            "side, give --resolution, or data.resolution in a configuration$",
        ),
        (lambda: Misspelt(LIF()), "on images of 3 x 16 x 16: AttributeError: 'Misspelt' object .* 'cnov'$"),
        (lambda: Net(BatchStatistics()), r"^middle.bn: a batch norm without running statistics"),
    ],
)
def test_refused(model, message, caplog):
    with pytest.raises(ModelError, match=message) as raised:
        capture(seeded(model), images())
    assert "\n" not in str(raised.value)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []  # torch logs tracebacks


def test_a_declared_neuron_is_taken():
    model = seeded(lambda: Net(Step()))
    law = SpikingLaw(tau=float("inf"), decay_input=False)
    graph = capture(model, images(), neurons={"Step": Neuron(law)})
    with torch.no_grad():
        torch.testing.assert_close(run(graph, images()), model.double()(images().double()), rtol=0, atol=1e-12)


def test_a_wrong_law_is_found_out():
    with pytest.raises(ModelError, match=r"the captured network differs from the module by \d"):
        capture(seeded(lambda: Net(Step())), images(), neurons={"Step": SpikingLaw(tau=2.0)})


def test_the_module_stays_as_it_is():
    model = seeded(lambda: Inside(LIFNode)).train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    capture(model, images())
    assert model.training
    assert all(tensor.dtype == before[key].dtype for key, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert not any("forward" in module.__dict__ for module in model.modules())


def test_images_of_another_size_are_refused():
    graph = capture(seeded(lambda: Inside(LIFNode)), images())
    with pytest.raises(ModelError, match=r"images have shape \(2, 3, 8, 8\); the network was captured for \(batch, 3"):
        run(graph, torch.zeros(2, 3, 8, 8))


def test_no_images_are_refused():
    with pytest.raises(ModelError, match="images have shape"):
        capture(Body(LIFNode), torch.zeros(0, 3, 8, 8))
