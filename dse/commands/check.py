"""`svit-dse check` validates a configuration and says what a search would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import CHECKPOINT, JSON, NETWORK, OPTION

EXAMPLE = "Example: svit-dse check my.yaml"


def check(
    config: Annotated[Path, typer.Argument(help="Configuration file.")],
    network: NETWORK = None,
    option: OPTION = None,
    checkpoint: CHECKPOINT = None,
    as_json: JSON = False,
) -> None:
    """Validate a configuration and estimate the time of its search."""
    from dse.commands._options import configured

    loaded = configured(config, network, option, checkpoint)  # a mistake is told before torch is imported

    from dse import strategies
    from dse.commands._given import using
    from dse.commands._progress import Meter
    from dse.commands._show import print_rows
    from dse.workflows.check import checkup

    with using(config, network=network, option=option, checkpoint=checkpoint), Meter() as advance:
        strategies.load(loaded.search.strategy)
        rows = checkup(loaded, advance)
    print_rows([{"what": k, "value": v} for k, v in rows.items()], f"{config} is valid", as_json)
