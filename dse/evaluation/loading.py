"""What a configuration names, loaded: images, the network, and widths that the chip has."""

from __future__ import annotations

from typing import Any

import sviT_models
from costmodels import Hardware
from dse.config.schema import Config
from dse.errors import ConfigError


def load_images(config: Config, split: str, count: int | None) -> Any:
    """Images of one split: `images` (N, 3, H, W) float32, `labels` (N,), `ids`, `sha256`."""
    seed = config.search.seed
    images = sviT_models.load_data(
        config.data.name,
        split,
        count=count,
        seed=seed,
        resolution=config.data.resolution,
        max_corrupt=config.data.max_corrupt,
    )
    if images.frames is not None:
        raise ConfigError(
            f"data.name {config.data.name!r}: has {images.frames} frames per sample; the exact evaluator takes still "
            "images, so name a set of those"
        )
    return images


def load_at_most(config: Config, split: str, count: int) -> Any:
    """Up to `count` images of one split, all of it where it has fewer."""
    try:
        return load_images(config, split, count)
    except sviT_models.ModelError:
        return load_images(config, split, None)  # raises again what is not about the number


def load_network(config: Config) -> tuple[Any, sviT_models.Checkpoint]:
    """The configured network with its weights, in evaluation mode and as trained, and where they came from."""
    checkpoint = sviT_models.open_checkpoint(config.checkpoint, network=config.network)
    return checkpoint.model.eval(), checkpoint


def chip_widths(config: Config, hardware: Hardware) -> Config:
    """The configuration with widths that the chip has: of those that nobody asked for, the others are left out.

    Raises ConfigError for a width that was asked for and that the chip does not have.
    """
    if "widths" not in config.search.model_fields_set:
        both = tuple(b for b in config.search.widths if b in hardware.weight_widths)
        search = config.search.model_copy(update={"widths": both or hardware.weight_widths})
        return config.model_copy(update={"search": search})
    missing = [b for b in config.search.widths if b not in hardware.weight_widths]
    if missing:
        have = ", ".join(map(str, hardware.weight_widths))
        raise ConfigError(
            f"search.widths: {hardware.name} has no {missing[0]}-bit weights; it has {have}; "
            "change search.widths or the chip file's weight widths"
        )
    return config
