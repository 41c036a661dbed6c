"""Training from scratch with surrogate gradients: the recipe behind the networks that ship with the tool."""

from __future__ import annotations

import json
import math
import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sviT_models import zoo
from sviT_models.checkpoints.files import load_checkpoint, save_checkpoint
from sviT_models.checkpoints.shipped import checkpoint_path
from sviT_models.data import ImageSet, load_data
from sviT_models.errors import ModelError
from sviT_models.measure.hooks import evaluating
from sviT_models.network.layers import Attention
from sviT_models.network.meta_spikeformer import MetaSpikeFormer

EVALUATION_BATCH = 100


@dataclass(frozen=True)
class Recipe:
    """Everything a training depends on; the same recipe on the same machine and threads gives the same weights.

    `start` is a checkpoint, by name or path, whose weights other than the head's to begin with (None: random ones).
    `images` per epoch (None: the whole training split); with `fresh`, every epoch draws new ones, which only a
    generated set can do. The learning rate follows one cycle that peaks at `learning_rate` after the share `warmup`.
    `clip` bounds the gradient's norm, `shift` is the largest random translation in pixels. `heads`, `attention_scale`
    and `qkv_bias` (of the batch norms behind q, k and v) differ from the official 8, 0.125 and 0: with those,
    `attn_lif` never fires on the few tokens that 32 px leave, and gradients vanish or explode.
    """

    data: str
    model: str = "sdtv2_tiny"
    seed: int = 0
    start: str | None = None
    epochs: int = 60
    images: int | None = None
    fresh: bool = False
    batch_size: int = 64
    learning_rate: float = 4e-3
    warmup: float = 0.3
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    clip: float = 1.0
    shift: int = 2
    time_steps: int = 2
    heads: int = 4
    attention_scale: float = 0.5
    qkv_bias: float = 1.0

    def __post_init__(self) -> None:
        for key, least in (("seed", 0), ("epochs", 1), ("images", 1), ("batch_size", 2), ("shift", 0)):
            value = getattr(self, key)
            if value is None and key == "images":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"{key} is {value!r}; expected an integer of at least {least}")
        for key in ("learning_rate", "clip"):
            if not 0 < getattr(self, key) < math.inf:
                raise ModelError(f"{key} is {getattr(self, key)!r}; expected a positive number")
        for key in ("warmup", "label_smoothing", "weight_decay"):
            if not 0 <= getattr(self, key) < 1:
                raise ModelError(f"{key} is {getattr(self, key)!r}; expected a share from 0 to below 1")


# what the shipped networks were trained with; chosen on the validation split
RECIPES = {
    "digits": Recipe("digits"),
    "glyphs": Recipe(
        "glyphs",
        start="sdtv2_tiny_digits",
        epochs=32,
        images=16_128,
        fresh=True,
        learning_rate=3e-3,
        warmup=0.1,
        shift=0,
    ),
}


