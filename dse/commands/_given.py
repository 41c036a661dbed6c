"""Mistakes in what a command line gives: the message names the option, not the line of a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dse.errors import ConfigError


@contextmanager
def using(config: Path | None = None, **given: str | Sequence[str] | None) -> Iterator[None]:
    """Mistakes that show while a configuration is used, as one ConfigError with the place in front.

    config  the configuration's file; None: the command line is all there is
    given   what stands on the command line in the place of its keys, by the option's name; `option` has KEY=VALUEs

    The place is the option whose value the message names, or else the line of the file.
    """
    from costmodels import CostError
    from dse.config.file import located
    from sviT_models import ModelError

    try:
        yield
    except (ConfigError, CostError, ModelError) as error:
        message = str(error)
        if (said := named(message, given)) is None:
            said = message if config is None else located(message, config, [key for key in given if given[key]])
        raise ConfigError(said) from None


def named(message: str, given: Mapping[str, str | Sequence[str] | None]) -> str | None:
    """A message with the option in front whose value it is about; None where it is about none of them."""
    if message.startswith("--"):
        return message
    for pair in given.get("option") or ():
        key = re.escape(pair.partition("=")[0])
        if re.search(rf"\boption {key}\b", message) or re.match(rf"{key} is\b", message):
            return f"--option {pair}: {message}"
    for name, value in given.items():
        if not isinstance(value, str) or not re.search(rf"(?<![\w./-]){re.escape(value)}(?![\w/-])", message):
            continue
        flag, message = f"--{name.replace('_', '-')}", message.removeprefix(f"search.{name}: ")
        return f"{flag} {message}" if message.startswith(value) else f"{flag} {value}: {message}"
    return None
