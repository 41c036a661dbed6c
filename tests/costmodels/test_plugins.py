"""Code of the user's own: found by path or entry point, executed once, refused in one line."""

import os

import pytest

from costmodels import CostError, plugins
from tests.own_code import installed


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a.py", ("a.py", "")),
        ("a/b.py:C", ("a/b.py", "C")),
        ("C:/a.py:D", ("C:/a.py", "D")),
    ],
)
def test_a_reference_is_a_file_and_a_name(reference, parts):
    assert plugins.is_file(reference)
    file, name = plugins.split(reference)
    assert (str(file), name) == parts
    assert plugins.joined(file, name) == reference


@pytest.mark.parametrize("name", ["tpe", "my.package", "python", "a.pyc"])
def test_names_are_no_files(name):
    assert not plugins.is_file(name)


def test_a_file_is_executed_once_and_again_when_it_has_changed(tmp_path):
    path, log = tmp_path / "mine.py", tmp_path / "log"
    text = f"with open({str(log)!r}, 'a') as log:\n    log.write('x')\n\nclass A: value = 'first'\n"
    path.write_text(text)
    assert plugins.loaded(f"{path}:A", CostError) is plugins.loaded(f"{path}:A", CostError)
    assert log.read_text() == "x"
    path.write_text(text.replace("first", "other"))
    os.utime(path, ns=(path.stat().st_mtime_ns + 1,) * 2)  # of the same size, in the same second
    assert plugins.loaded(f"{path}:A", CostError).value == "other"
    assert log.read_text() == "xx"
    assert {each.name for each in tmp_path.iterdir()} == {"mine.py", "log"}


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"class A:\n    value = {folder!r}\n")
    found = [plugins.loaded(f"{tmp_path / folder / 'mine.py'}:A", CostError) for folder in ("a", "b")]
    assert [each.value for each in found] == ["a", "b"]
    assert len({each.__module__ for each in found}) == 2


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "", "mine.py: no such Python file; expected FILE.py or FILE.py:NAME"),
        ("x = 1\ny = 1 / 0\n", "", "mine.py: line 2: ZeroDivisionError: division by zero"),
        ("x = (\n", "", "mine.py: line 1: SyntaxError: '(' was never closed (mine.py, line 1)"),
        ("import no_such_module\n", "", "mine.py: line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("class A: pass\ndef b(): pass\n", "C", "mine.py: no function or class 'C'; it has: A, b"),
        ("", "C", "mine.py: no function or class 'C'"),
    ],
)
def test_a_mistake_is_one_line_with_the_files_own_line(tmp_path, monkeypatch, text, name, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(CostError) as said:
        plugins.loaded(plugins.joined("mine.py", name), CostError)
    assert str(said.value) == message


def test_entry_points_of_installed_packages_are_listed_and_loaded(tmp_path):
    assert plugins.installed("svit_dse.strategies") == {}
    with installed(
        tmp_path, {"svit_dse.strategies": "one = own_one:A\ntwo = own_one:missing"}, own_one="class A: pass\n"
    ):
        assert list(plugins.installed("svit_dse.strategies")) == ["one", "two"]
        assert plugins.from_package("svit_dse.strategies", "one", CostError).__name__ == "A"
        with pytest.raises(CostError, match=r"^entry point two of svit_dse.strategies \(own_one:missing\): Attrib"):
            plugins.from_package("svit_dse.strategies", "two", CostError)
    assert plugins.installed("svit_dse.strategies") == {}
