"""Whatever a journal holds, a search that goes on and its repair end with a result or one line; whole lines stay."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage

from dse.errors import ConfigError
from dse.ledger import JOURNAL
from dse.ledger.journal import Journal
from dse.ledger.journal import repair as mend
from tests.campaign.answers import answered, answers
from tests.campaign.mutations import damaged_bytes, damaged_text
from tests.dse.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def whole(small_run: Path) -> bytes:
    """The journal of a finished search."""
    return (small_run / JOURNAL).read_bytes()


def finished(path: Path) -> int:
    """How many trials a journal tells of that ended."""
    storage = JournalStorage(Journal(path))
    return sum(
        trial.state.is_finished()
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(study._study_id, deepcopy=False)
    )


def kept_lines(damaged: bytes, whole: bytes) -> int:
    """The leading lines of a damaged file that are those of the whole one, counted line by line."""
    count = 0
    for line, original in zip(damaged.splitlines(keepends=True), whole.splitlines(keepends=True), strict=False):
        if line != original:
            break
        count += 1
    return count


def examine(path: Path, damaged: bytes, whole: bytes, svit: Run) -> None:
    """A damaged journal is read or refused; repaired, it holds the lines before the damage and is read again."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(damaged)
    answers(lambda: finished(path), ConfigError)
    for copy in path.parent.glob(f"{JOURNAL}.damaged*"):
        copy.unlink()
    said = svit("repair", path.parent)
    answered(said)
    assert said.status == 0
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[: kept_lines(damaged, whole)])
    copies = list(path.parent.glob(f"{JOURNAL}.damaged"))
    assert [copy.read_bytes() for copy in copies] == ([] if path.read_bytes() == damaged else [damaged])
    assert finished(path) >= 0
    assert mend(path).damage is None


@TRIALS
@given(data=st.data())
def test_bytes(svit: Run, tmp_path: Path, whole: bytes, data: st.DataObject):
    examine(tmp_path / "run" / JOURNAL, data.draw(damaged_bytes(whole)), whole, svit)


@TRIALS
@given(data=st.data())
def test_text(svit: Run, tmp_path: Path, whole: bytes, data: st.DataObject):
    text = data.draw(damaged_text([whole.decode()]))
    examine(tmp_path / "run" / JOURNAL, text.encode("utf-8", "surrogatepass"), whole, svit)
