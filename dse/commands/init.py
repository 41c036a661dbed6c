"""`svit-dse init` writes a configuration with every key and its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse init my.yaml"


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("svit-dse.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: JSON = False,
) -> None:
    """Write a commented configuration with every key at its default."""
    from costmodels.whole_files import write_text
    from dse.commands._show import print_record
    from dse.config.file import template
    from dse.errors import ConfigError

    if path.exists() and not force:
        raise ConfigError(f"{path}: exists already; take another name, or --force to overwrite it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} does not exist; make it first")
    write_text(path, template())
    print_record({"configuration": path}, [f"wrote {path}; next: svit-dse check {path}"], as_json)
