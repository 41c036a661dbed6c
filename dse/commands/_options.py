"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dse.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dse.config.schema import Config

SETS = "digits, fashion_mnist, glyphs, event_glyphs, or a path: .npz, IDX files, class folders, events."
DATA = Annotated[str, typer.Option(help=SETS)]
NETWORK = Annotated[
    str | None,
    typer.Option(help="Another network: FILE.py:FUNCTION or a name of the zoo. --checkpoint gives its weights."),
]
OPTION = Annotated[list[str] | None, typer.Option(help="KEY=VALUE, an argument of the function of --network.")]
CHECKPOINT = Annotated[
    str | None, typer.Option(help="Weights: a shipped checkpoint's name, or a file, instead of the configuration's.")
]
BINNING = Annotated[
    Literal["count", "time"],
    typer.Option(help="Make frames of an equal number of events (count) or of equal time (time)."),
]
RESOLUTION = Annotated[
    int | None, typer.Option(min=16, help="Image side in pixels; default: as in the data, 224 for class folders.")
]
DESIGN_NAME = "An id or its beginning, an origin such as uniform-4, or recommended, knee, ..."
NAMED = Annotated[str | None, typer.Argument(help=f"{DESIGN_NAME}  [default: recommended]")]
DESIGN = Annotated[str | None, typer.Option("--design", help="The same, as an option.")]
WIDTHS_FILE = "Widths of your own by layer: .csv (also the report's download), .json or .yaml."
LIKE = Annotated[
    str | None,
    typer.Option(help="With --run and --widths: take time steps and widths missing in the file from this design."),
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TRUST = Annotated[
    bool, typer.Option("--trust", help="Execute the Python files that this run names, although it was made elsewhere.")
]


def configured(
    path: Path, network: str | None = None, option: Sequence[str] | None = None, checkpoint: str | None = None
) -> Config:
    """The configuration in a file that the user named, with the network of the command line in the place of its own.

    Raises ConfigError for a mistake in it, and where it lies in a run directory and names a Python file that is not
    executed here for that.
    """
    from dse.commands._network import with_network
    from dse.config.file import load_config
    from dse.results import trust

    config = load_config(path)
    if network is None:
        trust.check_given(config, path)
    return with_network(config, network, option or [], checkpoint)


def design_name(named: str | None, design: str | None) -> str:
    """The name of a design that was given in its place or as --design; `recommended` where none was.

    Raises ConfigError for two names.
    """
    from dse.results.naming import RECOMMENDED

    if named is not None and design is not None and named != design:
        raise ConfigError(f"--design {design}: {named} is named already; leave one of them out")
    return named or design or RECOMMENDED


def check_like(like: str | None, run: Path | None, widths: Path | None) -> None:
    """Raises ConfigError for --like without the run that the design is of, or without the file that it completes."""
    if like is not None and (run is None or widths is None):
        raise ConfigError(
            f"--like {like}: takes what a file of widths lacks from a design of a run; add --run and --widths"
        )


def trusted(run: Path, given: bool) -> None:
    """Raises ConfigError where the run in `run` names a Python file that is not executed here without --trust."""
    from dse.results import trust
    from dse.results.run import open_run

    config = open_run(run).config
    if given:
        trust.keep(config)
    trust.check(config, run)
