"""Relative paths of a run's configuration are found from any folder, or the message says where they were looked for."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from costmodels.hardware.names import CHIPS
from dse.config.file import load_config
from dse.config.schema import Config, Data, Search
from dse.results.places import here, placed


@pytest.fixture
def project(small_run, tmp_path) -> Path:
    """A run with a chip of its own beside it, as a search in that folder leaves them."""
    folder = tmp_path / "my project"
    shutil.copytree(small_run, folder / "run")
    shutil.copy(CHIPS / "generic_45nm.yaml", folder / "chip.yaml")
    config, manifest = folder / "run" / "config.yaml", folder / "run" / "manifest.json"
    config.write_text(config.read_text().replace("hardware: generic_45nm", "hardware: chip.yaml"))
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"paths_from": ".."}))
    return folder


def test_a_run_is_used_from_another_folder(svit, project):
    assert svit("estimate", "--run", project / "run").status == 0
    shutil.move(project, "moved")  # together with its chip
    assert svit("estimate", "--run", "moved/run").status == 0
    Path("moved/chip.yaml").unlink()
    said = svit("estimate", "--run", "moved/run")
    assert said.status == 2
    assert "moved/chip.yaml: neither a file nor a shipped accelerator" in said.err


def test_what_a_run_records_leads_back_to_the_folder(tmp_path, monkeypatch):
    config = Config(checkpoint="net.safetensors", hardware="chips/mine.yaml", data=Data(name="mine.npz"))
    config = config.model_copy(update={"search": Search(strategy="own/downhill.py:Other")})
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    recorded = here(Path("runs/first"))
    assert placed(config, Path("runs/first"), recorded) == config
    (tmp_path / "a" / "runs" / "first").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "b")
    seen = placed(config, Path("../a/runs/first"), recorded)
    assert seen.search.strategy == "../a/own/downhill.py:Other"
    assert (seen.checkpoint, seen.hardware, seen.data.name) == (
        "../a/net.safetensors",
        "../a/chips/mine.yaml",
        "../a/mine.npz",
    )
    assert placed(config, Path("../a/runs/first"), None) == config
    shipped = Config(checkpoint="sdtv2_tiny_digits", hardware="generic_45nm", data=Data(name="digits"))
    assert placed(shipped, Path("../a/runs/first"), recorded) == shipped


def test_a_run_is_read_from_another_folder_without_torch(small_run, tmp_path):
    """Names of shipped networks and data sets stay names, and telling them takes no seconds."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom dse.results.run import open_run\n"
        "config = open_run(Path(sys.argv[1])).config\nprint(config.checkpoint, config.data.name)\n"
        "heavy = {'torch', 'scipy', 'optuna', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, "-c", code, str(small_run)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    here = load_config(small_run / "config.yaml")
    assert done.stdout.split() == [str(here.checkpoint), here.data.name]
