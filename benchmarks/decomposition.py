"""What rounding, scores, search, time steps, potentials and streams contribute, network by network.

    OMP_NUM_THREADS=2 python benchmarks/decomposition.py [digits fashion_mnist glyphs] [--evaluations 60] [--seed 0]

One search per network by `svit-dse` with its defaults, on the pool of the network's search split; the table is that of
its decomposition.csv.  Ends with one line of JSON.
"""

import argparse
import json
import tempfile
from pathlib import Path

from dse.commands._designs import part_rows
from dse.commands._show import print_rows
from dse.config.schema import Config, Data, Search
from dse.workflows import search
from dse.workflows.search_values import Listener

BUDGETS = {"digits": 2.1, "fashion_mnist": 1.0, "glyphs": 1.0}  # percentage points


def main() -> None:
    """Print a table per network and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(BUDGETS))
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = {}
    for name in options.networks:
        config = Config(
            checkpoint=f"sdtv2_tiny_{name}",
            data=Data(name=name),
            search=Search(evaluations=options.evaluations, seed=options.seed),
            budgets={"drop": BUDGETS[name]},
        )
        with tempfile.TemporaryDirectory() as folder:
            run = search.search(config, Path(folder) / "run", hear=Listener(lambda line: print(line, flush=True)))
            table, savings = run.decomposition, run.picks["savings"]
        print_rows(part_rows(table), name)
        print(json.dumps(savings))
        found[name] = {"parts": table.to_dict("records"), "savings": savings}
    print(json.dumps({"benchmark": "decomposition", **vars(options), "found": found}))


if __name__ == "__main__":
    main()
