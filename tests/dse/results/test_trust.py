"""A configuration in a run directory is data: its Python file is executed only where this user has run it as it is."""

from pathlib import Path

import pytest

from dse.commands._options import configured
from dse.errors import ConfigError
from dse.results import trust
from tests.dse.conftest import Run

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
