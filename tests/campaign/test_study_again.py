"""A small cell of the study, run again, gives the row that is stored, bit for bit."""

import json

import pytest
from study_cells import PARTS
from study_rows import DEPENDS, ROWS
from study_run import run

pytestmark = pytest.mark.campaign
OF_THE_RUN = ("seconds", "cpu_seconds", "code", DEPENDS)


def test_the_small_cell_gives_its_row_again(tmp_path):
    (cell,) = PARTS["small"]
    stored = json.loads((ROWS / f"{cell.name}.json").read_text(encoding="utf-8"))
    again = json.loads(json.dumps(run(cell, tmp_path)))
    assert {key: again[key] for key in again if key not in OF_THE_RUN} == {
        key: stored[key] for key in stored if key not in OF_THE_RUN
    }
