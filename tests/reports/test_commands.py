"""`svit-dse report --hardware` and `svit-dse compare`, from real measurements to the page."""

import json
import sys
from pathlib import Path

import html5lib
import pandas as pd
import pytest

import reports
from costmodels import load_hardware
from dse import cli
from reports.comparison.drawing import draw
from reports.comparison.record import record
from reports.run import read_run
from tests.reports import by_hand


def svit(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["svit-dse", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def told(directory: Path) -> dict:
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


def test_another_chip_changes_every_cost_in_the_report_and_no_measurement(small_run, tmp_path, monkeypatch):
    assert svit(monkeypatch, "report", small_run, "--hardware", "seneca_like", "--out", tmp_path / "other") == 0
    old = pd.read_csv(small_run / "results.csv").drop_duplicates("id").to_dict("records")
    new = told(tmp_path / "other" / "report")
    assert new["sections"]["hardware"]["sha256"] == load_hardware("seneca_like").sha256
    assert "seneca_like" in new["title"]
    for before, after in zip(old, new["designs"], strict=True):
        for name in ("id", "drop", "drop_low", "drop_high", "top1", "mean_weight_bits"):
            assert after[name] == before[name]
        assert after["energy_j"] != before["energy_j"]
        assert after["latency_s"] != before["latency_s"]
    page = (tmp_path / "other" / "report" / "index.html").read_text(encoding="utf-8")
    assert "nothing was measured again" in page
    assert svit(monkeypatch, "compare", small_run, tmp_path / "other", "--out", tmp_path / "both") == 0
    sides = told(tmp_path / "both")["comparison"]["sides"]
    assert [s["hardware"].split()[0] for s in sides] == ["generic_45nm", "seneca_like"]


def test_a_comparison_holds_both_fronts_and_says_what_is_not_comparable(tmp_path):
    first, second = by_hand.write(tmp_path / "a"), by_hand.write(tmp_path / "b")
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["data"]["sha256"] = "e" * 64
    (second / "manifest.json").write_text(json.dumps(manifest))
    r = record([read_run(first), read_run(second)], [first, second])
    assert [[p.id for p in s.front] for s in r.sides] == [["s2", "p4", "u8"]] * 2
    assert [(s.recommended, s.verdict, s.float_top1) for s in r.sides] == [("p4", "OK", 0.9)] * 2
    assert [s.recommended_design.memory_bytes for s in r.sides] == [500, 500]
    assert len(r.warnings) == 1
    assert "different images" in r.warnings[0]
    index = reports.compare([first, second], tmp_path / "out")
    page = index.read_text(encoding="utf-8")
    scripts = [s for s in page.split("<script>") if len(s) > 1e6]
    html5lib.HTMLParser(strict=True).parse(page.replace(scripts[0].split("</script>")[0], ""))
    assert {p.name for p in (index.parent / "figures").iterdir()} == {"fronts.png", "fronts.svg", "fronts.pdf"}


def test_a_recommended_design_behind_the_front_still_has_its_numbers(tmp_path):
    run = by_hand.write(tmp_path / "a")
    table = (run / "results.csv").read_text(encoding="utf-8")
    (run / "results.csv").write_text(table.replace("3e-4,4,True,True", "3e-4,4,False,True"), encoding="utf-8")
    r = record([read_run(run), read_run(by_hand.write(tmp_path / "b"))], [run, tmp_path / "b"])
    assert "p4" not in [p.id for p in r.sides[0].front]
    assert "500 B" in str(draw(r).html)


def test_comparing_one_run_or_a_folder_that_is_none_is_a_users_mistake(tmp_path, monkeypatch, capsys):
    run = by_hand.write(tmp_path / "a")
    assert svit(monkeypatch, "compare", run, "--out", tmp_path / "out") == 2
    assert "at least two run directories" in capsys.readouterr().err
    assert svit(monkeypatch, "compare", run, tmp_path / "none", "--out", tmp_path / "out") == 2
    assert f"{tmp_path / 'none'}: no such directory" in capsys.readouterr().err
    assert svit(monkeypatch, "compare", run, run, "--out", tmp_path / "out") == 2
    assert "is given twice" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
