"""Sections of the user's own in the report: by path or entry point, escaped, refused in one line."""

import json
from pathlib import Path

import pytest

import reports
from reports import ReportError
from reports.sections import all_sections
from tests.own_code import SECTION, installed

SHIPPED = tuple(all_sections())


def test_it_stands_last_on_the_page_and_in_the_numbers(small_run, tmp_path, empty_figures):
    (tmp_path / "mine.py").write_text(SECTION)
    index = reports.build(small_run, tmp_path / "report", sections=[str(tmp_path / "mine.py")])
    told = json.loads((index.parent / "report.json").read_text())
    assert list(told["sections"]) == [*SHIPPED, "mine"]
    assert told["sections"]["mine"] == {"designs": len(told["designs"])}
    page = index.read_text()
    assert page.index('id="mine"') > page.index(f'id="{SHIPPED[-1]}"')
    assert "How many &lt;designs&gt;" in page
    assert f"{len(told['designs'])} designs &amp; one &lt;b&gt;" in page


def test_an_installed_package_adds_its_section_to_every_report(tmp_path):
    with installed(tmp_path, {"svit_dse.sections": "counted = own_section"}, own_section=SECTION):
        assert tuple(all_sections()) == (*SHIPPED, "counted")
    assert tuple(all_sections()) == SHIPPED


@pytest.mark.parametrize(
    ("old", "new", "name", "message"),
    [
        ("TITLE", "TITEL", "mine", r"mine.py: has no TITLE; a section defines TITLE, record\(run\) and draw\(record\)"),
        ("", "", "front", r"front.py: the report already has a section 'front'; rename the file"),
        ("", "", "s07_front", r"s07_front.py: the report already has a section 'front'"),
        ("len(run.designs)", "len(run.desings)", "mine", r"mine.py: line 8: AttributeError: .*no attribute 'desings'"),
        ("len(run.designs)", "{1, 2}", "mine", r"mine.py: record gives a set, which report.json cannot hold"),
        ("return html", "html", "mine", r"mine.py: draw gives a NoneType; expected reports.page.html.Drawing"),
    ],
)
def test_what_is_no_section_is_one_line_and_leaves_no_report(small_run, tmp_path, old, new, name, message):
    path = tmp_path / f"{name}.py"
    path.write_text(SECTION.replace(old, new))
    with pytest.raises(ReportError, match=message) as said:
        reports.build(small_run, tmp_path / "report", sections=[str(path)])
    assert "\n" not in str(said.value)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("name", ["mine", "none.py"])
def test_what_is_no_file_is_refused(small_run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReportError, match=r"expected a Python file|no such Python file"):
        reports.build(small_run, Path("report"), sections=[name])
