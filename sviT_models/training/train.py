"""Training from scratch with surrogate gradients: the recipe behind the networks that ship with the tool."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodels.whole_files import write_text
from sviT_models.checkpoints.files import save_checkpoint, save_state
from sviT_models.data import Binning, ImageSet, has_test, load_data
from sviT_models.errors import ModelError
from sviT_models.measure.hooks import evaluating
from sviT_models.training.augment import batches
from sviT_models.training.initial import initial
from sviT_models.training.own_network import OwnNetwork, own_network
from sviT_models.training.recipe import Recipe, command
from sviT_models.training.run import Epoch, Run, restore_run, save_run, store_in
from sviT_models.training.step_logits import check_steps, step_logits, step_loss

EVALUATION_BATCH = 100


@dataclass(frozen=True)
class Step:
    """How far a training is: `step` of `steps` in this epoch, the step's loss [nat], seconds left in all."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    left: float


@dataclass(frozen=True)
class Training:
    """A trained network in evaluation mode and how it came about.

    `test` is its accuracy on the images that are set apart as a test where the data have them, and otherwise on search
    and verify together; `held_out` is then that on search and verify, and None where `test` is.
    """

    model: nn.Module
    recipe: Recipe
    log: tuple[Epoch, ...]
    test: float
    test_images: int
    data_sha256: str  # of the training images, of the first epoch's where they are fresh
    held_out: float | None = None
    held_out_images: int = 0

    def summary(self) -> dict[str, object]:
        """What a checkpoint's metadata say of the training, as JSON values."""
        accuracy = {"validation": self.log[-1].validation, "test": self.test, "test_images": self.test_images}
        if self.held_out is not None:
            accuracy |= {"held_out": self.held_out, "held_out_images": self.held_out_images}
        return {
            "command": command(self.recipe),
            "recipe": asdict(self.recipe),
            "accuracy": accuracy,
            "data_sha256": self.data_sha256,
            "seconds": round(sum(epoch.seconds for epoch in self.log), 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }


def store_training(training: Training, path: str | os.PathLike[str]) -> None:
    """Write the checkpoint `path` (.safetensors), and beside it what made it: `.json` and the log, `.log`.

    training  what `train` gave

    Raises ModelError as `save_checkpoint` does.
    """
    path = Path(path)
    half, notes = training.recipe.half, training.summary()
    if isinstance(training.model, OwnNetwork):
        save_state(path, training.model.weights(), notes, training.model.learned if half else ())
    else:
        save_checkpoint(path, training.model, notes, half=half)
    write_text(path.with_suffix(".json"), json.dumps(training.summary(), indent=2) + "\n")
    lines = [f"$ {command(training.recipe)}", *map(str, training.log)]
    if training.held_out is not None:
        lines.append(f"held-out accuracy {training.held_out:.2%} on {training.held_out_images} images")
    lines.append(f"test accuracy {training.test:.2%} on {training.test_images} images")
    write_text(path.with_suffix(".log"), "\n".join(lines) + "\n")


def train(
    recipe: Recipe,
    progress: Callable[[Epoch], None] | None = None,
    *,
    steps: Callable[[Step], None] | None = None,
    state: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Training:
    """Train a network by a recipe; `progress` is told of every finished epoch, `steps` of every step.

    recipe  data, network and how it learns

    Every finished epoch is kept in the file `state`, from which `resume` goes on: the weights are the same as without
    the interruption, on the same machine and number of threads.
    Raises ModelError for data without a training split, for an unknown network, when the loss is no longer finite, and
    for a `state` that does not belong to this training.
    """
    images = _images(recipe, "train", recipe.images, recipe.seed)
    validation = _images(recipe, "validation")
    run = _begun(recipe, images)
    if resume and state is not None:
        restore_run(Path(state), run)
    clock = _Clock(recipe, len(images) // _batch(recipe, images), len(run.log), steps)
    for number in range(len(run.log) + 1, recipe.epochs + 1):
        started = time.perf_counter()
        if recipe.fresh and number > 1:
            seed = recipe.seed + number - 1
            images = _images(recipe, "train", recipe.images, seed)
        rate = float(run.schedule.get_last_lr()[0])
        loss = _epoch(run, images, clock)
        if recipe.half and number == recipe.epochs:
            _round_to_half(run.model)
        run.log.append(Epoch(number, loss, rate, top1(run.model, validation), time.perf_counter() - started))
        if state is not None:
            save_run(Path(state), run)
        if progress:
            progress(run.log[-1])
    return _judged(run)


class _Clock:
    """Tells of steps and of the time that is left, from the steps since the training began or went on."""

    def __init__(self, recipe: Recipe, steps: int, epochs: int, tell: Callable[[Step], None] | None):
        self.recipe, self.steps, self.tell = recipe, steps, tell
        self.first = self.done = epochs * steps
        self.started = time.perf_counter()

    def __call__(self, loss: float) -> None:
        """One more step is done."""
        self.done += 1
        if self.tell is None:
            return
        epoch, step = divmod(self.done - 1, self.steps)
        pace = (time.perf_counter() - self.started) / (self.done - self.first)
        left = pace * (self.recipe.epochs * self.steps - self.done)
        self.tell(Step(epoch + 1, self.recipe.epochs, step + 1, self.steps, loss, left))


def _batch(recipe: Recipe, images: ImageSet) -> int:
    return min(recipe.batch_size, len(images))


def _begun(recipe: Recipe, images: ImageSet) -> Run:
    """A run before its first epoch. In `channels_last` a step of the small networks takes a fifth less time."""
    if recipe.is_own:
        model: nn.Module = own_network(recipe, images)
    else:
        model = initial(recipe, len(images.classes), images.images.shape[-3])
    if recipe.tet:
        check_steps(model, images.images[:1])
    store_in(model, torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    total = recipe.epochs * (len(images) // _batch(recipe, images))
    share = _warmup(recipe.warmup, total)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total, pct_start=share)
    generator = torch.Generator().manual_seed(recipe.seed)
    return Run(recipe, model, optimizer, schedule, generator, images.sha256)


def _warmup(share: float, steps: int) -> float:
    """The warm-up as a share of the steps; a hair below one step where it is one, which torch divides by zero at."""
    return share if share * steps != 1 else (1 - 1e-9) / steps


def _epoch(run: Run, images: ImageSet, clock: _Clock) -> float:
    """One pass over the images; the mean loss [nat]. Raises ModelError when that is not finite."""
    recipe, total = run.recipe, 0.0
    run.model.train()
    for inputs, labels in batches(images, _batch(recipe, images), recipe, run.generator):
        loss = _loss(run.model, recipe, inputs, labels)
        run.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip)
        run.optimizer.step()
        run.schedule.step()
        total += loss.item()
        clock(loss.item())
    if not math.isfinite(total):
        number = len(run.log) + 1
        raise ModelError(f"training on {recipe.data} diverged in epoch {number}; try a smaller learning_rate")
    return total / clock.steps


def _loss(model: nn.Module, recipe: Recipe, inputs: Tensor, labels: Tensor) -> Tensor:
    """The loss [nat] of a batch."""
    if inputs.ndim == 4:  # frames have an axis more, and no such order of memory
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
        if recipe.tet:
            with step_logits(model) as given:
                model(inputs)
            return step_loss(given[0], labels, recipe.label_smoothing)
        logits = model(inputs).float()
    return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)


@torch.no_grad()
def _round_to_half(model: nn.Module) -> None:
    """Weights of the layers, not of the norms, to the nearest numbers that float16 holds."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.half())


def _judged(run: Run) -> Training:
    """The finished training, its network measured on the images that had no part in it."""
    recipe, model = run.recipe, run.model.eval()
    store_in(model, torch.contiguous_format)
    result = (model, recipe, tuple(run.log))
    parts = [_images(recipe, split) for split in ("search", "verify")]
    count = sum(len(part) for part in parts)
    held_out = sum(top1(model, part) * len(part) for part in parts) / count
    if not has_test(recipe.data):
        return Training(*result, held_out, count, run.data_sha256)
    test = _images(recipe, "test")
    return Training(*result, top1(model, test), len(test), run.data_sha256, held_out, count)


def _images(recipe: Recipe, split: str, count: int | None = None, seed: int = 0) -> ImageSet:
    """Images of one split as the recipe's network takes them."""
    frames = Binning(recipe.frames)
    return load_data(recipe.data, split, count=count, seed=seed, resolution=recipe.resolution, binning=frames)


def top1(model: nn.Module, images: ImageSet) -> float:
    """Share of `images` that the network classifies right."""
    with evaluating(model):
        right = sum(
            int((model(inputs).argmax(1) == labels).sum()) for inputs, labels in images.batches(EVALUATION_BATCH)
        )
    return right / len(images)
