"""One network per file; the file name is the network's name, and its `build(**options)` makes it."""

import importlib
import pkgutil

from torch import nn

from sviT_models.errors import ModelError


def names() -> list[str]:
    """Names that `build` knows."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build(
    name: str,
    num_classes: int = 1000,
    time_steps: int = 4,
    distilled: bool = False,
    heads: int = 8,
    attention_scale: float = 0.125,
) -> nn.Module:
    """A network of the zoo with fresh weights: images (B, 3, H, W) -> logits (B, num_classes); see ModelConfig.

    Raises ModelError for an unknown name or for options that cannot make a network.
    """
    if name not in names():
        raise ModelError(f"no model {name!r}; there are: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return module.build(
        num_classes=num_classes,
        time_steps=time_steps,
        distilled=distilled,
        heads=heads,
        attention_scale=attention_scale,
    )
