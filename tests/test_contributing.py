"""The diffs of CONTRIBUTING.md, applied to a copy of the packages: each adds what it says, and needs nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("dse", "costmodels", "sviT_models", "reports")
DIFFS = re.findall(r"^```diff\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S | re.M)
SVIT = "import sys; from dse import cli; sys.argv = ['svit-dse', *sys.argv[1:]]; cli.main()"
MADE = {
    "network": ("import sviT_models; sviT_models.build('sdtv2_8_192', num_classes=10); print(sviT_models.names())", []),
    "chip": (SVIT, ["hardware", "lint", "slow_45nm"]),
    "data flow": (
        "from costmodels import dataflows as d; d.named('position_by_position').counts; print(d.names())",
        [],
    ),
    "strategy": ("from dse import strategies; strategies.load('nearby'); print(strategies.names())", []),
    "section": ("from reports.sections import all_sections; print(list(all_sections()))", []),
    "command": (SVIT, ["strategies"]),
}
SHOWN = {
    "network": "'sdtv2_8_192'",
    "chip": "slow_45nm",
    "data flow": "'position_by_position'",
    "strategy": "'nearby'",
    "section": "'phases'",
    "command": "nearby: A design not measured before, near",
}


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four packages with every diff of the page."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    outside = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    done = subprocess.run(
        ["git", "apply", "--verbose", "-"], input="".join(DIFFS), cwd=copy, env=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return copy


def test_there_is_a_short_diff_of_one_file_for_every_kind_of_thing():
    assert len(DIFFS) == len(MADE)
    for diff in DIFFS:
        assert diff.count("diff --git") == 1
        assert len(re.findall(r"^[+][^+]", diff, re.M)) <= 25


@pytest.mark.parametrize("thing", MADE)
def test_a_diff_adds_what_it_says(patched, thing):
    code, words = MADE[thing]
    inside = os.environ | {"PYTHONPATH": str(patched), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=patched, env=inside, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert SHOWN[thing] in done.stdout
