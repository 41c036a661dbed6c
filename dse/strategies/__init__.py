"""Search strategies: one file each, and the file name is the name that config and command line use.

Every file defines `OPTIONS` and a class `Sampler(problem, seed, **options)` that derives from
`dse.strategies.base.sampler.Strategy`; it raises ConfigError for an unknown option.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from dse.errors import ConfigError

if TYPE_CHECKING:
    from dse.strategies.base.options import Option
    from dse.strategies.base.sampler import Strategy


def names() -> tuple[str, ...]:
    """Names of all strategies, without importing any."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg))


def _module(name: str) -> Any:
    if name not in names():
        from costmodels.yaml_file import meant  # here, as `search --help` lists the names and does without it

        raise ConfigError(f"search.strategy: no strategy {name!r}; {meant(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def load(name: str) -> type[Strategy]:
    """The strategy's class `Sampler(problem, seed, **options)`; ConfigError for an unknown name."""
    found: type[Strategy] = _module(name).Sampler
    return found


def option_table(name: str) -> dict[str, Option]:
    """The options that a strategy takes, with defaults, limits and meaning."""
    table: dict[str, Option] = _module(name).OPTIONS
    return table


def summary(name: str) -> str:
    """One sentence on what the strategy does."""
    return str(_module(name).__doc__).strip().splitlines()[0]
