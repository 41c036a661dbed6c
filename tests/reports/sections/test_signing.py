"""What page one says beside the results: limits, other constants, the network without spikes, the way to OK."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import norm

from reports.run import BottleneckRow, FinishedRun, read_run
from reports.sections import _signing, s00_decision
from tests.reports import by_hand
from tests.reports.by_hand import EIGHT, PICK, SMALL

COMPARISONS = f"""\
id,origin,network,time_steps,memory_bytes,energy_j,latency_s,power_w
{PICK},tpe,spiking,1,500,2e-6,0.006,3e-4
{PICK},tpe,non-spiking,1,500,1.6e-6,0.006,3e-4
{PICK},tpe,"non-spiking, dense",1,500,5e-6,0.006,3e-4
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    out: Path = by_hand.write(tmp_path_factory.mktemp("runs") / "hand")
    (out / "comparisons.csv").write_text(COMPARISONS, encoding="utf-8")
    bound = f"id,resource,layers,share,saving\n{PICK},noc,2,0.75,0.1\n{PICK},dram,1,0.25,0.2\n{EIGHT},noc,3,1,0.5\n"
    (out / "bottlenecks.csv").write_text(bound, encoding="utf-8")
    return read_run(out)


def stable(run: FinishedRun, base: str, *each: tuple[str, float]) -> FinishedRun:
    """The run with who is cheapest unchanged and in each of its scenarios, and the regrets there."""
    assert run.stability is not None
    pairs = zip(run.stability.scenarios, each, strict=True)
    scenarios = tuple(replace(s, cheapest=best, regret=regret) for s, (best, regret) in pairs)
    return replace(run, stability=replace(run.stability, scenarios=scenarios, cheapest=base, base_regret=0.02))


def test_page_one_says_what_limits_the_design(run):
    said = dict(_signing.facts(run))
    # slack 0.3 of 1 pp is 30 %, 300 of 800 B is 37.5 %
    assert said["Tightest budget"] == "Accuracy drop, 0.70 pp of 1.00 pp: 30 % of it is left"
    expected = "noc: it limits 2 layers, 75 % of the layers' time; twice the dram saves 20 % of the latency"
    assert said["What limits its speed"] == expected
    worst = "fixed: 3.00 µJ, 12 % less than 8-bit weights; this chip is ideal: 1.00 µJ"
    assert said["Worst form of the datapath"] == worst
    # 1.6 / 2 and 5 / 2
    twin = "non-spiking 20 % less energy; non-spiking, dense 150 % more energy"
    assert twin in said["Without spikes"]
    html = str(s00_decision.draw(s00_decision.record(run)).html)
    assert "Before signing" in html
    assert twin in html


def test_the_tightest_budget_takes_the_drop_that_the_page_shows(run):
    """The check of the drop may hold what unseen images said alone; the page has one drop per design."""
    first = run.picks.picks[0]
    alone = replace(first.checks[0], achieved=0.1, slack=0.9)
    told = replace(run, picks=replace(run.picks, picks=(replace(first, checks=(alone, *first.checks[1:])),)))
    assert dict(_signing.facts(told))["Tightest budget"].startswith("Accuracy drop, 0.70 pp of 1.00 pp")


def test_a_small_gain_of_every_resource_is_said_as_such(run):
    one = replace(run, bottlenecks=(BottleneckRow(PICK, "compute", 1, 1.0, 0.0),))
    assert "doubling any one resource saves less than 1 %" in dict(_signing.facts(one))["What limits its speed"]


@pytest.mark.parametrize(
    ("base", "each", "said"),
    [
        (PICK, [(PICK, 0.0), (PICK, 0.0)], "unchanged: under 2 changes"),
        (PICK, [(PICK, 0.0), (SMALL, 0.04)], f"unchanged under 1 of 2 changes.* becomes {SMALL} .*regret 4.0 %"),
        (
            SMALL,
            [(SMALL, 0.04), (SMALL, 0.03)],
            f"alone it becomes {SMALL}, .* under 2 of 2 .*regret 2.0 %, at worst 4.0",
        ),
    ],
)
def test_page_one_says_whether_the_pick_survives_other_constants(run, base, each, said):
    assert re.search(said, dict(_signing.facts(stable(run, base, *each)))["Under other constants"])


def test_a_run_without_these_tables_says_nothing_of_them(tmp_path):
    out = by_hand.write(tmp_path / "run")
    (out / "forms.csv").unlink()
    assert [what for what, _ in _signing.facts(read_run(out))] == ["Tightest budget"]


def test_review_says_what_would_make_it_ok(tmp_path):
    out = by_hand.write(tmp_path / "run")
    picks = json.loads((out / "picks.json").read_text(encoding="utf-8"))
    drop, memory = picks["picks"][0]["rows"]
    drop["verdict"], memory["verdict"] = "REVIEW", "REVIEW"
    memory |= {"budget": 400, "slack": -100}
    picks["needed_images"] = 9000
    (out / "picks.json").write_text(json.dumps(picks), encoding="utf-8")
    for_drop, for_memory = _signing.advice(read_run(out))
    assert "about 9,000 unseen images" in for_drop
    reached = norm.ppf(0.95, loc=0.7, scale=0.3 / norm.ppf(0.975))  # 0.7 pp, 95 % interval 0.4 to 1.0
    assert f"{reached + 0.005:.2f} pp" not in for_drop  # 0.95 pp is within the budget: then it is another one's
    assert "because the verification used another one" in for_drop
    assert for_memory == "Memory is 100 B over its budget: OK takes a budget of 500 B or more."


def test_a_drop_that_is_not_sure_is_told_the_budget_that_it_keeps(tmp_path):
    out = by_hand.write(tmp_path / "run")
    text = (out / "verified.csv").read_text(encoding="utf-8").replace("p4,0.7,0.4,1.0", "p4,0.7,-0.1,1.5")
    (out / "verified.csv").write_text(text, encoding="utf-8")
    picks = json.loads((out / "picks.json").read_text(encoding="utf-8"))
    picks["picks"][0]["rows"][0]["verdict"] = "REVIEW"
    (out / "picks.json").write_text(json.dumps(picks), encoding="utf-8")
    limit = norm.ppf(0.95, loc=0.7, scale=0.8 / norm.ppf(0.975))  # 1.37 pp
    (said,) = _signing.advice(read_run(out))
    assert said == f"OK takes a drop budget of {limit + 0.005:.2f} pp, fixed before another verification."


def test_where_nothing_is_recommended_the_gap_to_every_budget_is_told(tmp_path):
    out = by_hand.write(tmp_path / "run")
    picks = json.loads((out / "picks.json").read_text(encoding="utf-8"))
    picks |= {"picks": [], "savings": None, "budgets": {"drop": 1.0, "memory_bytes": 100.0}}
    (out / "picks.json").write_text(json.dumps(picks), encoding="utf-8")
    run = read_run(out)
    assert _signing.advice(run) == (f"Memory: the least of all designs is 250 B ({SMALL}), 150 B over the budget.",)
    assert "150 B over the budget" in str(s00_decision.draw(s00_decision.record(run)).html)
