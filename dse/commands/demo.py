"""`svit-dse demo` runs the whole job on a network and images that come with the tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

DROP_BUDGET = 2.1  # percentage points: what QSViT loses for its savings (Putra, Iftikhar, Shafique 2025)
# with a network of their own and images enough to verify: how many designs are measured on
DATA = {"fashion_mnist": 2000, "digits": 300, "glyphs": 4032}
EXAMPLE = "Example: svit-dse demo --data digits --out runs/demo"


def demo(
    data: Annotated[str, typer.Option(help="Embedded data set: fashion_mnist, digits or glyphs.")] = "fashion_mnist",
    out: Annotated[Path | None, typer.Option(help="Run directory; default: runs/demo-DATA.")] = None,
    evaluations: Annotated[int, typer.Option(min=1, help="Designs to evaluate.")] = 80,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    as_json: JSON = False,
) -> None:
    """Run a search on a network and data that come with the tool, and build the report."""
    from dse.commands.search import Wishes, run_search
    from dse.config.schema import Config, Data, Search
    from dse.errors import ConfigError

    if data not in DATA:
        raise ConfigError(f"--data {data!r}: the demo has {', '.join(DATA)}; for your own data use `svit-dse search`")
    config = Config(
        checkpoint=f"sdtv2_tiny_{data}",
        data=Data(name=data, search_images=DATA[data]),
        search=Search(evaluations=evaluations, seed=seed),
        budgets={"drop": DROP_BUDGET},
    )
    run_search(config, out or Path(f"runs/demo-{data}"), Wishes(as_json=as_json))
