"""The Makefile on a fresh clone: what it installs, what it says, and what it asks for; Python and pip only write down
their calls here. .ci/run does the same for real."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo '{version}';;
"-m venv --clear .venv") {venv};;
"-m pip "*) echo "pip: $*" >> calls; echo noise of pip; {pip};;
*tests.browser.chromium*) {browser};;
*tests.campaign.postgres*) {postgresql};;
*) echo "${{0##*/}}: $* CHROMIUM=$CHROMIUM${{POSTGRESQL:+ POSTGRESQL=$POSTGRESQL}}" >> calls;;
esac
"""
VENV = '/bin/mkdir -p .venv/bin; for p in python ruff mypy lint-imports svit-dse; do /bin/cp "$0" .venv/bin/$p; done'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that make reads, and nothing that is installed."""
    for name in ("Makefile", "setup.cfg", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(
    clone: Path,
    target: str,
    version="3 11",
    venv=VENV,
    pip=":",
    browser="echo /a/browser",
    postgresql="echo /a/server",
    python="python3.11",
):
    """`make TARGET` with a Python 3.11 on the path that only writes down how it was called."""
    folder = clone / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "python3.11"
    text = PYTHON.format(version=version, venv=venv, pip=pip, browser=browser, postgresql=postgresql)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    words = ["make", "--no-print-directory", target, f"PYTHON={python}"]
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "CHROMIUM", "POSTGRESQL"))}
    return subprocess.run(words, cwd=clone, env=outside | {"PATH": path}, capture_output=True, text=True, check=False)


def calls(clone: Path) -> list[str]:
    file = clone / "calls"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def installed(clone: Path) -> list[list[str]]:
    """What pip was asked for, each time with the exact versions."""
    asked = [shlex.split(c.removeprefix("pip: ")) for c in calls(clone) if c.startswith("pip: ")]
    assert all(words[:5] == ["-m", "pip", "install", "-c", "constraints.txt"] for words in asked)
    return [words[5:] for words in asked]


PRODUCT = [["torch==2.13.0"], ["-e", "."]]
TESTS = [["-e", ".[test]"], ["--no-deps", "snntorch", "spikingjelly"]]


@pytest.mark.parametrize(
    ("target", "extra"),
    [
        ("demo", []),
        ("test", TESTS),
        ("campaign", TESTS),
        ("check", [["-e", ".[dev]"]]),
        ("docs", [["-e", ".[docs]"]]),
    ],
)
def test_a_target_installs_what_it_needs_once_and_keeps_the_noise_in_a_file(clone, target, extra):
    first = make(clone, target)
    assert first.returncode == 0, first.stderr
    assert installed(clone) == PRODUCT + extra
    assert "noise" not in first.stdout + first.stderr
    assert "into .venv: one to three minutes" in first.stdout
    assert (clone / ".venv" / "install.log").read_text(encoding="utf-8").count("noise of pip") == len(PRODUCT + extra)
    assert make(clone, target).returncode == 0
    assert installed(clone) == PRODUCT + extra


def test_torch_is_installed_in_the_version_that_constraints_hold(clone):
    make(clone, "demo")
    (torch,) = installed(clone)[0]
    assert torch in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_the_libraries_whose_networks_are_tested_have_one_version():
    held = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert {"snntorch==1.0.0", "spikingjelly==0.0.0.0.14"} <= set(held)  # both generations of its neurons


def test_the_demo_says_how_long_it_takes_and_where_the_report_will_be(clone):
    done = make(clone, "demo")
    assert re.search(r"two to three minutes.*last line.*report", done.stdout)
    assert calls(clone)[-1] == "svit-dse: demo CHROMIUM="


def test_the_tests_get_the_browser_that_was_found(clone):
    done = make(clone, "test", browser="echo /a/browser")
    assert done.returncode == 0, done.stderr
    assert calls(clone)[-1].startswith("python: -m pytest")
    assert calls(clone)[-1].endswith("CHROMIUM=/a/browser")


def test_without_a_browser_no_test_starts_and_the_status_is_not_zero(clone):
    done = make(clone, "test", browser="echo no browser, type this >&2; exit 2")
    assert done.returncode == 2
    assert "no browser, type this" in done.stderr
    assert not [c for c in calls(clone) if "pytest" in c]


def test_the_campaign_gets_the_browser_and_the_database_that_were_found(clone):
    assert make(clone, "campaign").returncode == 0
    assert calls(clone)[-1].endswith("-m campaign CHROMIUM=/a/browser POSTGRESQL=/a/server")


def test_without_a_database_the_campaign_does_not_start(clone):
    failed = make(clone, "campaign", postgresql="echo no server, type this >&2; exit 2")
    assert failed.returncode == 2
    assert "no server, type this" in failed.stderr
    assert not [c for c in calls(clone) if "pytest" in c]


@pytest.mark.parametrize(("python", "version"), [("python9.9", "3 11"), ("python3.11", "3 10"), ("python3.11", "3 13")])
def test_another_python_than_3_11_is_refused_in_one_line(clone, python, version):
    done = make(clone, "demo", python=python, version=version)
    assert done.returncode == 2
    own = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert own == [f"{python} is no Python 3.11: install one, or name one: make demo PYTHON=/path/to/python3.11"]
    assert calls(clone) == []


def test_a_python_without_venv_is_answered_with_the_package_it_lacks(clone):
    done = make(clone, "demo", venv="echo a long story; exit 1")
    assert done.returncode == 2
    own = [line for line in done.stdout.splitlines() + done.stderr.splitlines() if not line.startswith("make")]
    assert own == ["python3.11 makes no virtual environment: on Debian, type: sudo apt-get install python3.11-venv"]


def test_a_failed_installation_shows_the_end_of_its_output_and_is_tried_again(clone):
    failed = make(clone, "demo", pip='echo "ERROR: no such host"; exit 1')
    assert failed.returncode == 2
    assert "ERROR: no such host" in failed.stderr
    assert ".venv/install.log" in failed.stderr
    again = make(clone, "demo", venv="exit 1")  # the environment stays
    assert again.returncode == 2
    (clone / ".venv" / "bin" / "python").write_text(
        (clone / "bin" / "python3.11").read_text(encoding="utf-8").replace("exit 1", ":"), encoding="utf-8"
    )
    again = make(clone, "demo", venv="exit 1")
    assert again.returncode == 0, again.stderr
    assert installed(clone)[-2:] == PRODUCT


def test_a_change_of_the_requirements_is_installed(clone):
    make(clone, "demo")
    os.utime(clone / "setup.cfg", (2**32, 2**32))
    make(clone, "demo")
    assert installed(clone) == PRODUCT * 2


def test_the_hooks_of_pre_commit_run_what_make_check_runs(clone):
    make(clone, "check")
    checked = [c for c in calls(clone) if not c.startswith("pip: ")]
    assert [c.split()[0] for c in checked] == ["ruff:", "ruff:", "mypy:", "lint-imports:"]
    (clone / "calls").unlink()
    for hook in YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]:
        assert (hook["language"], hook["pass_filenames"], hook["always_run"]) == ("system", False, True)
        program, target = hook["entry"].split()
        assert program == "make"
        assert make(clone, target).returncode == 0
    assert calls(clone) == checked


def test_ci_runs_the_targets_of_the_makefile_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test", "make check", "make demo", "make campaign"]
