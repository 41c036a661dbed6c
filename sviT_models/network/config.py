"""What a network of the zoo was built with: the options that its family shares with the others."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self, cast

from torch import nn

from sviT_models.errors import ModelError


def unknown_option(name: str, given: str, known: Iterable[str]) -> ModelError:
    """What is said of an option that a network does not have: the nearest one, and all there are.

    name   of the network, or of the function that builds it
    given  the option
    known  those that there are
    """
    known = list(known)
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}? There are" if near else "there are"
    return ModelError(f"{name} has no option {given}; {hint}: {', '.join(known) or 'none'}")


def check_options(name: str, build: Callable[..., object], given: Iterable[str], own: Iterable[str] = ()) -> None:
    """Raises ModelError for options that are no keywords of a function, where its keywords can be told.

    name   of the network, or of the function
    build  the function that builds it
    given  the options
    own    keywords that are not for users to give
    """
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):  # some callables written in C
        return
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in own]
    unknown = sorted(set(given) - set(known))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise unknown_option(name, unknown[0], known)


def _check_kind(key: str, value: object, usual: object) -> None:
    """Raises ModelError for a value of another type, or of another length, than an option has."""
    if isinstance(usual, tuple):
        same = isinstance(value, tuple) and [type(v) for v in value] == [type(v) for v in usual]
    elif isinstance(usual, float):
        same = isinstance(value, int | float) and not isinstance(value, bool)
    elif isinstance(usual, int) and not isinstance(usual, bool):
        same = type(value) is int and value >= 1
    else:
        same = type(value) is type(usual)
    if not same:
        number = isinstance(usual, int) and not isinstance(usual, bool)
        wanted = "an integer of at least 1" if number else f"a value such as {usual!r}"
        raise ModelError(f"{key} is {value!r}; expected {wanted}")


class NetworkOptions(Protocol):
    """What the configuration of every network says, also of those with a class of their own."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """Of the network."""

    @property
    def num_classes(self) -> int:
        """Logits of an image."""

    @property
    def in_channels(self) -> int:
        """Channels of an image."""


class SteppedOptions(NetworkOptions, Protocol):
    """The same of a network that runs several time steps."""

    @property
    def time_steps(self) -> int:
        """Time steps of a call."""


def config_of(model: nn.Module) -> NetworkOptions:
    """The configuration of a network of the zoo, or of one that was captured."""
    return cast(NetworkOptions, model.config)


def time_steps_of(model: nn.Module) -> int:
    """How many time steps a network runs that has steps."""
    return cast(SteppedOptions, model.config).time_steps


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Options of every family; a family's own class adds its sizes.

    `resolution` is that of the data set the network was published for: layer tables assume it, and images of other
    sizes run as well where a family does not say otherwise.  Raises ModelError for a count below one.
    """

    name: str = ""
    num_classes: int
    resolution: int
    in_channels: int = 3

    def __post_init__(self) -> None:
        for key in ("num_classes", "resolution", "in_channels"):
            self._check_count(key)

    def _check_count(self, key: str) -> None:
        value = getattr(self, key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{key} is {value!r}; expected an integer of at least 1")

    def _check_heads(self, heads: int, *embed_dims: int) -> None:
        """Raises ModelError for a number of heads that some width cannot be divided by."""
        self._check_count("heads")
        if any(dim % heads for dim in embed_dims):
            raise ModelError(f"heads is {heads}, which does not divide the embedding sizes {embed_dims}")

    def changed(self, **options: Any) -> Self:
        """The same with other values of its fields; those that are None stay as they are.  Raises ModelError."""
        known = [field.name for field in fields(self) if field.name != "name"]
        if unknown := sorted(options.keys() - {*known, "name"}):
            name = options.get("name") or self.name
            raise unknown_option(name, unknown[0], known)
        changes = {key: value for key, value in options.items() if value is not None}
        for key, value in changes.items():
            _check_kind(key, value, getattr(self, key))
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class SpikingConfig(NetworkConfig):
    """Options of a network whose neurons fire 0 or 1 in each of `time_steps` steps."""

    time_steps: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_count("time_steps")


@dataclass(frozen=True, kw_only=True)
class IntegerSpikingConfig(NetworkConfig):
    """Options of a network whose neurons fire an integer of 0 to `levels`, once: `levels` stands where others have T.

    On a chip a level of k is k spikes, spread over as many binary steps as there are levels.
    """

    levels: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_count("levels")


def runs_as_built(model: nn.Module) -> bool:
    """Whether a network says of itself, by an attribute `as_built`, that it need not be captured.

    model  a network

    Its modules stand in the order in which they run, its images may have any size, and `fused()` gives a copy of it
    without linear chains and batch norms.
    """
    return bool(getattr(model, "as_built", False))
