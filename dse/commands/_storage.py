"""The option --storage: a password that was typed leaves the command line, which every user of a machine can read."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from dse.errors import ConfigError
from dse.ledger.address import OPTION, VARIABLE, meant, shown_command, typed

HINT = (
    "svit-dse: warning: a password in --storage can be seen in the list of processes until the program has started, "
    "and stays in the shell's history; give the URL in {variable}, or leave the password to ~/.pgpass or PGPASSFILE"
)


def whole(url: str | None) -> str | None:
    """The URL that the option means, with the password that `leave_command_line` took out of it."""
    if url == "":  # of a shell's variable that is not set: every worker of an array would search for itself
        raise ConfigError(f"{OPTION} is empty; give a URL, or leave the option out")
    return meant(url, os.environ)


def storage(what: str) -> Any:
    """The option for a command; `what` says whose storage it is."""
    return typer.Option(help=f"{what}; a URL with a password goes into {VARIABLE}.", envvar=VARIABLE, callback=whole)


def leave_command_line() -> None:
    """Where a password was typed, start this program again in this process, with the URL in the environment.

    Nothing is done where `sys.argv` is not what the process was started with, as in a test.
    """
    words = sys.argv[1:]
    if not any(word.startswith(OPTION) for word in words) or sys.orig_argv[len(sys.orig_argv) - len(words) :] != words:
        return
    if (url := typed(words)) is None:
        return
    print(HINT.format(variable=VARIABLE), file=sys.stderr, flush=True)
    before = sys.orig_argv[: len(sys.orig_argv) - len(words)]
    environment = os.environ | {VARIABLE: url}
    os.execve(sys.executable, [*before, *shown_command(words)], environment)
