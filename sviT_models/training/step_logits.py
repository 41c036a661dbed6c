"""The logits of every time step, for a loss on each of them instead of on their mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.config import config_of

HEADS = ("head", "classifier")


@contextmanager
def step_logits(model: nn.Module) -> Iterator[list[Tensor]]:
    """What the head gave in every call of the network while this is open: (T, B, classes) each.

    model  a network of the zoo, whose head is called once
    """
    given: list[Tensor] = []
    head = next((getattr(model, name) for name in HEADS if hasattr(model, name)), None)
    if head is None:
        raise ModelError(f"{config_of(model).name} has no head under a known name: it gives no logits per time step")
    handle = head.register_forward_hook(lambda _, __, output: given.append(output))
    try:
        yield given
    finally:
        handle.remove()


@torch.no_grad()
def check_steps(model: nn.Module, images: Tensor) -> None:
    """Raises ModelError where the network does not give logits at every time step, whose mean are its logits.

    model   a network of the zoo
    images  one of its inputs
    """
    name, training = config_of(model).name, model.training
    with step_logits(model.eval()) as given:
        logits = model(images)
    model.train(training)
    shape = (getattr(config_of(model), "time_steps", 0), *logits.shape)
    if [tuple(each.shape) for each in given] != [shape] or not torch.allclose(given[0].mean(0), logits, atol=1e-5):
        raise ModelError(f"{name} gives no logits per time step: its head sees the mean of all; leave tet out")


def step_loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """The mean over steps of their cross entropies (Deng et al., TET, ICLR 2022, eq. 9).

    logits  (T, B, classes)
    labels  (B,)
    """
    steps = len(logits)
    return F.cross_entropy(logits.flatten(0, 1).float(), labels.repeat(steps), label_smoothing=label_smoothing)
