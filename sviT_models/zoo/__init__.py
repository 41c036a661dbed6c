"""The networks by name, `<family>_<variant>`: one file per family, which lists its `VARIANTS` and builds them."""

from __future__ import annotations

import csv
import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

import torch
from torch import nn

from sviT_models.errors import ModelError
from sviT_models.network.config import check_options, runs_as_built


def families() -> list[str]:
    """Names of the families, each a file here with a mapping `VARIANTS` and a function `build(variant, **options)`."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def names(family: str | None = None) -> list[str]:
    """Names that `build` knows: all of them, or those of one family.

    family  one of `families()`; default: every family
    """
    chosen = families() if family is None else [family]
    return sorted(f"{each}_{variant}" for each in chosen for variant in _file(each).VARIANTS)


def build(name: str, **options: object) -> nn.Module:
    """A network of the zoo with fresh weights: images (B, channels, H, W) -> logits (B, num_classes).

    name  one of `names()`

    `options` are the keywords of the family's own `build`; a family takes those that mean something to it. Most take
    num_classes, time_steps (those with integer spikes: levels), resolution and in_channels.
    Raises ModelError for an unknown name and for options that cannot make a network.
    """
    family, variant = _split(name)
    check_options(name, _file(family).build, options, own=("variant",))
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        return _file(family).build(variant, **values)
    except ModelError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # sizes of no such network
        given = ", ".join(f"{key}={value!r}" for key, value in values.items())
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name} cannot be built with {given}: {reason}") from error


def takes(name: str, option: str) -> bool:
    """Whether an option is a keyword of a network's `build`.

    name    one of `names()`
    option  the keyword
    """
    parameters = inspect.signature(_file(_split(name)[0]).build).parameters
    return option in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def describes_unnamed(options: Collection[str]) -> bool:
    """Whether some family builds networks of its own sizes, whose name is none of `names()`, from such options.

    options  names of options that a checkpoint stores
    """
    return _family_of(options) is not None


def _family_of(options: Collection[str]) -> ModuleType | None:
    """The file of the family that builds networks of its own sizes from such options."""
    files = map(_file, families())
    return next((file for file in files if set(options) <= getattr(file, "UNNAMED", set())), None)


def unnamed(options: Mapping[str, object]) -> nn.Module:
    """The network of such options, with fresh weights. Raises ModelError for options that no family has.

    options  those that a checkpoint stores, and those given in their place
    """
    file = _family_of(options)
    if file is None:
        raise ModelError(f"options are {', '.join(options)}; expected those of a network of the zoo")
    return cast(nn.Module, file.unnamed(**options))


def as_built(name: str) -> bool:
    """Whether a network runs as it is built, on images of any size, and need not be captured.

    name  one of `names()`
    """
    with torch.device("meta"):
        return runs_as_built(build(name))


@dataclass(frozen=True)
class Network:
    """What is known of a network without building it; `networks.csv` holds it.

    MACs are of one image and time step at `resolution` pixels, by what a layer sees: spikes, levels of integer neurons,
    integers that are sums of spikes, real numbers; and those of the attention's products, Q (K^T V). `accuracy` [%] is
    the published top-1 on `data`, where `source` says; None where no figure is stated.
    """

    name: str
    parameters: int
    resolution: int
    time_steps: int | None
    levels: int | None
    macs_spikes: int
    macs_levels: int
    macs_integers: int
    macs_real: int
    macs_attention: int
    accuracy: float | None
    data: str
    source: str

    @property
    def macs(self) -> int:
        """All of one image and time step."""
        return self.macs_spikes + self.macs_levels + self.macs_integers + self.macs_real + self.macs_attention


def networks() -> list[Network]:
    """Every network that `build` knows, in the order of their names."""
    with open(Path(__file__).parent / "networks.csv", newline="", encoding="utf-8") as file:
        return [_network(row) for row in csv.DictReader(file)]


def _network(row: dict[str, str]) -> Network:
    numbers = {key: int(row[key]) if row[key] else None for key in row.keys() - _TEXTS - {"accuracy"}}
    accuracy = float(row["accuracy"]) if row["accuracy"] else None
    return Network(**numbers, accuracy=accuracy, **{key: row[key] for key in _TEXTS})  # type: ignore[arg-type]


_TEXTS = {"name", "data", "source"}


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
