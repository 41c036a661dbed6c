"""A run made again has the same bytes; what differs is said, what could be its cause first."""

import hashlib
import importlib
import json
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import sviT_models
from costmodels.hardware.names import CHIPS
from dse import version
from dse.config.file import load_config
from dse.evaluation.prepare import code_hash
from dse.ledger.address import shown_command
from dse.results import manifest


@pytest.mark.campaign
def test_a_serial_run_is_made_again_bit_for_bit_and_what_differs_is_said(svit, small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    recorded = json.loads((run / "manifest.json").read_text())
    recorded["packages"]["numpy"] = "0.1"
    recorded["unseen"]["sha256"] = "00"
    (run / "manifest.json").write_text(json.dumps(recorded))
    table = pd.read_csv(run / "verified.csv", dtype=str)
    table.loc[0, "drop"] = "77.5"
    table.to_csv(run / "verified.csv", index=False, lineterminator="\n")
    said = svit("reproduce", run, "--out", "again")
    assert said.status == 1, said.err
    lines = said.err.splitlines()
    assert "packages numpy was 0.1, now" in lines[0]
    assert any("unseen sha256 was 00, now" in line for line in lines[:6])
    assert f"verified.csv: {len(table)} of {len(table)} designs are measured again; 1 of them have other" in said.out
    again = Path("again")
    for name in ("results.csv", "spikes.csv", "picks.json", "breakdown.csv", "predictions.csv", "stability.json"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    names = [p for p in run.iterdir() if p.suffix in (".csv", ".json") and p.name != "manifest.json"]
    assert f"{len(names) - 1} of {len(names)} files" in said.out


def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_manifest_says_what_made_the_run(small_run):
    told = json.loads((small_run / "manifest.json").read_text())
    assert told["tool"]["version"] == version()
    assert told["configuration"] == json.loads(load_config(small_run / "config.yaml").model_dump_json())
    assert told["configuration"]["search"]["seed"] == told["seed"] == 0
    assert len(told["code"]) == 64
    assert told["code"] != code_hash()  # strategies and the loop count too
    assert told["python"] == platform.python_version()
    assert told["packages"].items() >= {
        (name, importlib.import_module(name).__version__) for name in ("torch", "numpy")
    }
    assert {"system", "processor", "cpus", "host", "threads", "device"} == set(told["machine"])
    assert told["machine"]["host"] == socket.gethostname()
    assert told["machine"]["device"] == "cpu" or torch.cuda.is_available()
    assert told["started"] <= told["created"]
    assert [phase["name"][0] for phase in told["phases"]] == list("p1234")
    assert all(phase["seconds"] > 0 for phase in told["phases"])
    assert len(told["workers"]) == 1
    assert told["stop_reason"] == "budget of 8 evaluations used"  # the last one is the exact pick


def test_the_manifest_names_every_input_by_content(small_run):
    told = json.loads((small_run / "manifest.json").read_text())
    weights = Path(sviT_models.__file__).parent / "weights" / "sdtv2_tiny_digits.safetensors"
    assert told["checkpoint"]["sha256"] == file_hash(weights)
    assert told["hardware"]["sha256"] == file_hash(CHIPS / "generic_45nm.yaml")
    used = {"data": "search", "unseen": "verify", "calibration": "validation"}
    assert {name: told[name]["split"] for name in used} == used
    assert [told[name]["images"] for name in ("data", "unseen")] == [40, 40]
    everything = []
    for name in used:
        assert len(set(told[name]["ids"])) == told[name]["images"]
        everything += told[name]["ids"]
        there = sviT_models.load_data("digits", used[name], count=told[name]["images"])
        assert told[name]["ids"] == list(there.ids)
        assert told[name]["sha256"] == there.sha256
    assert len(set(everything)) == len(everything)  # no image is used twice


def test_the_manifest_names_commit_and_changes_of_a_checkout(tmp_path):
    """In a copy of the file in a repository of its own."""
    place = tmp_path / "dse" / "results"
    place.mkdir(parents=True)
    shutil.copy(Path(manifest.__file__), place / "manifest.py")

    def git(*words: str) -> str:
        named = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
        return subprocess.run(["git", *named, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    def told() -> dict[str, object]:
        code = "import runpy, sys, json; print(json.dumps(runpy.run_path(sys.argv[1])['git_state']()))"
        words = [sys.executable, "-c", code, place / "manifest.py"]
        return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    git("init", "-q")
    assert told() == {"commit": None, "dirty": None}
    git("add", "-A")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD").strip()
    assert told() == {"commit": commit, "dirty": False}
    (tmp_path / "notes").write_text("a new file changes nothing that runs")
    assert told() == {"commit": commit, "dirty": False}
    with (place / "manifest.py").open("a") as file:
        file.write("\n")
    assert told() == {"commit": commit, "dirty": True}


def test_the_manifest_has_the_command_line_word_by_word_without_a_password():
    words = ["svit-dse", "search", "my file.yaml", "--storage", "postgresql://me:Hunter2-TopSecret@host/x"]
    record = manifest.manifest(shown_command(words), 7, [], {})
    assert record["arguments"] == [*words[:4], "postgresql://***@host/x"]
    assert record["command"] == " ".join(record["arguments"])
    assert record["seed"] == 7
