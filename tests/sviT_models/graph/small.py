"""Networks as people write them, and the neurons of the two libraries in their own shape: class name and attributes."""

import torch
from torch import nn


class LIFNode(nn.Module):
    """As spikingjelly.activation_based.neuron.LIFNode: keeps its potential until it is reset."""

    def __init__(self, tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, step_mode="s"):
        super().__init__()
        self.tau, self.decay_input, self.v_threshold = tau, decay_input, v_threshold
        self.v_reset, self.step_mode, self.v = v_reset, step_mode, 0.0

    def reset(self):
        self.v = 0.0

    def _step(self, x):
        self.v = self.v + (x - self.v) / self.tau if self.decay_input else self.v * (1 - 1 / self.tau) + x
        spike = (self.v >= self.v_threshold).to(x)
        self.v = self.v - spike * self.v_threshold if self.v_reset is None else self.v * (1 - spike)
        return spike

    def forward(self, x):
        return torch.stack([self._step(frame) for frame in x]) if self.step_mode == "m" else self._step(x)


class Leaky(nn.Module):
    """As snntorch.Leaky with init_hidden False: the potential is passed in and out."""

    def __init__(self, beta=0.9, threshold=1.0, reset_mechanism="subtract"):
        super().__init__()
        self.beta, self.threshold, self.reset_mechanism = beta, threshold, reset_mechanism
        self.init_hidden = self.output = False

    def init_leaky(self):
        return torch.zeros(0)

    def forward(self, x, mem):
        if mem.shape != x.shape:
            mem = torch.zeros_like(x)
        reset = (mem > self.threshold).to(x)
        if self.reset_mechanism == "zero":
            mem = (1 - reset) * mem
        mem = self.beta * mem + x
        if self.reset_mechanism == "subtract":
            mem = mem - reset * self.threshold
        return (mem > self.threshold).to(x), mem


class Body(nn.Module):
    """Two convolutions and a head around two neurons of a factory's making."""

    def __init__(self, neuron, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.lif1 = neuron()
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.lif2 = neuron()
        self.fc = nn.Linear(6, 5)

    def step(self, x):
        x = self.lif1(self.bn1(self.conv1(x)))
        return self.fc(self.lif2(self.conv2(x)).mean((2, 3)))


class Inside(Body):
    """Steps in a loop inside of forward, and adds the outputs up."""

    def __init__(self, neuron, steps=4, **options):
        super().__init__(neuron, **options)
        self.steps = steps

    def forward(self, images):
        self.lif1.reset(), self.lif2.reset()
        total = 0.0
        for t in range(self.steps):
            total = total + self.step(images[:, t] if images.ndim == 5 else images)
        return total / self.steps


class Outside(Body):
    """One step per call; whoever calls it resets it and averages."""

    def forward(self, images):
        return self.step(images)


class Listed(Inside):
    """Steps in a loop and stacks the outputs."""

    def forward(self, images):
        self.lif1.reset(), self.lif2.reset()
        outputs = [self.step(images) for _ in range(self.steps)]
        return torch.stack(outputs, dim=0).mean(0)


class ModuleByModule(Body):
    """Every module sees all steps: (T, B, ...) at the neurons, (T * B, ...) elsewhere."""

    def __init__(self, neuron, steps=4):
        super().__init__(neuron)
        self.steps = steps

    def forward(self, images):
        self.lif1.reset(), self.lif2.reset()
        x = images.unsqueeze(0).repeat(self.steps, 1, 1, 1, 1)
        x = self.bn1(self.conv1(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        x = self.lif1(x)
        x = self.conv2(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.fc(self.lif2(x).mean((3, 4))).mean(0)


class Recurrent(nn.Module):
    """snnTorch's way: potentials are passed from step to step by hand, spikes are stacked and summed."""

    def __init__(self, steps=4, **neuron):
        super().__init__()
        self.steps = steps
        self.conv, self.fc = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4 * 7 * 7, 5)
        self.lif1, self.lif2 = Leaky(**neuron), Leaky(**neuron)

    def forward(self, images):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for _ in range(self.steps):
            out, mem1 = self.lif1(self.conv(images), mem1)
            out, mem2 = self.lif2(self.fc(out.flatten(1)), mem2)
            spikes.append(out)
        return torch.stack(spikes).sum(0)


def seeded(make, seed=0):
    """A network with random weights and batch norms that are not the identity."""
    torch.manual_seed(seed)
    model = make().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0.3, 0.3)
        elif isinstance(module, nn.Conv2d | nn.Conv1d | nn.Linear):
            module.weight.data.mul_(2.5)
    return model


def images(count=3, *shape):
    return torch.rand(count, *(shape or (3, 16, 16)), generator=torch.Generator().manual_seed(7)) * 2
