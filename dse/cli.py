"""The command line: `svit-dse COMMAND`; every command is one file in `dse/commands/`.

Only this module reads argv, turns a user's mistake into one line on stderr, and decides the exit status: 0 done, 1 a
failure that is not the user's, 2 a mistake in an argument or a file, 130 interrupted. Commands import what they need
when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import pkgutil
import sys
import warnings
from typing import Annotated, Any

import typer

from dse import commands
from dse.commands._storage import leave_command_line
from dse.ledger.address import without_logins

INTERRUPTED = 130
LESS_MEMORY = "take fewer --workers, a smaller data.batch_size or fewer images, or a machine with more"
_USAGE: Any = typer.BadParameter.__mro__[1]  # click's UsageError, wherever this release of typer keeps click

app = typer.Typer(
    name="svit-dse",
    help="Find the bit width of every layer of a Spiking Vision Transformer for your chip.",
    epilog="Start with `svit-dse demo`, or `svit-dse init my.yaml` and `svit-dse search my.yaml`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PATHS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)  # their message names the path


def _version(wanted: bool) -> None:
    if wanted:
        from dse import version

        typer.echo(f"svit-dse {version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _register() -> None:
    order = ["demo", "init", "check", "train", "profile", "evaluate", "estimate", "sensitivity", "search", "report"]
    order += ["runs", "show", "diff", "pick", "plot", "dashboard", "worker", "repair", "reproduce"]
    order += ["compare", "finetune", "reestimate", "export", "verify_export", "hardware"]
    names = [m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")]
    for name in sorted(names, key=lambda n: (order.index(n) if n in order else len(order), n)):
        module = importlib.import_module(f"dse.commands.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name.replace("_", "-"))
        else:
            app.command(name.replace("_", "-"), epilog=module.EXAMPLE)(getattr(module, name))


_register()


def _user_mistakes() -> tuple[type[Exception], ...]:
    from costmodels import CostError
    from dse.errors import ConfigError
    from reports import ReportError
    from sviT_models.errors import ModelError

    return ConfigError, ModelError, CostError, ReportError


def _lacked_memory(error: Exception) -> str:
    """What could not be allocated, where that is the error; torch says it of a processor by a text alone."""
    said = (str(error).strip() or "the system gave no more").splitlines()[0]
    where = said.find("you tried to allocate")
    if isinstance(error, MemoryError) or "out of memory" in said:
        return said.rstrip(".")
    return said[where:].split(". ")[0] if isinstance(error, RuntimeError) and where >= 0 else ""


def main() -> None:
    """Entry point of the console script."""
    atexit.register(gc.freeze)  # the collections at the end find nothing, and take a sixth of a short command's time
    warnings.formatwarning = lambda message, *_: f"svit-dse: warning: {message}\n"
    leave_command_line()
    try:
        status = app(standalone_mode=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except _USAGE as error:
        from dse.commands._show import printable

        said = without_logins(" ".join(error.format_message().split()))
        if message := printable(said).rstrip("."):  # empty: it was the help
            place = error.ctx.command_path if error.ctx else "svit-dse"
            print(f"svit-dse: {message}; see `{place} --help`", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from dse.commands._show import printable
        from dse.errors import EvaluationError, InterruptedRunError, LostStorageError

        if isinstance(error, InterruptedRunError):
            print(f"interrupted; {error}", file=sys.stderr)
            sys.exit(INTERRUPTED)
        locked = isinstance(error, OSError) and error.errno == errno.EROFS
        if locked or isinstance(error, (*_user_mistakes(), *_PATHS)):
            print(f"svit-dse: {printable(without_logins(str(error)))}", file=sys.stderr)
            sys.exit(2)
        if isinstance(error, EvaluationError | LostStorageError | OSError):
            print(f"svit-dse: {printable(without_logins(str(error)))}", file=sys.stderr)
            sys.exit(1)
        if wanted := _lacked_memory(error):
            print(f"svit-dse: not enough memory ({printable(wanted)}); {LESS_MEMORY}", file=sys.stderr)
            sys.exit(1)
        raise
    if status == INTERRUPTED:
        print("interrupted; run the same command again to go on", file=sys.stderr)
    sys.exit(status or 0)


if __name__ == "__main__":
    main()
