"""Search strategies: one file each, and the file name is the name that config and command line use.

Every file defines `OPTIONS` and a class `Sampler(problem, seed, **options)` that derives from
`dse.strategies.base.sampler.Strategy`; it raises ConfigError for an unknown option.  A strategy of one's own is such a
file anywhere, named FILE.py or FILE.py:CLASS, or an entry point of the group `svit_dse.strategies`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from costmodels import plugins
from dse.errors import ConfigError

if TYPE_CHECKING:
    from dse.strategies.base.options import Option
    from dse.strategies.base.sampler import Strategy

GROUP = "svit_dse.strategies"
CLASS = "Sampler"


def names() -> tuple[str, ...]:
    """Names of all shipped strategies, without importing any."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg))


def label(name: str) -> str:
    """What a strategy is called in tables: its name, or that of its file without the folder."""
    if not plugins.is_file(name):
        return name
    file, member = plugins.split(name)
    return plugins.joined(file.name, "" if member == CLASS else member)


def _found(name: str) -> tuple[Any, Any]:
    """The module of a strategy and its class.  Raises ConfigError for a name that nothing has."""
    if name in names():
        content = importlib.import_module(f"{__name__}.{name}")
        return content, content.Sampler
    if plugins.is_file(name):
        file, member = plugins.split(name)
        try:
            content = plugins.loaded(str(file), ConfigError)
            return content, plugins.member(content, file, member or CLASS, ConfigError)
        except ConfigError as error:
            raise ConfigError(f"search.strategy: {error}") from error
    if name in plugins.installed(GROUP):
        found = plugins.from_package(GROUP, name, ConfigError)
        return (found, found.Sampler) if hasattr(found, CLASS) else (importlib.import_module(found.__module__), found)
    from costmodels.yaml_file import meant  # here, as `search --help` lists the names and does without it

    known = (*names(), *plugins.installed(GROUP))
    raise ConfigError(f"search.strategy: no strategy {name!r}; {meant(name, known)}, or give FILE.py:CLASS")


def load(name: str) -> type[Strategy]:
    """The strategy's class `Sampler(problem, seed, **options)`.

    Raises ConfigError for an unknown name, and for a file or class of one's own that is no strategy.
    """
    found = _found(name)[1]
    if name not in names():
        from dse.strategies.base.sampler import Strategy  # loads optuna, which listing the names does without

        if not (isinstance(found, type) and issubclass(found, Strategy)):
            raise ConfigError(
                f"search.strategy: {name} is no strategy; expected a class that derives from "
                "dse.strategies.base.sampler.Strategy or Proposer"
            )
    loaded: type[Strategy] = found
    return loaded


def option_table(name: str) -> dict[str, Option]:
    """The options that a strategy takes, with defaults, limits and meaning: `OPTIONS` of its class or file."""
    content, found = _found(name)
    table: dict[str, Option] = getattr(found, "OPTIONS", getattr(content, "OPTIONS", {}))
    return table


def summary(name: str) -> str:
    """One sentence on what the strategy does."""
    return str(_found(name)[0].__doc__).strip().splitlines()[0]
