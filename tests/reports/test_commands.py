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


def test_another_chip_changes_every_cost_in_the_report_and_no_measurement(
    small_run, tmp_path, monkeypatch, empty_figures
):
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
    assert "no accuracy was measured again" in page
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


def changed(folder: Path, name: str, *pairs: tuple[str, str]) -> Path:
    """A run by hand with other text in one of its files."""
    run = folder if folder.exists() else by_hand.write(folder)
    text = (run / name).read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    (run / name).write_text(text, encoding="utf-8")
    return run


def test_the_drop_on_unseen_images_stands_beside_that_of_the_search(tmp_path):
    run, other = by_hand.write(tmp_path / "a"), by_hand.write(tmp_path / "b")
    (other / "verified.csv").unlink()  # nothing is known of unseen images there
    r = record([read_run(run), read_run(other)], [run, other])
    one, two = (s.recommended_design for s in r.sides)
    assert (one.unseen.drop, one.unseen.low, one.unseen.high, one.unseen.status) == (0.7, 0.4, 1.0, "verified")
    assert (one.searched, two.searched, two.unseen.status) == (0.5, 0.5, "searched")
    page = str(draw(r).html)
    assert "0.70 pp<small>0.40 … 1.00, 95 %</small><small>verified, 2,000 images</small>" in page
    assert '<td class="number">not known</td><td class="number">0.50 pp</td>' in page


def test_the_inputs_that_differ_are_named_and_no_others(tmp_path):
    run = by_hand.write(tmp_path / "a")
    other = changed(tmp_path / "b", "manifest.json", ('"seed": 5', '"seed": 6'), ("d" * 64, "e" * 64))
    changed(other, "hardware.csv", ("clock,200", "clock,400"))
    changed(other, "picks.json", ('"memory_bytes": 800', '"memory_bytes": 900'))
    (other / "config.yaml").write_text("hardware: faster.yaml\nsearch: {strategy: random, widths: [2, 4]}\n")
    r = record([read_run(run), read_run(other)], [run, other])
    assert [(i.kind, i.name, i.values) for i in r.inputs] == [
        ("run", "chip file", ("chip (dddddddd)", "chip (eeeeeeee)")),
        ("run", "seed", ("5", "6")),
        ("configuration", "budget, memory", ("800 B", "900 B")),
        ("configuration", "search.strategy", ("–", "random")),
        ("configuration", "search.widths", ("–", "[2, 4]")),
        ("chip", "clock", ("200 MHz", "400 MHz")),
    ]
    page = str(draw(r).html)
    assert "Constants of the chip (1)" in page
    same = record([read_run(run), read_run(by_hand.write(tmp_path / "c"))], [run, tmp_path / "c"])
    assert same.inputs == ()
    assert "No difference: the runs have the same network" in str(draw(same).html)


def test_the_gap_between_two_runs_is_said_in_words(tmp_path):
    run = by_hand.write(tmp_path / "a")
    # p4: 400 B instead of 500, 5 uJ instead of 2, 6 ms and 300 uW as before; 2 pp instead of 0.7 on unseen images
    other = changed(tmp_path / "b", "results.csv", ("500,2e-6", "400,5e-6"))
    changed(other, "verified.csv", ("p4,0.7,0.4,1.0", "p4,2.0,1.5,2.5"))
    gaps = record([read_run(run), read_run(other)], [run, other]).gaps
    assert gaps == (
        "b against a: 100 B less memory (20.0 %), 3.00 µJ more energy per image (2.5 times), the same latency, "
        "the same average power.",
        "b against a: drop on unseen images 2.00 pp (1.50 … 2.50) against 0.70 pp (0.40 … 1.00); the 95 % intervals do "
        "not overlap.",
    )
    close = changed(tmp_path / "c", "verified.csv", ("p4,0.7,0.4,1.0", "p4,0.9,0.6,1.2"))
    assert "the 95 % intervals overlap, so neither" in record([read_run(run), read_run(close)], [run, close]).gaps[1]


def test_a_run_that_recommends_nothing_says_how_far_the_nearest_design_is(tmp_path):
    run, other = by_hand.write(tmp_path / "a"), by_hand.write(tmp_path / "b")
    picks = json.loads((other / "picks.json").read_text())
    picks |= {"budgets": {"drop": 1.0, "memory_bytes": 200, "energy_j": 0.9e-6}, "picks": [], "savings": None}
    (other / "picks.json").write_text(json.dumps(picks))
    table = pd.read_csv(other / "results.csv").assign(reasons="needs 154 of 64 cores")
    table.to_csv(other / "results.csv", index=False)
    r = record([read_run(run), read_run(other)], [run, other])
    assert r.sides[1].recommended_design is None
    assert r.gaps == (
        "b: no design is recommended.",
        "b: Memory: the least of all designs is 250 B (s2), 50.0 B over the budget.",
        "b: Energy per image: the least of all designs is 1.00 µJ (s2), 100 nJ over the budget.",
        "b: the nearest design, s2, exceeds memory by 50.0 B and energy per image by 100 nJ.",
        "b: the chip cannot run s2: needs 154 of 64 cores.",
    )
    assert "no design is recommended" in str(draw(r).html)


def test_a_configuration_with_aliases_is_no_configuration_of_a_search(tmp_path, monkeypatch, capsys):
    run, other = by_hand.write(tmp_path / "a"), by_hand.write(tmp_path / "b")
    for text, said in (("a: &x [1]\nb: *x\n", "has YAML aliases"), ("a: [1\n", "not valid YAML")):
        (other / "config.yaml").write_text(text)
        assert svit(monkeypatch, "compare", run, other, "--out", tmp_path / "out") == 2
        told = capsys.readouterr().err
        assert f"{other / 'config.yaml'}: {said}" in told
        assert told.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


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
