"""Every command that prints a table fits 80 columns, has it as JSON as well, and writes no colour to a pipe."""

import functools
import importlib
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from docs import make_reference
from dse import cli

CONFIG = """data: {search_images: 30, verify_images: 30, fisher_images: 16}
quantization: {method: nearest}
search: {widths: [4, 8], time_steps: [1, 2]}
"""
# layers of which one at a time is measured: those of a few blocks, with the longest names of the network among them
FEW = CONFIG.replace(
    "time_steps: [1, 2]",
    "time_steps: [1, 2], fixed: {block4: 8, block3.1: 8, block3.2: 8, block3.3: 8, block3.4: 8, block3.5: 8, "
    "ConvBlock1_1: 8, ConvBlock1_2: 8, ConvBlock2_1: 8}",
)
# by command: its arguments, where RUN is a run directory, MY and SHORT configurations, OUT a new folder
TABLES = {
    "check": ["MY"],
    "profile": ["--images", "8"],
    "evaluate": ["--run", "RUN", "--design", "uniform-4", "--images", "20"],
    "estimate": ["--run", "RUN"],
    "estimate --breakdown": ["--run", "RUN", "--design", "uniform-4"],
    "estimate --compare": ["--run", "RUN", "--design", "uniform-4"],
    "estimate --sweep": ["--run", "RUN", "--design", "uniform-4"],
    "estimate --stability": ["sdtv2_8_256"],
    "runs": ["RUNS"],
    "show": ["RUN", "uniform-4"],
    "diff": ["RUN", "uniform-8", "uniform-4"],
    "pick": ["RUN", "--drop", "50"],
    "sensitivity": ["MY"],
    "sensitivity --measure": ["SHORT"],
    "finetune": ["RUN", "--design", "uniform-4", "--epochs", "1", "--images", "16"],
    "verify-export": ["OUT"],
    "hardware list": [],
    "networks": ["sdtv1"],
    "hardware show": ["generic_45nm"],
    "hardware lint": ["generic_45nm"],
}
# work that does not depend on how its result is printed: the two cases of a command do it once
WORK = (
    "dse.workflows.check.checkup",
    "dse.workflows.sensitivity.measured_study",
    "dse.workflows.finetune.finetuned",
    "dse.workflows.evaluate.evaluated",
)
# these write files and say where in a line or two; `reestimate` prints the table of `finetune`
NO_TABLE = {
    "dashboard",
    "plot",
    "hardware price",
    "demo",
    "init",
    "train",
    "search",
    "report",
    "compare",
    "export",
    "hardware schema",
    "reestimate",
    "repair",
    "reproduce",
    "worker",
}

# their result as JSON; the report itself is built elsewhere
RECORDS = {
    "report": (["RUN"], {"report"}),
    "compare": (["RUN", "RUN", "--out", "NEW"], {"report"}),
    "export": (["RUN", "--design", "uniform-8", "--out", "NEW"], {"out", "design", "top1", "recorded", "state_bits"}),
    "search": (["MY", "--evaluations", "4", "--out", "NEW"], {"run", "report", "picks", "budgets", "savings"}),
}


@pytest.fixture(autouse=True)
def _empty_figures(empty_figures: None) -> None:
    """For every test here."""


@pytest.fixture(scope="module")
def places(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A small run, an export of one of its designs, and two configurations."""
    folder = tmp_path_factory.mktemp("tables")
    shutil.copytree(small_run, folder / "run")
    (folder / "my.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "short.yaml").write_text(FEW, encoding="utf-8")
    names = {"RUN": "run", "MY": "my.yaml", "SHORT": "short.yaml", "OUT": "out"}
    found = {"RUNS": str(folder)} | {word: str(folder / name) for word, name in names.items()}
    with pytest.MonkeyPatch.context() as patch:
        printed(["export", found["RUN"], "--design", "uniform-4", "--out", found["OUT"], "--golden", "1"], patch)
    return found


def printed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The standard output of a command that ends well."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["svit-dse", *words])
    monkeypatch.setenv("COLUMNS", "80")
    with redirect_stdout(out), redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code, said.getvalue()
    return out.getvalue()


@functools.cache
def results(name: str) -> dict[str, Any]:
    """What the WORK of a command gave, by the function."""
    return {}


@pytest.fixture
def worked_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second case of a command prints what the first one found."""

    def once(function: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def known(*args: Any, **named: Any) -> Any:
            found = results(name)
            if function not in found:
                found[function] = work(*args, **named)
            return found[function]

        return known

    for function in WORK:
        module, _, short = function.rpartition(".")
        monkeypatch.setattr(function, once(function, getattr(importlib.import_module(module), short)))


def words_of(name: str, places: dict[str, str]) -> list[str]:
    return [*name.split(), *(places.get(word, word) for word in TABLES[name])]


def test_every_command_is_listed_here():
    listed = {" ".join(word for word in name.split() if word[0] != "-") for name in TABLES}
    assert listed | NO_TABLE >= {" ".join(words) for words, _ in make_reference.commands()}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_fits_80_columns_without_colour(name, places, worked_once, monkeypatch):
    text = printed(words_of(name, places), monkeypatch)
    assert text.strip()
    heads = [line for line in text.splitlines() if line.startswith("┃")]
    assert [
        line for line in heads if re.search(r"\w[_:]\w", line.replace("sdtv2_8_256", ""))
    ] == []  # words, no columns
    too_wide = [line for line in text.splitlines() if len(line) > 80 and "does not fit" not in line]  # a sentence
    assert too_wide == []
    assert "\x1b" not in text
    assert "…" not in text  # folded, never cut


@pytest.mark.parametrize("name", TABLES)
def test_the_same_as_json(name, places, worked_once, monkeypatch):
    tree = json.loads(printed([*words_of(name, places), "--json"], monkeypatch))
    assert tree


@pytest.mark.parametrize("name", RECORDS)
def test_what_a_command_did_as_json(name, places, tmp_path, monkeypatch):
    for build in ("build", "compare"):
        monkeypatch.setattr(f"reports.{build}", lambda *args, **kwargs: tmp_path / "index.html")
    words, keys = RECORDS[name]
    given = places | {"NEW": str(tmp_path / "new")}
    tree = json.loads(printed([name, *(given.get(word, word) for word in words), "--json"], monkeypatch))
    assert set(tree) >= keys
    if "report" in keys:
        assert tree["report"] == str(tmp_path / "index.html")
