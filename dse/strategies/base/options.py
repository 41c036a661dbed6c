"""Options of a strategy: declared once, checked at the door, listed by the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dse.errors import ConfigError

KINDS = {int: "a number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Option:
    """A setting: its default (whose type it must have), what it means, and the closed range or set of its values."""

    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()


def read(strategy: str, given: Mapping[str, Any], table: Mapping[str, Option]) -> dict[str, Any]:
    """All options of a strategy, the given ones checked and the others at their defaults.

    Raises ConfigError for an unknown option, a wrong type or a value out of range.
    """
    for name in given:
        if name not in table:
            known = ", ".join(table) or "none"
            raise ConfigError(f"search.options.{name}: {strategy} has no such option; there are: {known}")
    return {name: _checked(strategy, name, given.get(name, option.default), option) for name, option in table.items()}


def _checked(strategy: str, name: str, value: Any, option: Option) -> Any:
    where = f"search.options.{name} of {strategy} is {value!r}"
    wanted = type(option.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where}; expected {KINDS.get(wanted, wanted.__name__)}")
    if option.choices and value not in option.choices:
        raise ConfigError(f"{where}; expected one of {', '.join(map(str, option.choices))}")
    if option.low is not None and not value >= option.low:
        raise ConfigError(f"{where}; expected at least {option.low:g}")
    if option.high is not None and not value <= option.high:
        raise ConfigError(f"{where}; expected at most {option.high:g}")
    return value