@dataclass(frozen=True)
class Epoch:
    """One line of the log: mean training loss [nat], share of validation images classified right, seconds."""

    epoch: int
    loss: float
    learning_rate: float
    validation: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}  loss {self.loss:.4f}  learning rate {self.learning_rate:.2e}  "
            f"validation {self.validation:.2%}  {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Training:
    """A trained network in evaluation mode and how it came about; `test` is its accuracy on search and verify."""

    model: MetaSpikeFormer
    recipe: Recipe
    log: tuple[Epoch, ...]
    test: float
    test_images: int
    data_sha256: str  # of the training images, of the first epoch's where they are fresh

    def summary(self) -> dict[str, object]:
        """What a checkpoint's metadata say of the training, as JSON values."""
        return {
            "command": command(self.recipe),
            "recipe": asdict(self.recipe),
            "accuracy": {"validation": self.log[-1].validation, "test": self.test, "test_images": self.test_images},
            "data_sha256": self.data_sha256,
            "seconds": round(sum(epoch.seconds for epoch in self.log), 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }


def recipe_for(data: str, **changes: object) -> Recipe:
    """The recipe of a data set, with the fields given in `changes` replaced; those that are None stay as they are.

    Raises ModelError for values that no training can have.
    """
    return replace(RECIPES.get(data, Recipe(data)), **{k: v for k, v in changes.items() if v is not None})


def command(recipe: Recipe) -> str:
    """The command line that trains by this recipe: its data, its seed, and what differs from the data's own recipe."""
    usual = asdict(recipe_for(recipe.data)) | {"seed": None}
    words = ["svit-dse", "train", "--data", recipe.data]
    for key, value in asdict(recipe).items():
        option = key.replace("_", "-")
        if isinstance(value, bool) and value != usual[key]:
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value != usual[key]:
            words += [f"--{option}", str(value)]
    return shlex.join(words)


def store_training(training: Training, path: str | os.PathLike[str]) -> None:
    """Write the checkpoint `path` (.safetensors), and beside it what made it: `.json` and the log, `.log`.

    Raises ModelError as `save_checkpoint` does.
    """
    path = Path(path)
    save_checkpoint(path, training.model, training.summary())
    path.with_suffix(".json").write_text(json.dumps(training.summary(), indent=2) + "\n", encoding="utf-8")
    accuracy = f"test accuracy {training.test:.2%} on {training.test_images} images"
    lines = [f"$ {command(training.recipe)}", *map(str, training.log), accuracy]
    path.with_suffix(".log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def train(recipe: Recipe, progress: Callable[[Epoch], None] | None = None) -> Training:
    """Train a network by a recipe; `progress` is told of every finished epoch.

    Raises ModelError for data without a training split, for an unknown network, and when the loss is no longer finite.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    images = load_data(recipe.data, "train", count=recipe.images, seed=recipe.seed)
    data_sha256 = images.sha256
    validation = load_data(recipe.data, "validation")
    model = initial(recipe, len(images.classes))
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    batch = min(recipe.batch_size, len(images))
    steps = recipe.epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, steps, pct_start=recipe.warmup)
    log = []
    for number in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        if recipe.fresh and number > 1:
            images = load_data(recipe.data, "train", count=recipe.images, seed=recipe.seed + number - 1)
        rate, total = schedule.get_last_lr()[0], 0.0
        model.train()
        for inputs, labels in _shuffled(images, batch, recipe.shift, generator):
            loss = F.cross_entropy(model(inputs), labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            schedule.step()
            total += loss.item()
        if not math.isfinite(total):
            raise ModelError(f"training on {recipe.data} diverged in epoch {number}; try a smaller learning_rate")
        mean_loss = total / (len(images) // batch)
        log.append(Epoch(number, mean_loss, rate, top1(model, validation), time.perf_counter() - started))
        if progress:
            progress(log[-1])
    tests = [load_data(recipe.data, split) for split in ("search", "verify")]
    right = sum(top1(model, part) * len(part) for part in tests)
    total_images = sum(len(part) for part in tests)
    return Training(model.eval(), recipe, tuple(log), right / total_images, total_images, data_sha256)


def initial(recipe: Recipe, classes: int) -> MetaSpikeFormer:
    """The untrained network of a recipe, its random weights drawn from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = zoo.build(
            recipe.model,
            num_classes=classes,
            time_steps=recipe.time_steps,
            heads=recipe.heads,
            attention_scale=recipe.attention_scale,
        )
    for module in model.modules():
        if isinstance(module, Attention):
            for conv in (module.q_conv, module.k_conv, module.v_conv):
                torch.nn.init.constant_(conv[-1].bias, recipe.qkv_bias)
    if recipe.start is not None:
        given = load_checkpoint(checkpoint_path(recipe.start)).state_dict()
        trunk = {key: tensor for key, tensor in given.items() if not key.startswith("head")}
        model.load_state_dict(trunk, strict=False)
    return model


def top1(model: MetaSpikeFormer, images: ImageSet) -> float:
    """Share of `images` that the network classifies right."""
    with evaluating(model):
        right = sum(
            int((model(inputs).argmax(1) == labels).sum()) for inputs, labels in images.batches(EVALUATION_BATCH)
        )
    return right / len(images)


def _shuffled(images: ImageSet, size: int, shift: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of exactly `size` images in random order, each image moved by up to `shift` pixels."""
    order = torch.randperm(len(images), generator=generator)
    for chosen in order[: len(images) // size * size].split(size):
        inputs = images.images[chosen]
        yield shifted(inputs, torch.randint(-shift, shift + 1, (size, 2), generator=generator)), images.labels[chosen]


def shifted(images: Tensor, offsets: Tensor) -> Tensor:
    """Images (B, 3, H, W), each moved down and right by its `offsets` (B, 2); the border repeats its last pixel."""
    _, channels, height, width = images.shape
    rows = (torch.arange(height) - offsets[:, :1]).clamp(0, height - 1)  # (B, H)
    columns = (torch.arange(width) - offsets[:, 1:]).clamp(0, width - 1)  # (B, W)
    moved = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return moved.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))
