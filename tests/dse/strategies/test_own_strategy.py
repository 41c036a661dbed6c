"""A strategy of the user's own: by path or entry point, with its options, refused in one line."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from dse import strategies
from dse.errors import ConfigError
from tests.dse.problems import random_problem, uniform_baselines
from tests.dse.strategies.test_every_strategy import WIDTHS, proposals, run
from tests.own_code import STRATEGY, installed


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    monkeypatch.chdir(tmp_path)
    Path("narrow.py").write_text(STRATEGY)
    return Path("narrow.py")


def test_its_proposals_are_those_of_the_file(file):
    problem = random_problem(0, WIDTHS)
    problem = replace(problem, baselines=uniform_baselines(problem))
    first, widest = len(problem.baselines), tuple(problem.space.sizes - 1)
    found = proposals(run("narrow.py", problem, first + 2, first=1))[first:]
    # layer 1 alone at its narrowest, then 1 and 2
    assert found == [(*widest[:1], 0, *widest[2:]), (*widest[:1], 0, 0, *widest[3:])]
    assert proposals(run("narrow.py:Sampler", problem, first + 2, first=1))[first:] == found


def test_tables_name_it_by_its_file_without_the_folder(file):
    assert strategies.label("tpe") == "tpe"
    assert strategies.label("a/b/narrow.py") == strategies.label("narrow.py:Sampler") == "narrow.py"
    assert strategies.label("a/narrow.py:Other") == "narrow.py:Other"
    assert (
        strategies.summary("narrow.py") == "The widest design first, then one layer after the other at its narrowest."
    )
    assert list(strategies.option_table("narrow.py")) == ["first"]
    assert strategies.option_table("narrow.py:Other") == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.py", "search.strategy: none.py: no such Python file; expected FILE.py or FILE.py:NAME"),
        (
            "narrow.py:Sampled",
            "search.strategy: narrow.py: no function or class 'Sampled'; it has: Sampler, Other, no_class",
        ),
        (
            "narrow.py:no_class",
            "search.strategy: narrow.py:no_class is no strategy; expected a class that derives",
        ),
        ("tpee", "search.strategy: no strategy 'tpee'; did you mean 'tpe'?, or give FILE.py:CLASS"),
    ],
)
def test_what_is_no_strategy_is_one_line(file, name, message):
    with pytest.raises(ConfigError) as said:
        strategies.load(name)
    assert str(said.value).startswith(message)
    assert "\n" not in str(said.value)


def test_an_installed_package_is_named_like_a_shipped_one(tmp_path, file):
    groups = {"svit_dse.strategies": "narrow = own_strategy:Sampler\nby_module = own_strategy"}
    with installed(tmp_path, groups, own_strategy=STRATEGY):
        assert strategies.load("narrow") is strategies.load("by_module")
        assert list(strategies.option_table("narrow")) == ["first"]
        assert "narrow" not in strategies.names()  # what is shipped, and what the reference lists
        with pytest.raises(ConfigError, match="did you mean 'narrow'"):
            strategies.load("narow")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.py", "none.py: no such Python file; expected FILE.py or FILE.py:NAME"),
        ("tpee", "no strategy 'tpee'; did you mean 'tpe'?, or give FILE.py:CLASS"),
    ],
)
def test_a_strategy_that_is_not_there_is_told_at_the_door_with_its_place(svit, tmp_path, name, said):
    (tmp_path / "my.yaml").write_text(f"search: {{strategy: {name}}}\n")
    option = f"--strategy {said}" if said.startswith(name) else f"--strategy {name}: {said}"
    for words, told in (
        (("check", "my.yaml"), f"my.yaml:1: search.strategy: {said}"),
        (("search", "my.yaml", "--out", "run"), f"my.yaml:1: search.strategy: {said}"),
        (("search", "my.yaml", "--out", "run", "--strategy", name), option),
    ):
        found = svit(*words)
        assert (found.status, found.err) == (2, f"svit-dse: {told}\n")  # and nothing was prepared before
    assert not (tmp_path / "run").exists()


def test_check_says_what_is_wrong_with_it_before_any_image(svit, tmp_path):
    (tmp_path / "broken.py").write_text("import numpy\n\n1 / 0\n")
    (tmp_path / "my.yaml").write_text("search: {strategy: broken.py}\n")
    said = svit("check", "my.yaml")
    assert said.status == 2
    assert said.err == "svit-dse: my.yaml:1: search.strategy: broken.py: line 3: ZeroDivisionError: division by zero\n"
