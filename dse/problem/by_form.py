"""One value per form of the network, found by the form's name or by the layers of a design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, eq=False)
class ByForm(Mapping[str, T]):
    """A mapping from the form of the network to a value: one entry as a rule, two in a search over forms.

    parts: the values by form, in the order of the choices of the dimension `form`; layers: by form the weight layers in
    network order, which tell of a design to which form it belongs.
    """

    parts: Mapping[str, T]
    layers: Mapping[str, tuple[str, ...]]

    @classmethod
    def single(cls, value: T, layers: tuple[str, ...], form: str = "") -> ByForm[T]:
        """The mapping of one form."""
        return cls({form: value}, {form: layers})

    @classmethod
    def of(cls, parts: Mapping[str, T], layers: Callable[[T], tuple[str, ...]]) -> ByForm[T]:
        """The mapping of values that know the weight layers of their form."""
        return cls(parts, {form: layers(value) for form, value in parts.items()})

    def __getitem__(self, form: str) -> T:
        return self.parts[form]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def first(self) -> T:
        """The value of the first form, whose float network and baselines are those of the search."""
        return next(iter(self.parts.values()))

    def form_of(self, layers: tuple[str, ...]) -> str:
        """The form that has these weight layers.  Raises KeyError where none has them."""
        for form, own in self.layers.items():
            if own == layers:
                return form
        raise KeyError(f"no form of the network has these {len(layers)} weight layers")

    def with_layers(self, layers: tuple[str, ...]) -> T:
        """The value of the form that has these weight layers.  Raises KeyError where none has them."""
        return self.parts[self.form_of(layers)]

    def map(self, change: Callable[[T], U]) -> ByForm[U]:
        """The mapping of changed values."""
        return ByForm({form: change(value) for form, value in self.parts.items()}, self.layers)
