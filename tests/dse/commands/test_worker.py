"""What a worker refuses before it prepares anything."""

import pytest

from tests.conftest import SMALL
from tests.dse.conftest import Run

REFUSED = {
    (): "worker: give --storage URL, or --out with the run directory of a search on this machine",
    ("--out", "nothing"): (
        "nothing/study.journal: no such file; is nothing the --out of a `svit-dse search` that has begun?"
    ),
    ("--out", "my.yaml"): (
        "my.yaml/study.journal: no such file; is my.yaml the --out of a `svit-dse search` that has begun?"
    ),
    ("--storage", "sqlite:////no/s.db"): (
        "--storage sqlite:////no/s.db: unable to open database file; check the address, and that the database runs"
    ),
    ("--storage", ""): "--storage is empty; give a URL, or leave the option out",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_worker_without_a_search_is_told_so_in_one_line_and_makes_nothing(svit: Run, tmp_path, words):
    (tmp_path / "my.yaml").write_text(SMALL)
    said = svit("worker", "my.yaml", *words)
    assert (said.status, said.out, said.err) == (2, "", f"svit-dse: {REFUSED[words]}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]
