"""What each method reaches on the same network, chip and images, verified alike: the rows and tables of docs/study.md.

    python benchmarks/study.py [core nearest ...] [--only PATTERN ...] [--skip PATTERN ...] [--minutes M]
    python benchmarks/study.py --tables      # docs/study.md and README's table from docs/study/*.json, no search
    python benchmarks/study.py --list        # cells with what is done

A cell is one method with one rounding, budget and seed. Its row goes into docs/study/ as soon as it is there; a cell
whose row stands there is not run again unless its settings, its checkpoint or the source of its designs are others
now, and a search that was interrupted goes on.  Every method's own designs are verified by the same ladder on the same
images, the cheapest that passes is its pick (uniform 8 bits where none does), and the pick is measured once on the test
images, which nothing was chosen by.
Ends with one line of JSON.
"""

import argparse
import json
import time
from fnmatch import fnmatch
from pathlib import Path

import study_run
import study_tables
from study_cells import PARTS, Cell, cells
from study_rows import ROWS, keep, known, state

from costmodels.whole_files import write_text
from dse.errors import ConfigError

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
README = Path(__file__).parents[1] / "README.md"


def carry_out(wanted: list[Cell], folder: Path, work: Path, minutes: float = float("inf")) -> None:
    """Run the cells whose rows are missing or old; none is begun after so many minutes."""
    began = time.monotonic()
    for cell in wanted:
        if state(cell, folder) == "done":
            continue
        if time.monotonic() - began > 60 * minutes:
            return
        row = study_run.run(cell, work)
        keep(cell, row, folder)
        said = f"{row['memory_bytes'] / 1e3:.1f} kB, drop {row['drop']:+.2f}, {row['cpu_seconds']:.0f} s"
        print(f"{cell.name}: {said}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["core"], help=", ".join(PARTS))
    parser.add_argument("--only", nargs="+", default=["*"], help="cells whose names fit one of these patterns")
    parser.add_argument("--skip", nargs="+", default=[], help="no cells whose names fit one of these")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no cell after so many")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--work", type=Path, default=Path("runs/study"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tables", action="store_true")
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    wanted = [cell for pattern in given.only for cell in cells(given.parts, pattern)]
    wanted = [cell for cell in dict.fromkeys(wanted) if not any(fnmatch(cell.name, each) for each in given.skip)]
    if given.list:
        for cell in wanted:
            print(f"{state(cell, given.rows):28}{cell.name}")
    elif not given.tables:
        try:
            carry_out(wanted, given.rows, given.work, given.minutes)
        except ConfigError as error:
            parser.error(f"{error}; name another --work, or remove {given.work}")
    rows = known(given.rows)
    if given.rows == ROWS and not given.list:
        for page in (PAGE, README):
            write_text(page, study_tables.filled(page.read_text(encoding="utf-8"), rows))
    print(json.dumps({"benchmark": "study", "cells": len(wanted), "rows": len(rows)}))


if __name__ == "__main__":
    main()
