"""The network of the zoo with which a training begins."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sviT_models import zoo
from sviT_models.checkpoints.files import load_checkpoint
from sviT_models.checkpoints.shipped import checkpoint_path
from sviT_models.errors import ModelError
from sviT_models.network.config import config_of
from sviT_models.training.recipe import Recipe


def initial(recipe: Recipe, classes: int, channels: int = 3) -> nn.Module:
    """The untrained network of the zoo that a recipe names, its random weights drawn from the recipe's seed.

    Raises ModelError for options that make no network, and where the network that it starts from has layers of other
    shapes.
    """
    with torch.device("meta"):
        config = config_of(zoo.build(recipe.model))
    options: dict[str, object] = {"num_classes": classes}
    options["levels" if hasattr(config, "levels") else "time_steps"] = recipe.time_steps
    if channels != config.in_channels:
        options["in_channels"] = channels
    if hasattr(config, "attention_scale"):
        options |= {"heads": recipe.heads, "attention_scale": recipe.attention_scale}
    options |= recipe.options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = zoo.build(recipe.model, **options)
    if (given_classes := config_of(model).num_classes) != classes:
        raise ModelError(f"num_classes is {given_classes}; {recipe.data} has {classes}: leave the option out")
    own: Any = model
    if started_by := getattr(own, "started_by", ()):
        own.start(**{name: getattr(recipe, name) for name in started_by})
    if recipe.start is not None:
        given = load_checkpoint(checkpoint_path(recipe.start)).state_dict()
        trunk = {key: tensor for key, tensor in given.items() if not key.startswith("head")}
        for key, tensor in model.state_dict().items():
            if key in trunk and trunk[key].shape != tensor.shape:
                have, want = tuple(trunk[key].shape), tuple(tensor.shape)
                raise ModelError(f"start {recipe.start}: {key} is {have}, not {want}; start from random weights")
        model.load_state_dict(trunk, strict=False)
    return model
