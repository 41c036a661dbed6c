"""Quantization-aware training of one design: codes, steps and shifts learn from the float network.

Weights are rounded in the forward pass and learn through a straight-through estimator, their steps with the gradient of
LSQ (Esser et al., "Learned step size quantization", ICLR 2020, eq. 3 and section 2.2). The loss is the
Kullback-Leibler divergence from the float network's classes (Hinton et al., 2015), so labels are not needed. Batch
norms stay as they are: a step and a shift per channel already say what a norm's gain and bias could. So the result is
integer weights of the same network, which the engine runs like any others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, layers_with_constants, with_time_steps
from sviT_models.network.config import time_steps_of
from sviT_models.network.layers import weight_of
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight, Scheme
from sviT_models.quantization.weight_bank import WeightBank
from sviT_models.training.augment import shifted
from sviT_models.training.learner import Learner


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a design learns; the same schedule, images and threads give the same integers.

    `learning_rate` is that of weights in units of their step and of steps and shifts relative to their size; it falls
    to zero along half a cosine. `temperature` softens both networks' classes. `shift` is the largest random
    translation of an image in pixels. Raises ModelError for values that no training can have.
    """

    epochs: int = 5
    learning_rate: float = 0.01
    batch_size: int = 64
    temperature: float = 2.0
    shift: int = 2
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least in (("epochs", 1), ("batch_size", 1), ("shift", 0), ("seed", 0)):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ModelError(f"{key} is {value!r}; expected an integer of at least {least}")
        for key in ("learning_rate", "temperature", "clip"):
            value = getattr(self, key)
            if not 0 < value < math.inf:
                raise ModelError(f"{key} is {value!r}; expected a positive number")


def learners(model: nn.Module | Graph, bank: WeightBank, weight_bits: Sequence[int]) -> dict[str, Learner]:
    """One learner for every layer of a design that is not float."""
    network, corrected, scheme = as_network(model), layers_with_constants(model), bank.scheme
    return {
        name: Learner(
            weight_of(network.get_submodule(name)),
            start,
            two_bit=scheme.two_bit,
            corrects=name in corrected,
            shared=scheme.granularity == "tensor",
            fixed=scheme.scale == "power_of_two",
        )
        for name, start in bank.design(weight_bits).items()
        if start.bits != FLOAT
    }


@contextmanager
def learning(model: nn.Module, learn: Mapping[str, Learner]) -> Iterator[None]:
    """The network with weights that learn; evaluation mode, no gradients of its own, nothing stays changed."""
    modules = {name: model.get_submodule(name) for name in learn}
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        for name, module in modules.items():
            module.forward = lambda x, name=name: learn[name].output(modules[name], x)
        yield
    finally:
        for module in modules.values():
            module.__dict__.pop("forward", None)
        for module, mode in modes:
            module.training = mode
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)


def finetune_design(
    model: nn.Module | Graph,
    bank: WeightBank,
    weight_bits: Sequence[int],
    images: Tensor,
    schedule: Schedule,
    *,
    time_steps: int | None = None,
    progress: Callable[[int, float], None] | None = None,
    step: Callable[[int, int], None] | None = None,
) -> dict[str, QuantizedWeight]:
    """The integer weights of every layer of a design after training on `images` (N, 3, H, W), unlabelled.

    model        a network, or the graph of one; it stays as it is
    bank         the integers of its layers by width
    weight_bits  (L,) widths [bit] of the weight layers in network order; 32 leaves a layer float
    schedule     how long and how fast it learns

    The teacher is the float network at its own number of time steps; the student runs `time_steps`. `progress` is told
    the epoch and its mean loss [nat], `step` how many training steps are done, and of how many. Network and bank stay
    as they are.
    Raises ModelError where every layer is float, and when the loss is no longer finite.
    """
    model, learn = as_network(model), learners(model, bank, weight_bits)
    if not learn:
        raise ModelError("every layer of the design is float; there is nothing to fine-tune")
    generator = torch.Generator().manual_seed(schedule.seed)
    student = with_time_steps(model, time_steps or time_steps_of(model))
    batch = min(schedule.batch_size, len(images))
    steps = schedule.epochs * (len(images) // batch)
    parameters = [p for each in learn.values() for p in each.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, schedule.learning_rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(1, schedule.epochs + 1):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for chosen in order[: len(images) // batch * batch].split(batch):
            offsets = torch.randint(-schedule.shift, schedule.shift + 1, (batch, 2), generator=generator)
            inputs = shifted(images[chosen], offsets)
            with torch.no_grad():
                model.eval()
                taught = F.log_softmax(model(inputs) / schedule.temperature, 1)
            with learning(model, learn), torch.enable_grad():
                answer = F.log_softmax(student(inputs) / schedule.temperature, 1)
                loss = F.kl_div(answer, taught, log_target=True, reduction="batchmean") * schedule.temperature**2
                optimizer.zero_grad()
                loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimizer.step()
            fall.step()
            total += loss.item()
            if step is not None:
                step(fall.last_epoch, steps)
        if not math.isfinite(total):
            raise ModelError(f"fine-tuning diverged in epoch {epoch}; try a smaller learning_rate")
        if progress is not None:
            progress(epoch, total * batch / (len(images) // batch * batch))
    return {**bank.design(weight_bits), **{name: each.result() for name, each in learn.items()}}


class LearnedBank(WeightBank):
    """A weight bank that holds learned integers of one design, and nothing else but the float weights.

    `images` are the calibration images, which fixed-point membrane potentials need; `scheme` is that of the bank from
    which the design started, for learning further.
    Raises ModelError for weights of another network.
    """

    def __init__(
        self,
        model: nn.Module | Graph,
        weights: Mapping[str, QuantizedWeight],
        *,
        images: Tensor | None = None,
        scheme: Scheme | None = None,
    ) -> None:
        super().__init__(model, images=images)
        self.scheme = scheme or self.scheme
        if tuple(weights) != self.layers:
            raise ModelError(f"learned weights are of {len(weights)} layers; this network has {len(self.layers)}")
        for name, weight in weights.items():
            expected = tuple(weight_of(self.modules[name]).shape)
            if tuple(weight.codes.shape) != expected:
                raise ModelError(f"{name}: learned codes have shape {tuple(weight.codes.shape)}; expected {expected}")
        self.learned = dict(weights)

    def make(self, layer: str, bits: int) -> QuantizedWeight:
        """The learned weights, or the float ones; see WeightBank. Raises ModelError for any other width."""
        learned = self.learned[layer]
        if bits == learned.bits:
            return learned
        if bits == FLOAT:
            return super().make(layer, bits)
        raise ModelError(f"{bits} bits were not fine-tuned; the design has {learned.bits}")
