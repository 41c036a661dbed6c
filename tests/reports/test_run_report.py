"""The files of a report: complete, offline, well-formed, with the numbers of the run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import html5lib
import pandas as pd
import pytest

import reports
from tests.reports.make_run import reported_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reported_run(tmp_path_factory)


@pytest.fixture(scope="module")
def index(run: Path) -> Path:
    return run / "report" / "index.html"


@pytest.fixture(scope="module")
def without_torch(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a process that has neither torch nor optuna prints as the place of its report, and where it had to lie."""
    out = tmp_path_factory.mktemp("again") / "report"
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'optuna'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"import reports; print(reports.build({str(run)!r}, {str(out)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip(), out


@pytest.fixture(scope="module")
def page(index: Path) -> str:
    """The page without the 1.5 MB of plotly, on which a parser in Python takes long; they hold no bad character."""
    text = index.read_text(encoding="utf-8")
    scripts = [s for s in re.findall(r"<script>(.*?)</script>", text, flags=re.S) if len(s) > 1e6]
    assert len(scripts) == 1  # plotly is inlined once
    assert not re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", scripts[0])
    return text.replace(scripts[0], "")


def test_the_report_lies_in_the_run_with_every_format_of_every_figure(run, index):
    assert index == run / "report" / "index.html"
    figures = sorted(p.name for p in (run / "report" / "figures").iterdir())
    stems = {name.split(".")[0] for name in figures}
    assert {"front_memory", "front_energy", "bits", "sensitivity", "breakdown"} <= stems
    assert figures == sorted(f"{s}.{kind}" for s in stems for kind in ("png", "svg", "pdf"))
    assert (run / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert not [p for p in run.iterdir() if p.name.startswith(".")]


def test_the_page_is_valid_html_and_small_enough_to_mail(index, page):
    assert index.stat().st_size < 3e6
    html5lib.HTMLParser(strict=True).parse(page)


def test_nothing_on_the_page_points_outside(page):
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    links = [e.get(a) for e in tree.iter() for a in ("src", "href") if e.get(a)]
    assert links
    assert [link for link in links if not link.startswith(("#", "data:"))] == []


def test_the_page_embeds_exactly_the_numbers_of_report_json(index, page):
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    embedded = next(e for e in tree.iter("script") if e.get("id") == "numbers").text
    assert json.loads(embedded) == json.loads((index.parent / "report.json").read_text(encoding="utf-8"))


def test_report_json_holds_the_measured_values_of_every_design(run, index):
    table = pd.read_csv(run / "results.csv")
    told = json.loads((index.parent / "report.json").read_text(encoding="utf-8"))["designs"]
    assert [d["id"] for d in told] == list(table["id"])
    for column in ("drop", "drop_low", "drop_high", "memory_bytes", "energy_j", "top1", "on_front", "feasible"):
        assert [d[column] for d in told] == table[column].tolist()
    layers = [c for c in table.columns if c.startswith("w:")]
    assert [d["bits"] for d in told] == table[layers].to_numpy().tolist()


def test_the_same_run_gives_the_same_bytes(index, without_torch):
    _, again = without_torch
    for path in sorted(p for p in index.parent.rglob("*") if p.is_file()):
        assert (again / path.relative_to(index.parent)).read_bytes() == path.read_bytes(), path.name


def test_importing_reports_loads_no_heavy_library():
    heavy = ("pandas", "numpy", "matplotlib", "jinja2")
    code = f"import sys, reports; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_building_a_report_needs_neither_torch_nor_optuna(without_torch):
    printed, out = without_torch
    assert printed == str(out / "index.html")


def test_a_failure_leaves_the_old_report_and_no_traces(run, index, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(index.parent, out)
    before = (out / "index.html").read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("reports.report_files.write_figures", fail)
    with pytest.raises(OSError, match="disk full"):
        reports.build(run, out)
    assert (out / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_not_replaced(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(reports.ReportError, match="holds files that are no report"):
        reports.build(run, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_names_from_outside_are_text_on_the_page(run, tmp_path, monkeypatch):
    hostile = '"><img src=x onerror="alert(1)"></script><svg/onload=alert(2)>'
    monkeypatch.setattr("reports.report_files.write_figures", lambda *parts: iter(()))
    copied = tmp_path / "run"
    shutil.copytree(run, copied, ignore=shutil.ignore_patterns("report"))
    manifest = json.loads((copied / "manifest.json").read_text())
    for part in ("checkpoint", "data", "hardware"):
        manifest[part]["name"] = hostile
    manifest |= {"command": hostile, "stop_reason": hostile, "failures": [hostile], "python": hostile}
    (copied / "manifest.json").write_text(json.dumps(manifest))
    for name in ("layers.csv", "hardware.csv", "sensitivity.csv"):
        table = pd.read_csv(copied / name)
        for column in set(table.columns) & {"source", "type"}:
            table[column] = hostile
        table.to_csv(copied / name, index=False)
    page = reports.build(copied, tmp_path / "out").read_text(encoding="utf-8")
    assert page.count("onerror") > 5
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    bad = [e.tag for e in tree.iter() if {"onerror", "onload"} & set(e.attrib)]
    assert bad == []
    assert hostile in "".join(next(tree.iter("body")).itertext())
    assert json.loads(next(e for e in tree.iter("script") if e.get("id") == "numbers").text)
