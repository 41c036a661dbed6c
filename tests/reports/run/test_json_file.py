"""Entries of a JSON file: each with the type it must have, and an error that names file, entry and value."""

import json
from pathlib import Path

import pytest

from reports import ReportError
from reports.run.json_file import read_json


def test_entries_have_the_type_that_is_asked_for(tmp_path: Path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"a": {"b": [{"n": 1, "t": "x", "flag": True}]}, "none": None}))
    tree = read_json(path)
    (part,) = tree.entry("a").entries("b")
    assert (part.number("n"), part.text("t"), part.text("n"), part.flag("flag")) == (1.0, "x", "1", True)
    assert part.numbers() == {"n": 1.0}
    assert (tree.optional("none"), tree.text("none", "default"), list(tree.entries("missing"))) == (None, "default", [])
    with pytest.raises(ReportError, match=r"record\.json: a\.b\[0\]\.t is 'x'; expected a number"):
        part.number("t")
    with pytest.raises(ReportError, match=r"record\.json: has no 'a\.b\[0\]\.z'"):
        part.text("z")
    with pytest.raises(ReportError, match=r"a\.b\[0\]\.n is not a mapping"):
        part.entry("n")


def test_a_file_that_is_no_mapping_is_named(tmp_path: Path):
    path = tmp_path / "record.json"
    path.write_text("[1]")
    with pytest.raises(ReportError, match=r"record\.json: the file is not a mapping"):
        read_json(path)
