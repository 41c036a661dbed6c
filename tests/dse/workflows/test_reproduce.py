"""A run made again has the same bytes; what differs is said, what could be its cause first."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dse import version
from dse.evaluation.prepare import code_hash


@pytest.mark.campaign
def test_a_serial_run_is_made_again_bit_for_bit_and_what_differs_is_said(svit, small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["packages"]["numpy"] = "0.1"
    manifest["data"]["sha256"] = "00"
    (run / "manifest.json").write_text(json.dumps(manifest))
    table = pd.read_csv(run / "verified.csv", dtype=str)
    table.loc[0, "drop"] = "77.5"
    table.to_csv(run / "verified.csv", index=False, lineterminator="\n")
    said = svit("reproduce", run, "--out", "again")
    assert said.status == 1, said.err
    lines = said.err.splitlines()
    assert "packages numpy was 0.1, now" in lines[0]
    assert any("data sha256 was 00, now" in line for line in lines[:6])
    assert f"verified.csv: {len(table)} of {len(table)} designs are measured again; 1 of them have other" in said.out
    again = Path("again")
    for name in ("results.csv", "spikes.csv", "picks.json", "breakdown.csv", "predictions.csv", "stability.json"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    names = [p for p in run.iterdir() if p.suffix in (".csv", ".json") and p.name != "manifest.json"]
    assert f"{len(names) - 1} of {len(names)} files" in said.out


def test_the_manifest_says_what_made_the_run(small_run):
    told = json.loads((small_run / "manifest.json").read_text())
    assert told["tool"]["version"] == version()
    assert told["configuration"]["search"]["seed"] == told["seed"] == 0
    assert told["configuration"]["data"]["search_images"] == len(told["data"]["ids"]) == 40
    assert len(told["code"]) == 64
    assert told["code"] != code_hash()  # strategies and the loop count too
    assert all(len(told[part]["sha256"]) == 64 for part in ("checkpoint", "data", "hardware"))
    assert {"system", "processor", "cpus", "host", "threads", "device"} == set(told["machine"])
    assert told["started"] <= told["created"]
    assert len(told["workers"]) == 1
    assert told["stop_reason"] == "budget of 8 evaluations used"  # the last one is the exact pick
