"""Commands that read a finished run: runs, show, diff, pick, and designs by a file of widths."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from dse.commands.search import summary
from dse.problem.tool_layouts import TOOLS
from dse.results.candidates import knee
from tests.dse.conftest import Run, Said


def _one_line(told: Said, *parts: str) -> None:
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    for part in parts:
        assert part in told.err


SEARCHING = {"torch", "optuna", "numba", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.linalg"}
STUDYING = {"costmodels.studies", "dse.results.robustness"}
COSTING = STUDYING | {"scipy.special", "moocore", "costmodels.equations", "costmodels.hardware.schema"}


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (["show", "RUN", "recommended"], SEARCHING | COSTING),
        (["pick", "RUN", "--drop", "50"], SEARCHING | COSTING),
        (["diff", "RUN", "uniform-4", "uniform-8"], SEARCHING | COSTING),
        (["runs", "RUN"], SEARCHING | COSTING),
        (["estimate", "--run", "RUN"], SEARCHING | STUDYING),
        (["estimate", "--run", "RUN", "--design", "uniform-4"], SEARCHING | STUDYING),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_commands_that_read_a_run_load_nothing_that_only_searching_or_costing_needs(
    small_run: Path, words: list[str], without: set[str]
):
    """Loading takes most of their time.  Run from another folder than the run was made in."""
    argv = ["svit-dse", *(str(small_run) if word == "RUN" else word for word in words)]
    code = f"import sys\nfrom dse import cli\nsys.argv = {argv!r}\ntry:\n    cli.main()\n"
    code += f"except SystemExit as end:\n    assert not end.code\nassert not {without!r} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def picks(small_run: Path) -> dict:
    return json.loads((small_run / "picks.json").read_text())


def test_runs_tell_finished_from_interrupted_ones(svit: Run, small_run: Path, tmp_path: Path, picks: dict):
    shutil.copytree(small_run, tmp_path / "runs" / "done")
    (tmp_path / "runs" / "stopped").mkdir()
    (tmp_path / "runs" / "stopped" / "study.journal").touch()
    (tmp_path / "runs" / "notes").mkdir()
    rows = {Path(row["run"]).name: row for row in json.loads(svit("runs", "--json").out)}
    assert set(rows) == {"done", "stopped"}
    assert (rows["done"]["state"], rows["stopped"]["state"]) == ("finished", "interrupted")
    assert rows["done"]["recommended"] == picks["picks"][0]["id"]
    assert rows["done"]["drop"] == picks["picks"][0]["unseen_drop"]["value"]
    assert rows["done"]["designs"] == pd.read_csv(small_run / "results.csv")["id"].nunique() - 1
    assert svit("runs", "runs/done").out.startswith("1 run in runs/done")
    text = svit("runs").out
    assert "2 runs in runs" in text
    assert max(map(len, text.splitlines())) <= 80
    _one_line(svit("runs", "nowhere"), "nowhere: no such folder")


def test_show_gives_each_drop_as_what_it_is(svit: Run, small_run: Path, picks: dict):
    first = picks["picks"][0]
    found = json.loads(svit("show", small_run, "--json").out)[0]
    assert found["id"] == first["id"]
    assert {k: v["value"] for k, v in found["drops"].items()} == {
        "unseen": pytest.approx(first["unseen_drop"]["value"]),
        "verified": first["verified_drop"]["value"],
        "expected": pytest.approx(first["predicted_drop"]["value"]),
        "searched": first["searched_drop"]["value"],
    }
    row = pd.read_csv(small_run / "results.csv").set_index("id").loc[first["id"]]
    ends = binomtest(round(row["top1"] * row["images"]), int(row["images"])).proportion_ci(method="wilson")
    assert found["top1"] == {"value": row["top1"], "low": ends.low, "high": ends.high}
    assert found["weights"] == {c[2:]: row[c] for c in row.index if c.startswith("w:")}
    text = svit("show", small_run, "recommended").out
    for part in (
        "by the search and the verification together",
        "measured on 40 unseen images",
        "predicted for unseen images",
        "search images (optimistic",
    ):
        assert part in " ".join(text.replace("│", " ").split())
    assert max(map(len, text.splitlines())) <= 80


def test_a_design_that_was_shown_is_costed_and_measured_from_its_file(svit: Run, small_run: Path, tmp_path: Path):
    results = pd.read_csv(small_run / "results.csv").set_index("origin")
    for ending in ("csv", "json", "yaml"):
        told = svit("show", small_run, "uniform-4", "--out", f"bits.{ending}")
        assert told.out.endswith(f"wrote bits.{ending}\n")
        rows = json.loads(svit("estimate", "--run", small_run, "--widths", f"bits.{ending}", "--json").out)
        assert [row["design"] for row in rows] == [results.loc["uniform-4", "id"]]
        assert rows[0]["memory_bytes"] == pytest.approx(results.loc["uniform-4", "memory_bytes"])  # no spikes in it
    beside = json.loads(svit("estimate", small_run / "layers.csv", "--widths", "bits.json", "--json").out)
    assert beside[0]["energy_j"] == pytest.approx(rows[0]["energy_j"])
    words = ("evaluate", "--run", small_run, "--split", "search", "--images", 40, "--json")
    measured = json.loads(svit(*words, "--widths", "bits.yaml").out)[0]["design"]
    assert measured["top1"] == results.loc["uniform-4", "top1"]
    assert measured["drop"] == results.loc["uniform-4", "drop"]
    _one_line(svit("estimate", small_run / "layers.csv", "--widths", "b.csv"), "--widths b.csv: no such file")
    _one_line(svit("evaluate", "--run", small_run, "--widths", "bits.txt"), "--widths bits.txt: no such file")
    _one_line(svit("estimate", "--run", small_run, "--widths", "bits.csv", "--bits", 4), "--bits: the file of --widths")
    _one_line(svit("show", small_run, "--out", "bits.txt"), "--out bits.txt: expected a name that ends in")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("origin", ["uniform-8", "uniform-8-T1", "guided", "exact"])
def test_a_design_that_was_exported_for_a_library_is_read_back_as_that_design(
    svit: Run, small_run: Path, tool: str, origin: str
):
    row = pd.read_csv(small_run / "results.csv").set_index("origin").loc[origin]
    told = svit("export", small_run, origin, "--format", tool, "--out", "bits.json")
    assert told.status == 0, told.err
    assert told.out.endswith(f"svit-dse estimate --run {small_run} --widths bits.json --like {row['id']}\n")
    words = ("estimate", "--run", small_run, "--widths", "bits.json", "--json")
    (back,) = json.loads(svit(*words, "--like", origin).out)
    assert back["design"] == row["id"]  # a hash of time steps and of all widths
    (weights_only,) = json.loads(svit(*words).out)
    assert weights_only["design"] != row["id"]  # a design of this run has widths of potentials, which no library knows


def test_a_library_file_that_is_measured_gives_the_drop_of_its_design(svit: Run, small_run: Path):
    row = pd.read_csv(small_run / "results.csv").set_index("origin").loc["uniform-8-T1"]
    assert svit("export", small_run, "uniform-8-T1", "--format", "aimet", "--out", "bits.json").status == 0
    words = ("evaluate", "--run", small_run, "--split", "search", "--images", 40, "--json", "--widths", "bits.json")
    found = json.loads(svit(*words, "--like", "uniform-8-T1").out)[0]["design"]
    assert {name: found[name] for name in ("top1", "drop", "kl")} == dict(row[["top1", "drop", "kl"]])


def test_like_needs_a_run_and_a_file(svit: Run, small_run: Path):
    told = "--like guided: takes what a file of widths lacks from a design of a run; add --run and --widths"
    _one_line(svit("estimate", small_run / "layers.csv", "--widths", "b.csv", "--like", "guided"), told)
    _one_line(svit("evaluate", "--run", small_run, "--like", "guided"), told)


def test_the_front_of_a_run_is_a_file_of_widths(svit: Run, small_run: Path):
    rows = json.loads(svit("estimate", "--run", small_run, "--widths", small_run / "front.csv", "--json").out)
    front = pd.read_csv(small_run / "front.csv")
    assert [row["design"] for row in rows] == list(front["id"])
    assert [row["memory_bytes"] for row in rows] == pytest.approx(list(front["memory_bytes"]))


def test_estimate_and_show_read_every_kind_of_name(svit: Run, small_run: Path, picks: dict):
    first = picks["picks"][0]["id"]
    table = pd.read_csv(small_run / "results.csv")
    known = {"recommended": first, first: first, first[:6]: first}
    known["uniform-4"] = table.loc[table["origin"] == "uniform-4", "id"].iloc[0]
    known["knee"] = knee(table[table["on_front"]].drop_duplicates("id"))
    for name, design in known.items():
        rows = json.loads(svit("estimate", "--run", small_run, "--design", name, "--json").out)
        assert [row["design"] for row in rows] == [design]
        assert json.loads(svit("show", small_run, name, "--json").out)[0]["id"] == design


@pytest.mark.parametrize(
    "words",
    [
        ("show", "RUN", "kneee"),
        ("diff", "RUN", "kneee", "uniform-4"),
        ("estimate", "--run", "RUN", "--design", "kneee"),
        ("evaluate", "--run", "RUN", "--design", "kneee"),
        ("export", "RUN", "--design", "kneee", "--out", "chip"),
        ("finetune", "RUN", "--design", "kneee"),
        ("reestimate", "RUN", "--design", "kneee"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_answers_a_name_that_means_none_alike(svit: Run, small_run: Path, words: tuple[str, ...]):
    said = svit(*(small_run if word == "RUN" else word for word in words))
    _one_line(said, f"--design kneee: no such id in {small_run / 'results.csv'}; did you mean knee?")


def test_a_search_ends_with_every_drop_as_what_it_is_and_budgets_by_their_keys(picks: dict):
    best = picks["picks"][0]
    best["rows"].append(best["rows"][0] | {"quantity": "memory_bytes", "note": "200 kB of 300 kB"})
    first, *said = summary(picks)
    assert first == f"recommended: {best['id']} ({best['why']})"
    for line, key in zip(said, ("unseen_drop", "verified_drop", "searched_drop"), strict=False):
        assert f" {best[key]['value']:+.2f} pp" in line
    assert [line.split(":")[0] for line in said[3:5]] == ["  drop", "  memory"]


def test_diff_names_what_two_designs_do_not_share(svit: Run, small_run: Path):
    results = pd.read_csv(small_run / "results.csv").drop_duplicates("origin").set_index("origin")
    found = json.loads(svit("diff", small_run, "uniform-8", "uniform-4", "--json").out)[0]
    weights = [row for row in found["widths"] if row["name"].startswith("w:")]
    assert len(weights) == sum(c.startswith("w:") for c in results.columns)
    assert {(row["first"], row["second"]) for row in weights} == {(8, 4)}
    text = svit("diff", small_run, "uniform-8", "uniform-4").out
    change = results.loc["uniform-4", "memory_bytes"] / results.loc["uniform-8", "memory_bytes"] - 1
    assert f"{change:+.1%}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_diff_of_two_runs_names_the_configuration_first(svit: Run, small_run: Path, tmp_path: Path):
    shutil.copytree(small_run, tmp_path / "other")
    config = tmp_path / "other" / "config.yaml"
    config.write_text(config.read_text().replace("frame_rate: 30.0", "frame_rate: 25.0"))
    found = json.loads(svit("diff", small_run, "other", "--json").out)[0]
    assert found["configuration"] == [{"key": "frame_rate", "first": 30.0, "second": 25.0}]
    assert found["widths"] == []
    assert "1 key of the configurations differs" in svit("diff", small_run, "other").out
    _one_line(svit("diff", small_run, "nowhere"), "nowhere: is not a run directory; give a second run, or two designs")


def test_plot_writes_an_image_and_refuses_what_it_cannot_draw(svit: Run, small_run: Path, tmp_path: Path):
    assert svit("plot", small_run, "--out", "front.svg", "--cost", "energy").out == "wrote front.svg\n"
    assert "<svg" in (tmp_path / "front.svg").read_text()
    _one_line(svit("plot", small_run, "--out", "front.txt"), "--out front.txt: expected a name that ends in .png")
    _one_line(svit("plot", small_run, "--cost", "weight"), "cost is 'weight'; choose from memory, energy")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["front.svg"]


def test_pick_decides_again_and_never_says_ok_for_a_changed_budget(svit: Run, small_run: Path, picks: dict):
    same = json.loads(svit("pick", small_run, "--json").out)[0]
    assert [c["id"] for c in same["choices"] if c["verified"]] == [p["id"] for p in picks["picks"]]
    assert same["changed"] == []
    changed = json.loads(svit("pick", small_run, "--drop", 50, "--memory", "1 MB", "--json").out)[0]
    assert sorted(changed["changed"]) == ["drop", "memory_bytes"]
    assert {c["verdict"] for c in changed["choices"]} == {"posterior"}
    results = pd.read_csv(small_run / "results.csv").set_index("id")
    verified = pd.read_csv(small_run / "verified.csv").set_index("id")
    cheapest = results.loc[verified.index, "memory_bytes"].idxmin()
    assert changed["choices"][0]["id"] == cheapest  # every verified design keeps 50 points
    text = svit("pick", small_run, "--drop", 50, "--memory", "1 MB").out
    assert "drop <= 50 pp, memory <= 1 MB" in text
    assert "changed after verification: drop, memory; so the probability is shown, but never OK" in " ".join(
        text.split()
    )
    assert max(map(len, text.splitlines())) <= 80


def test_pick_offers_the_cheapest_design_that_the_model_trusts(svit: Run, small_run: Path):
    found = json.loads(svit("pick", small_run, "--drop", 8, "--json").out)[0]["choices"]
    expected = pd.read_csv(small_run / "expected.csv").drop_duplicates("id").set_index("id")
    chance = norm.cdf((8 - expected["expected"]) / expected["sd"])
    results = pd.read_csv(small_run / "results.csv").drop_duplicates("id").set_index("id")
    trusted = expected.index[chance >= 0.95]
    best = results.loc[[i for i in trusted if results.loc[i, "fits"]], "memory_bytes"].idxmin()
    assert best in [c["id"] for c in found]


def test_pick_names_the_nearest_design_where_none_is_small_enough(svit: Run, small_run: Path):
    verified = pd.read_csv(small_run / "verified.csv")["id"]
    least = pd.read_csv(small_run / "results.csv").set_index("id").loc[verified, "memory_bytes"].min()
    told = svit("pick", small_run, "--memory", "20 kB")
    assert told.status == 0
    assert f"misses memory by {(least - 20e3) / 1e3:.3g} kB" in " ".join(told.out.split())
    _one_line(svit("pick", small_run, "--memory", "20 kg"), "--memory is '20 kg'; expected a value in B")


def test_export_takes_the_name_of_a_design_as_show_does(svit: Run, small_run: Path, tmp_path: Path, picks: dict):
    words = ("export", small_run, "--format", "modelopt", "--out")
    spelled = {
        "bare": ("recommended",),
        "option": ("--design", "recommended"),
        "none": (),
        "id": (picks["picks"][0]["id"][:6],),
    }
    for name, design in spelled.items():
        told = svit(*words, f"{name}.json", *design)
        assert told.status == 0, told.err
    assert len({(tmp_path / f"{name}.json").read_text() for name in spelled}) == 1
    told = svit(*words, "both.json", "recommended", "--design", "uniform-4")
    _one_line(told, "--design uniform-4: recommended is named already; leave one of them out")
    assert not (tmp_path / "both.json").exists()
