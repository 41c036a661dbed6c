"""The study's cells and tables, on rows whose figures are known by hand."""

import re

import pandas as pd
import pytest
import study_cells
import study_tables
from study import PAGE, ROWS, added, carry_out, known

BASE = {
    "network": "sdtv2_tiny_fashion_mnist",
    "rounding": "compensated",
    "budget": 1.0,
    "passed": True,
    "drop": 0.4,
    "evaluations": 100,
    "images": 200_000,
    "seconds": 120.0,
    "energy:chip:ideal": 3.0,
    "energy8:chip:ideal": 4.0,
    **{f"energy{which}:chip:{form}": 1.0 for which in ("", "8") for form in ("fixed", "decomposable", "bit_serial")},
    "bytes:weights": 90_000.0,
}


def row(method: str, seed: int, memory: float, **changes: object) -> dict[str, object]:
    cell = f"{method}-{seed}"
    return BASE | {"cell": cell, "method": method, "seed": seed, "memory_bytes": memory} | changes


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            row("posterior", 0, 100_000),
            row("posterior", 1, 120_000, drop=1.2),
            row("guided_sweep", 0, 200_000),
            row("guided_sweep", 1, 160_000),
            row("uniform", 0, 400_000),
            row("uniform", 1, 925_000, passed=False),
            row("nsga2", 0, 925_000, passed=False),
            row("posterior", 0, 300_000, rounding="nearest"),
        ]
    )


def lines(text: str) -> dict[str, list[str]]:
    """The cells of a table by their line's first one."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {line[0]: line[1:] for line in found}


def test_a_method_is_its_median_between_its_extremes_against_what_passed_on_the_same_seed(rows):
    found = lines(study_tables.TABLES["core"](rows))
    ours = found["svit-dse"]
    assert ours[0] == "110.0 (100.0 to 120.0)"
    assert ours[1] == "+37.5 (+25.0 to +50.0)"  # 1 - 100 / 200 and 1 - 120 / 160
    assert ours[2] == "+75.0"  # uniform passed on seed 0 only
    assert ours[3:6] == ["+0.80 (+0.40 to +1.20)", "1 of 2", "2 of 2"]
    assert ours[6:] == ["100", "200", "2.0"]
    assert found["NSGA-II"][5] == "0 of 1"
    assert "TPE" not in found


def test_energy_is_stated_against_uniform_8_bits_of_the_same_chip_and_form(rows):
    found = lines(study_tables.TABLES["forms"](rows))
    assert found["`chip`"] == ["25.0", "0.0", "0.0", "0.0"]


def test_a_table_takes_the_rows_of_its_rounding_only(rows):
    found = lines(study_tables.TABLES["nearest"](rows))
    assert found["svit-dse"][0] == "300.0"
    assert "No cell" in study_tables.TABLES["glyphs"](rows)


def test_every_mark_of_the_page_is_a_table_and_the_page_is_that_of_its_rows():
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- table: ([a-z-]+) -->", page)) == set(study_tables.TABLES)
    finished = known(ROWS)
    if len(finished):
        assert study_tables.filled(page, finished) == page


def test_cells_come_seed_by_seed_with_names_of_their_own():
    every = study_cells.cells(list(study_cells.PARTS))
    assert len({cell.name for cell in every}) == len(every)
    assert [cell.seed for cell in every] == sorted(cell.seed for cell in every)
    core = study_cells.cells(["core"], "*nsga2*")
    assert [(cell.method, cell.seed, cell.evaluations) for cell in core] == [("nsga2", s, 100) for s in range(5)]
    assert study_cells.cells(["core"], "*uniform*")[0].config.search.strategy == "guided"


def test_a_cell_with_a_row_is_not_run_again(tmp_path):
    path = tmp_path / "rows.csv"
    cell = study_cells.cells(["core"])[0]
    added(path, {"cell": cell.name, "memory_bytes": 1.0})
    added(path, {"cell": "a", "memory_bytes": 2.0})
    before = path.read_bytes()
    carry_out([cell], path, tmp_path)
    assert path.read_bytes() == before
    assert list(known(path)["cell"]) == sorted(["a", cell.name])
