"""What each method reaches on the same network, chip and images, verified alike: the rows and tables of docs/study.md.

    python benchmarks/study.py [core nearest ...] [--only PATTERN] [--work runs/study]
    python benchmarks/study.py --tables      # docs/study.md from docs/study.csv, no search
    python benchmarks/study.py --list        # cells with what is done

A cell is one method with one rounding, budget and seed. Its row goes into docs/study.csv as soon as it is there; a cell
whose row stands there is not run again, and a search that was interrupted goes on.  Every method's own designs are
verified by the same ladder on the same images, the cheapest that passes is its pick (uniform 8 bits where none does),
and the pick is measured once on the test images, which nothing was chosen by.
Ends with one line of JSON.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
import study_run
import study_tables
from study_cells import PARTS, Cell, cells

from costmodels.whole_files import write_text

DOCS = Path(__file__).parents[1] / "docs"
ROWS, PAGE = DOCS / "study.csv", DOCS / "study.md"


def known(path: Path) -> pd.DataFrame:
    """The rows of finished cells; none where there is no file yet."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame({"cell": []})


def added(path: Path, row: study_run.Row) -> None:
    """Write the rows with one more, sorted by cell."""
    rows = pd.concat([known(path), pd.DataFrame([row])], ignore_index=True).sort_values("cell")
    write_text(path, rows.to_csv(index=False, lineterminator="\n"))


def carry_out(wanted: list[Cell], path: Path, work: Path) -> None:
    """Run the cells that have no row yet."""
    for cell in wanted:
        if cell.name in set(known(path)["cell"]):
            continue
        row = study_run.run(cell, work)
        added(path, row)
        print(f"{cell.name}: {row['memory_bytes'] / 1e3:.1f} kB, drop {row['drop']:+.2f}, {row['seconds']:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["core"], help=", ".join(PARTS))
    parser.add_argument("--only", default="*", help="cells whose names fit this pattern")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--work", type=Path, default=Path("runs/study"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tables", action="store_true")
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    wanted = cells(given.parts, given.only)
    if given.list:
        done = set(known(given.rows)["cell"])
        for cell in wanted:
            print("done" if cell.name in done else "open", cell.name)
    elif not given.tables:
        carry_out(wanted, given.rows, given.work)
    rows = known(given.rows)
    if given.rows == ROWS and len(rows):
        write_text(PAGE, study_tables.filled(PAGE.read_text(encoding="utf-8"), rows))
    print(json.dumps({"benchmark": "study", "cells": len(wanted), "rows": len(rows)}))


if __name__ == "__main__":
    main()
