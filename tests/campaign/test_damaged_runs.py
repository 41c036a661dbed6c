"""Whatever a file of a run directory holds, a command ends with a result or one line: no traceback, no second line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.campaign.answers import answered
from tests.campaign.mutations import damaged_table, damaged_text, write
from tests.dse.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(suppress_health_check=list(HealthCheck))
TABLES = ("results.csv", "spikes.csv", "layers.csv", "verified.csv", "expected.csv")
KINDS = ("csv", "json", "yaml")  # of the files of a run directory that are text


@settings(TRIALS, max_examples=25)  # each costs a run again or draws a report
@given(data=st.data(), name=st.sampled_from((*TABLES, "manifest.json", "config.yaml")))
def test_run_directories(svit: Run, tmp_path: Path, small_run: Path, data: st.DataObject, name: str):
    run = tmp_path / "run"
    shutil.copytree(small_run, run, dirs_exist_ok=True)
    text = (small_run / name).read_text(encoding="utf-8")
    write(run / name, data.draw(damaged_table([text]) if name in TABLES else damaged_text([text])))
    words = data.draw(st.sampled_from([("estimate", "--run", run), ("report", run, "--hardware", "seneca_like")]))
    shutil.rmtree(tmp_path / "out", ignore_errors=True)  # that of the case before
    if words[0] == "report":
        words = (*words, "--out", tmp_path / "out")
    said = svit(*words)
    answered(said)
    assert not said.status or not (tmp_path / "out").exists()  # nothing is half-written


QUICK = (
    *(("show", "RUN"), ("show", "RUN", "uniform-8", "--json"), ("pick", "RUN", "--drop", "3"), ("runs", ".")),
    *(("diff", "RUN", "recommended", "uniform-8"), ("diff", "RUN", "RUN"), ("plot", "RUN", "--out", "front.png")),
)


@settings(TRIALS, max_examples=200)
@given(data=st.data())
def test_each_file_of_a_run_directory(svit: Run, tmp_path: Path, small_run: Path, data: st.DataObject):
    run = tmp_path / "run"
    shutil.copytree(small_run, run, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(sorted(file.name for kind in KINDS for file in small_run.glob(f"*.{kind}"))))
    text = (small_run / name).read_text(encoding="utf-8")
    damage = data.draw(st.sampled_from(("gone", *4 * ("damaged",))))
    if damage == "gone":
        (run / name).unlink()
    else:
        write(run / name, data.draw(damaged_table([text]) if name.endswith("csv") else damaged_text([text])))
    words = data.draw(st.sampled_from(QUICK))
    answered(svit(*(run if word == "RUN" else word for word in words)))
