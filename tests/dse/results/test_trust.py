"""A configuration in a run directory is data: its Python file is executed only where this user has run it as it is."""

import json
import re
import shutil
from pathlib import Path

import pytest

from costmodels import dataflows
from costmodels.hardware.names import CHIPS
from dse.commands._options import configured
from dse.errors import ConfigError
from dse.results import trust
from tests.dse.conftest import Run
from tests.own_code import STRATEGY

FLOWS = Path(dataflows.__file__).parent

CODE = "open('executed', 'w').close()\n"


@pytest.fixture
def received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory from elsewhere whose configuration names a Python file in it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("received")
    folder.mkdir()
    (folder / "network.py").write_text(CODE)
    (folder / "config.yaml").write_text("network: {file: received/network.py, build: make}\n")
    return folder


@pytest.mark.parametrize("mark", ["manifest.json", "study.journal"])
@pytest.mark.parametrize("command", ["search", "check", "sensitivity", "worker"])
def test_a_configuration_in_a_run_directory_executes_nothing(received, svit: Run, mark, command):
    (received / mark).write_text("{}")
    told = svit(command, "received/config.yaml", *(["--out", "run"] if command != "check" else []))
    assert told.status == 2
    assert told.err.startswith("svit-dse: received/config.yaml: lies in a run directory, which may come from anybody")
    assert "received/network.py" in told.err
    assert told.err.count("\n") == 1
    assert not Path("executed").exists()
    assert not Path("run").exists()


def test_the_users_own_configuration_and_a_file_that_was_run_here_are_taken(received):
    configured(received / "config.yaml")  # in no run directory
    (received / "manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="lies in a run directory"):
        configured(received / "config.yaml")
    Path("my.yaml").write_text((received / "config.yaml").read_text())
    trust.keep(configured(Path("my.yaml")))
    configured(received / "config.yaml")
    (received / "network.py").write_text(CODE * 2)
    with pytest.raises(ConfigError, match="has run as it is now"):
        configured(received / "config.yaml")


@pytest.fixture
def run_from_elsewhere(small_run, tmp_path, monkeypatch) -> Path:
    """A finished run whose configuration was changed to name a strategy and a data flow in files beside it."""
    monkeypatch.chdir(tmp_path)
    run = Path("received")
    shutil.copytree(small_run, run)
    chip = (CHIPS / "generic_45nm.yaml").read_text().replace("dataflow: tick_batched", "dataflow: flow.py")
    (run / "chip.yaml").write_text(chip)
    (run / "flow.py").write_text(CODE + (FLOWS / "tick_batched.py").read_text())
    (run / "strategy.py").write_text(CODE + STRATEGY)
    return run


def changed(run: Path, key: str, value: str) -> None:
    """Another value of a key in the run's configuration; paths are as seen from this folder."""
    lines = (run / "config.yaml").read_text().splitlines()
    (run / "config.yaml").write_text("\n".join(re.sub(rf"^( *{key}:).*", rf"\1 {value}", line) for line in lines))
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"paths_from": ".."}))


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--run", "received", "--design", "uniform-8", "--images", 10),
        ("export", "received", "--design", "uniform-8", "--out", "chip"),
        ("reproduce", "received", "--out", "again"),
    ],
)
def test_the_strategy_of_a_run_from_elsewhere_is_not_executed(run_from_elsewhere, svit: Run, words):
    changed(run_from_elsewhere, "strategy", "received/strategy.py")
    told = svit(*words)
    assert told.status == 2
    assert told.err.startswith("svit-dse: received/config.yaml: names the Python file received/strategy.py, which no ")
    assert told.err.count("\n") == 1
    assert not Path("executed").exists()


def test_the_data_flow_of_a_run_from_elsewhere_costs_designs_only_where_the_user_says_so(run_from_elsewhere, svit: Run):
    before = json.loads(svit("estimate", "--run", "received", "--design", "uniform-8", "--json").out)
    changed(run_from_elsewhere, "hardware", "received/chip.yaml")
    told = svit("estimate", "--run", "received", "--design", "uniform-8", "--json")
    assert told.status == 2
    assert "received/flow.py, which no search on this machine has run" in told.err
    assert svit("show", "received", "uniform-8").status == 0  # stored costs need no data flow
    other = svit("estimate", "--run", "received", "--design", "uniform-8", "--hardware", "generic_22nm")
    assert other.status == 0, other.err
    assert not Path("executed").exists()
    told = svit("estimate", "--run", "received", "--design", "uniform-8", "--json", "--trust")
    assert Path("executed").exists()
    assert json.loads(told.out) == before  # the file has the equations of the shipped one


def test_own_code_is_that_of_network_strategy_and_chip(run_from_elsewhere):
    Path("my.yaml").write_text(
        "network: {file: received/network.py}\nhardware: received/chip.yaml\n"
        "search: {strategy: received/strategy.py:Other}\n"
    )
    (run_from_elsewhere / "network.py").write_text(CODE)
    found = trust.own_code(configured(Path("my.yaml")))
    assert [file.name for file in found] == ["network.py", "strategy.py", "flow.py"]
    assert not Path("executed").exists()
