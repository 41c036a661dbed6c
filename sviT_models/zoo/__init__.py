"""The networks by name, `<family>_<variant>`: one file per family, which lists its `VARIANTS` and builds them."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from types import ModuleType

from torch import nn

from sviT_models.errors import ModelError


def families() -> list[str]:
    """Names of the families, each a file here with a mapping `VARIANTS` and a function `build(variant, **options)`."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def names(family: str | None = None) -> list[str]:
    """Names that `build` knows: all of them, or those of one family."""
    chosen = families() if family is None else [family]
    return sorted(f"{each}_{variant}" for each in chosen for variant in _file(each).VARIANTS)


def build(name: str, **options: object) -> nn.Module:
    """A network of the zoo with fresh weights: images (B, channels, H, W) -> logits (B, num_classes).

    `options` are the keywords of the family's own `build`; a family takes those that mean something to it. Most take
    num_classes, time_steps (those with integer spikes: levels), resolution and in_channels.
    Raises ModelError for an unknown name and for options that cannot make a network.
    """
    family, variant = _split(name)
    parameters = inspect.signature(_file(family).build).parameters
    known = [key for key in parameters if key != "variant"]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if not takes_any and (unknown := sorted(options.keys() - known)):
        raise ModelError(f"{name} has no option {unknown[0]}; there are: {', '.join(known)}")
    return _file(family).build(variant, **options)


def _file(family: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{family}")


def _split(name: str) -> tuple[str, str]:
    """Family and variant of a network's name."""
    for family in families():
        variant = name.removeprefix(f"{family}_")
        if variant != name and variant in _file(family).VARIANTS:
            return family, variant
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0) or names()
    raise ModelError(f"no model {name!r}; the nearest names are: {', '.join(near)}")
