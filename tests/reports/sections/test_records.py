"""What every section computes, on a run of four designs whose numbers were made by hand."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from reports import ReportError
from reports.plots.front import AGAINST, FrontPoint, point_label
from reports.run import FinishedRun, SensitivityRow, read_run
from reports.sections import (
    all_sections,
    s00_decision,
    s01_front,
    s02_table,
    s03_picks,
    s04_bits,
    s05_sensitivity,
    s06_prediction,
    s06a_contributions,
    s07_breakdown,
    s07a_layers,
    s08_health,
    s09_hardware,
    s10_robustness,
    s11_codesign,
    s12_search,
    s13_reproduction,
    s14_limits,
)
from tests.reports import by_hand
from tests.reports.by_hand import EIGHT, FLOAT, KNOBS, PICK, SMALL


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return by_hand.write(tmp_path_factory.mktemp("runs") / "hand")


@pytest.fixture(scope="module")
def run(directory: Path) -> FinishedRun:
    return read_run(directory)


def test_page_one_says_what_to_build_how_sure_and_what_it_saves(run):
    r = s00_decision.record(run)
    assert (r.verdict, [p.id for p in r.picks]) == ("OK", [PICK, EIGHT])
    assert [(j.quantity, j.budget, j.achieved, j.verdict) for j in r.picks[0].rows] == [
        ("drop", 1.0, 0.7, "OK"),
        ("memory_bytes", 800, 500, "OK"),
    ]
    assert [j.slack for j in r.picks[0].rows] == pytest.approx([0.3, 300])
    assert [j.verdict for j in r.picks[1].rows] == ["OK", "REVIEW"]  # 1000 B of 800 B
    assert r.picks[1].verdict == "REVIEW"
    assert [(x.quantity, x.achieved, x.budget, x.slack) for x in r.results] == [
        ("drop", 0.7, 1.0, pytest.approx(0.3)),
        ("memory_bytes", 500, 800, 300),
        ("energy_j", 2e-6, None, None),
        ("latency_s", 0.006, None, None),
        ("power_w", 3e-4, None, None),
    ]
    assert (r.results[0].low, r.results[0].high) == (0.4, 1.0)
    assert "0.40 … 1.00, 95 %" in str(s00_decision.draw(r).html)
    assert "Build p4" in r.sentence
    assert "50 % less memory and 50 % less energy than uniform-8" in r.sentence
    assert "P(drop ≤ 1 pp) = 0.96" in r.sentence
    assert "by the search and 2,000 unseen images" in r.sentence
    assert [(s.against, s.memory, s.energy) for s in r.savings] == [("float", 0.875, 0.75), ("uniform-8", 0.5, 0.5)]
    hashes = {what: sha for what, _, sha in r.identity if sha}
    assert hashes == {"Checkpoint": "a" * 64, "Images": "b" * 64, "Hardware": "d" * 64}
    html = str(s00_decision.draw(r).html)
    assert "bbbbbbbbbbbb" in html
    assert html.index("Build p4") < html.index("bbbbbbbbbbbb")  # the answer comes before the small print


def test_the_front_names_baselines_and_keeps_dominated_designs_off_the_edge(run):
    r = s01_front.record(run)
    by_id = {p.id: p for p in r.points}
    assert by_id[EIGHT].name == "uniform-8"
    assert (by_id[PICK].drop, by_id[PICK].low, by_id[PICK].high) == (0.7, 0.4, 1.0)  # on unseen images
    assert by_id[PICK].verified
    assert not by_id[SMALL].verified
    assert not by_id[SMALL].feasible
    assert r.edges == {"memory": (SMALL, PICK, EIGHT), "energy": (SMALL, PICK, EIGHT)}
    assert r.picks == {"recommended": PICK, "knee": EIGHT}


def test_a_point_that_another_beats_is_not_on_the_edge():
    def point(i: str, drop: float, memory: float) -> FrontPoint:
        return FrontPoint(i, "", drop, drop, drop, memory, 1.0, True, True, verified=False, time_steps=1)

    points = [point("a", 1.0, 10.0), point("b", 2.0, 5.0), point("worse", 2.0, 6.0), point("equal", 1.0, 10.0)]
    assert s01_front.edge(points, "memory_bytes") == ("b", "a")


def test_the_table_holds_front_and_baselines_by_memory(run):
    r = s02_table.record(run)
    assert [row.id for row in r.rows] == [PICK, EIGHT, SMALL, FLOAT]  # the picks first
    assert [row.status for row in r.rows] == ["verified", "verified", "searched", "searched"]
    assert [(row.unseen, row.unseen_low, row.drop) for row in r.rows[:2]] == [(0.7, 0.4, 0.5), (0.1, -0.1, 0.2)]
    assert [row.knee for row in r.rows] == [False, True, False, False]
    ends = proportion_ci(900, 1000)
    assert (r.rows[-1].top1_low, r.rows[-1].top1_high) == pytest.approx(ends)
    assert r.others == 0


def proportion_ci(right: int, images: int) -> tuple[float, float]:
    """Wilson 1927, eq. for the interval of a share, with z = 1.96."""
    z, p = 1.959963984540054, right / images
    centre, reach = p + z * z / (2 * images), z * math.sqrt(p * (1 - p) / images + z * z / (4 * images * images))
    return (centre - reach) / (1 + z * z / images), (centre + reach) / (1 + z * z / images)


def test_a_drop_that_was_not_verified_is_the_models_prediction(tmp_path):
    out = by_hand.write(tmp_path / "run")
    (out / "expected.csv").write_text("id,expected,sd\np4,0.6,0.1\ns2,4.0,0.5\n", encoding="utf-8")
    unseen = {d.id: d.unseen for d in read_run(out).designs}
    assert unseen[PICK].status == "verified"  # measured there: that counts
    assert (unseen[SMALL].drop, unseen[SMALL].status) == (4.0, "predicted")
    assert (unseen[SMALL].low, unseen[SMALL].high) == pytest.approx((4.0 - 0.98, 4.0 + 0.98), abs=1e-4)
    assert unseen[FLOAT].status == "searched"


def test_picks_and_verified_designs_are_everywhere_although_the_front_lacks_them(tmp_path):
    """Recommended by unseen drops, a design may be dominated in those of the search."""
    out = by_hand.write(tmp_path / "run")
    text = (out / "results.csv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith((PICK, EIGHT)):
            text = text.replace(line, line.replace("True,True", "False,True"))
    (out / "results.csv").write_text(text, encoding="utf-8")
    run = read_run(out)
    assert [d.id for d in run.front] == [SMALL]
    assert [row.id for row in s02_table.record(run).rows[:2]] == [PICK, EIGHT]
    assert s04_bits.record(run).ids == (SMALL, PICK, EIGHT)
    assert [label.split(":")[0] for label in s04_bits.row_labels(s04_bits.record(run))[1:]] == ["recommended", "knee"]
    front = s01_front.record(run)
    assert PICK not in front.windows["memory"].outside
    assert [point_label(p, front) for p in front.points if p.id in (PICK, EIGHT)] == ["knee, 8 bit", "recommended"]
    html = str(s02_table.draw(s02_table.record(run)).html)
    assert html.count('class="picked"') == 2


def test_designs_of_another_number_of_time_steps_have_another_shape(run):
    r = s01_front.record(run)
    points = tuple(dataclasses.replace(p, time_steps=1 if p.id == SMALL else 2) for p in r.points)
    drawn = s01_front.draw(dataclasses.replace(r, points=points))
    for name in ("front-memory", "front-energy"):
        shapes = {}
        for trace in drawn.plots[name]["data"]:
            symbols = trace["marker"].get("symbol") if isinstance(trace.get("marker"), dict) else None
            if isinstance(symbols, list):
                shapes |= dict(zip(trace["ids"], symbols, strict=True))
        assert shapes == {SMALL: "circle", PICK: "square", EIGHT: "square", FLOAT: "square"}


def test_hovering_shows_only_the_card_of_the_page(run):
    """Plotly's own label would show the position on the axis, which is the square root of a drop."""
    seen = {}
    for section in all_sections().values():
        for name, plot in section.draw(section.record(run)).plots.items():
            for trace in plot["data"]:
                if "ids" in trace and "hovertemplate" not in trace:
                    assert trace["hoverinfo"] == "none"
                    seen.setdefault(name, set()).update(trace["ids"])
    for name in AGAINST:
        assert seen[f"front-{name}"] == {FLOAT, EIGHT, PICK, SMALL}


def test_picks_are_compared_with_what_unseen_images_said(run):
    r = s03_picks.record(run)
    assert [p.layers_per_width for p in r.picks] == [{4: 2, 8: 1}, {8: 3}]
    assert [p.differs for p in r.picks] == [0, 2]
    assert [c.id for c in r.checked] == [EIGHT, PICK]
    assert r.shift == pytest.approx(((0.1 - 0.2) + (0.7 - 0.5)) / 2)


@pytest.mark.parametrize(("shift", "said"), [(0.3, "0.30 pp larger"), (-0.61, "0.61 pp smaller"), (0.0, "the same")])
def test_the_picks_show_the_drop_that_every_section_shows_and_say_which_way_it_moved(run, shift, said):
    r = s03_picks.record(run)
    text = s03_picks.draw(dataclasses.replace(r, shift=shift)).html
    table = re.search(r"Drop, unseen images</t[hd]>(.*?)</tr>", text, re.DOTALL)[1]
    cells = re.findall(r"<td[^>]*>(-?[−0-9.]+) pp<small>([−0-9.]+) … ([−0-9.]+), (\w+)", table)
    shown = [tuple(float(x.replace("−", "-")) for x in cell[:3]) for cell in cells]
    expected = [(p.design.unseen.drop, p.design.unseen.low, p.design.unseen.high) for p in r.picks]
    assert shown == [pytest.approx(each, abs=0.006) for each in expected]
    assert [cell[3] for cell in cells] == [p.design.unseen.status for p in r.picks]
    assert f"On average their drop there is {said}." in text


def test_the_heat_map_is_ordered_by_memory_with_the_share_of_every_layer(run):
    r = s04_bits.record(run)
    assert r.ids == (SMALL, PICK, EIGHT)
    assert r.widths == ((8, 2, 2), (8, 4, 4), (8, 8, 8))
    assert r.steps == (2, 4, 4)
    assert r.layers.weight_share == pytest.approx((0.1, 0.3, 0.6))
    assert r.layers.synop_share == pytest.approx((0.1, 0.3, 0.6))  # 400, 1200 and 2400 of 4000
    assert [name for name, _, _ in r.spans] == ["a", "b.0", "head"]
    assert len(set(r.palette.values())) == len(r.palette) == 4  # 2, 4, 8 and 32 bit


def test_measured_potentials_and_time_steps_have_a_table_of_their_own(run):
    weights = [dataclasses.replace(row, time_steps=4, drop=0.4, drop_low=0.1, drop_high=0.7) for row in run.sensitivity]
    others = [
        SensitivityRow("stage1", 4, math.nan, "state", 4, 9.0, 8.0, 10.0),
        SensitivityRow("T", 32, math.nan, "time_steps", 1, 2.0, 1.0, 3.0),
        SensitivityRow("MLP", 2, math.nan, "type", 4, 50.0, 49.0, 51.0),
    ]
    r = s05_sensitivity.record(dataclasses.replace(run, sensitivity=(*weights, *others)))
    assert r.quantity == "drop"
    assert set(r.groups) == {row.group for row in run.sensitivity}
    assert [(c.what, c.drop, c.low, c.high) for c in r.others] == [
        ("stage1: potentials at 4 bit", 9, 8, 10),
        ("T = 1", 2, 1, 3),
    ]
    html = str(s05_sensitivity.draw(r).html)
    assert "stage1: potentials at 4 bit" in html
    assert "8.00 … 10.00" in html
    assert "MLP" not in html


def test_sensitivities_are_sorted_by_the_fewest_bits(run):
    r = s05_sensitivity.record(run)
    assert r.quantity == "drop"
    assert [c.bits for c in r.curves] == [2, 4]
    assert r.curves[0].value == (3.0, 5.0, 4.0)
    assert r.curves[0].low == (2.0, 4.0, 3.0)
    assert r.order == (1, 2, 0)


def test_the_sensitivity_says_which_widths_are_drawn_and_which_are_not(run):
    page = str(s05_sensitivity.draw(s05_sensitivity.record(run)).html)
    assert "Only widths that were measured are drawn: 2 and 4 bit. Some designs also have 8 bit." in page
    scored = tuple(dataclasses.replace(row, drop=math.nan) for row in run.sensitivity)
    eight = tuple(dataclasses.replace(row, bits=8) for row in scored if row.bits == 4)
    page = str(s05_sensitivity.draw(s05_sensitivity.record(dataclasses.replace(run, sensitivity=scored + eight))).html)
    assert "Only widths that were scored are drawn: 2, 4 and 8 bit. Most sensitive" in page


def test_every_searched_width_is_in_the_sensitivity_chart(run):
    def score(group: str, bits: int) -> SensitivityRow:
        return dataclasses.replace(run.sensitivity[0], group=group, bits=bits, score=4.0**-bits, drop=math.nan)

    widths = (1, 2, 3, 4, 5, 6, 8, 16)
    table = tuple(score(group, bits) for group in ("a", "b") for bits in (*widths, 32))
    r = s05_sensitivity.record(dataclasses.replace(run, sensitivity=table))
    drawn = s05_sensitivity.draw(r)
    assert [c.bits for c in r.curves] == list(widths)
    assert [c.value for c in r.curves] == [(4.0**-b, 4.0**-b) for b in widths]
    assert [f"{b} bit" in drawn.html for b in widths] == [True] * len(widths)
    looks = [(trace["marker"]["color"], trace["marker"].get("symbol")) for trace in drawn.plots["sensitivity"]["data"]]
    assert len(set(looks)) == len(widths)


def test_coverage_counts_the_measurements_inside_their_interval(run):
    r = s06_prediction.record(run)
    # half widths 0.3, 0.4 and 1.0; s2: |3.0| > 1.96 * hypot(0.5, 1 / 1.96), the others are within
    assert r.coverage == pytest.approx(2 / 3)
    assert r.bias == pytest.approx((-0.1 + 0.1 + 3.0) / 3)
    mean = (0.2 + 0.5 + 5.0) / 3
    total = sum((x - mean) ** 2 for x in (0.2, 0.5, 5.0))
    assert r.r2 == pytest.approx(1 - (0.01 + 0.01 + 9.0) / total)
    assert r.rank == pytest.approx(1.0)


def test_contributions_are_changes_from_one_design_to_the_other(run):
    r = s06a_contributions.record(run)
    rounding, search = r.parts
    assert (rounding.memory, rounding.energy, rounding.drop, rounding.measured) == (0.0, 0.0, -20.0, True)
    assert (search.memory, search.energy) == (pytest.approx(-0.25), pytest.approx(-0.05))
    assert (search.drop, search.reach) == (pytest.approx(0.2), pytest.approx(0.196, abs=1e-3))
    assert r.search_saves == pytest.approx(0.25)
    html = str(s06a_contributions.draw(r).html)
    assert "takes 25.0 % less memory than the widths from gradient scores alone" in html
    assert "−20.00 ± 1.96 pp" in html
    assert "+0.20 ± 0.20 pp" in html
    assert "3.0 % more memory than" in str(
        s06a_contributions.draw(dataclasses.replace(r, search_saves=-0.03)).html
    )  # a pick that had to be safer than the scores' best


def test_energy_is_split_by_component_and_by_stage(run):
    r = s07_breakdown.record(run)
    assert r.compared == (("recommended", PICK), ("uniform 8", EIGHT))
    energy = r.parts["energy"]
    assert (energy.components, energy.stages) == (("weights", "compute"), ("a", "head"))
    assert energy.by_component[EIGHT] == pytest.approx((3e-6, 1e-6))
    assert energy.by_stage[EIGHT] == (pytest.approx((1e-6, 0.0)), pytest.approx((2e-6, 1e-6)))
    assert sum(energy.by_component[PICK]) == pytest.approx(2e-6)  # energy_j of results.csv
    assert r.parts["memory"].by_component[PICK] == (500,)
    assert r.binding == (("a", {"compute": 3e-6}), ("head", {"spike port": 1e-6}))
    assert "it is compute for 75 % of the layers&#39; time" in str(s07_breakdown.draw(r).html)


def test_firing_is_compared_with_the_float_network(run):
    r = s08_health.record(run)
    assert r.float_rate == pytest.approx((80 / 200, 30 / 100))
    assert r.rate == pytest.approx((100 / 200, 0.0))
    assert r.spike_change == pytest.approx(100 / 110 - 1)
    assert r.silent == 1
    assert r.moved == (1,)  # 0.4 to 0.5 is a quarter and no more
    assert r.dead == pytest.approx(((0.02 * 50 + 0.2 * 25) / 75, (0.04 * 50 + 25) / 75))
    assert r.saturated == pytest.approx((0.04 * 25 / 75, 0.0))


def test_constants_keep_unit_source_and_range(run):
    r = s09_hardware.record(run)
    first, second, _ = r.constants
    assert (first.key, first.value, first.unit, first.source) == ("sram.read", 10.0, "pJ", "Horowitz 2014, 45 nm")
    assert (first.low, first.high) == (5.0, 20.0)
    assert math.isnan(second.low)
    assert (r.ranged, r.name) == (1, "chip")


def test_the_widest_swing_comes_first_and_survival_names_designs(run):
    r = s10_robustness.record(run)
    assert [(s.constant, s.low, s.high) for s in r.swings] == [("sram.read", -0.2, 0.4), ("clock", 0.0, 0.1)]
    assert r.scenarios[0].tau == 0.8
    assert r.survival == {PICK: 0.75, SMALL: 1.0}
    assert [(t.objective, [(s.constant, s.low, s.high) for s in t.swings]) for t in r.others] == [
        ("memory_bytes", [("clock", 0.0, 0.0)]),
        ("latency_s", [("clock", 1.0, -0.5), ("sram.read", 0.0, 0.0)]),
    ]
    assert [(b.design, b.low, b.high) for b in r.bands] == [(PICK, 1e-6, 9e-6)]
    html = str(s10_robustness.draw(r).html)
    assert "9.00 µJ" in html
    assert "At worst the recommended design costs 4.0 % more" in html
    said = str(s10_robustness.draw(dataclasses.replace(r, notes=("all cost the same",))).html)
    assert "All cost the same." in said
    assert "Kendall's tau 0.8" not in said


def test_every_cost_that_was_searched_has_a_tornado_of_the_constants_that_change_it(run):
    drawn = s10_robustness.draw(s10_robustness.record(run))
    assert set(drawn.plots) == set(drawn.figures) == {"tornado", "tornado_latency_s"}
    low, high = drawn.plots["tornado_latency_s"]["data"]
    assert (list(low["y"]), list(low["x"]), list(high["x"])) == (["clock"], [100.0], [-50.0])
    assert "change of the latency" in str(drawn.plots["tornado_latency_s"]["layout"]["xaxis"]["title"])
    assert "No constant of the chip changes memory." in str(drawn.html)
    older = dataclasses.replace(s10_robustness.record(run), others=())  # a run of an earlier version
    assert set(s10_robustness.draw(older).plots) == {"tornado"}


def test_the_recommended_design_is_shown_under_every_form_of_the_datapath(run):
    r = s10_robustness.record(run)
    assert [(f.form, f.energy_saving) for f in r.forms] == [("ideal", 0.5), ("fixed", 0.125)]
    html = str(s10_robustness.draw(r).html)
    assert "saves 12.5 % to 50.0 % of the energy; this chip is ideal" in html
    assert "8 x 16 bit" in html
    assert "The form of the datapath" not in str(s10_robustness.draw(dataclasses.replace(r, forms=())).html)


def test_the_search_adds_up(run):
    r = s12_search.record(run)
    assert r.hypervolume == (0.10, 0.40, 0.55)
    assert r.baselines == 1
    assert sum(p.images for p in r.phases) == 3000
    assert r.failures == ("trial 7: out of memory",)
    assert "Scores trusted: their differences between layers count" in s12_search.draw(r).html


def test_a_row_of_the_codesign_is_a_setting_with_all_that_it_is_best_for(run):
    r = s11_codesign.record(run)
    assert [(c.id, c.gains, c.setting) for c in r.chips] == [
        (PICK, {"energy_j": 0.25, "power_w": 0.3333}, (128.0, "tick_batched", 2.0)),
        (PICK, {"latency_s": 0.5}, (512.0, "tick_batched", 1.0)),
        (SMALL, {"energy_j": 0.2}, (256.0, "tick_batched", 1.0)),
    ]
    page = str(s11_codesign.draw(r).html)
    assert "energy 25 %<br>power 33 %" in page
    assert "<small>knee, does not fit</small>" in page
    assert "The same in all rows: Data flow tick batched." in page
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", page)
    assert heads[:4] == ["Design", "Best for, saved", "Processing elements", "Weight memory [MiB]"]
    assert heads[-1] == "SRAM area"  # this chip states no area of processing elements
    assert "more of them cost no area here" in page


def test_best_chips_at_the_edge_of_the_sweep_are_named(run, tmp_path):
    assert s11_codesign.record(run).edges == (
        "Processing elements from 128 to 1,024: the least for energy and power.",
        "Weight memory from 0.5 MiB to 2 MiB: the greatest for energy and power.",
    )
    assert "so a better chip may lie beyond it" in str(s11_codesign.draw(s11_codesign.record(run)).html)
    out = by_hand.write(tmp_path / "run")
    wider = KNOBS + "processing_elements,64\nmemories.weights.size,4\n"
    (out / "knobs.csv").write_text(wider, encoding="utf-8")
    r = s11_codesign.record(read_run(out))
    assert r.edges == ()
    assert "edge" not in str(s11_codesign.draw(r).html)
    assert "did not record" not in str(s11_codesign.draw(r).html)
    (out / "knobs.csv").unlink()  # a run of an older version does not say what was swept
    r = s11_codesign.record(read_run(out))
    assert r.edges == ()
    assert "This run was made by a version that did not record the swept values" in str(s11_codesign.draw(r).html)


def test_a_chip_whose_elements_have_an_area_says_area(tmp_path):
    out = by_hand.write(tmp_path / "run")
    with (out / "hardware.csv").open("a") as file:
        file.write("element_area,139,um2,assumed,,\n")
    page = str(s11_codesign.draw(s11_codesign.record(read_run(out))).html)
    assert ">Area</th>" in page
    assert "cost no area" not in page


def test_designs_trained_further_stand_beside_their_drop_before(tmp_path):
    out = by_hand.write(tmp_path / "run")
    assert s12_search.record(read_run(out)).finetuned == ()
    head, _, _, pick, small = (out / "results.csv").read_text(encoding="utf-8").splitlines()
    trained = small.replace(",5.0,4.0,6.0,", ",1.5,1.0,2.0,")
    (out / "finetuned.csv").write_text("\n".join([head, trained, pick.replace("p4", "new")]), encoding="utf-8")
    r = s12_search.record(read_run(out))
    assert [(f.id, f.before, f.drop, f.low, f.high) for f in r.finetuned] == [
        (SMALL, 5.0, 1.5, 1.0, 2.0),
        ("new", None, 0.5, 0.1, 0.9),
    ]
    assert "Trained further" in s12_search.draw(r).html


def test_reproduction_names_what_made_the_run_and_local_changes(run):
    r = s13_reproduction.record(run)
    facts = dict(r.facts)
    assert facts["Source"] == f"commit {'c' * 40}, with local changes"
    assert facts["Seed"] == "5"
    assert "a" * 64 in facts["Checkpoint"]
    assert r.config == "hardware: chip\n"
    assert "give the same results.csv. All hashes" in s13_reproduction.draw(r).html
    shared = dataclasses.replace(r, command=f"{r.command} --storage sqlite:///study.db")
    assert "Several workers may propose other designs" in s13_reproduction.draw(shared).html


def test_every_section_draws_the_smallest_possible_run(tmp_path):
    out = by_hand.write(tmp_path / "bare")
    for name in ("breakdown", "spikes", "health", "sensitivity", "hardware", "verified", "predictions", "history"):
        (out / f"{name}.csv").unlink()
    (out / "codesign.csv").unlink()
    (out / "forms.csv").unlink()
    (out / "stability.json").unlink()
    bare = read_run(out)
    for section in all_sections().values():
        assert section.draw(section.record(bare)).html


def with_potentials(directory: Path, *designs: str) -> FinishedRun:
    """The run of four designs, some of which have 8 bit membrane potentials in stage `head`."""
    head, *lines = (directory / "results.csv").read_text(encoding="utf-8").splitlines()
    cells = ["8" if line.split(",")[0] in designs else "" for line in lines]
    table = [f"{head},v:head", *(f"{line},{cell}" for line, cell in zip(lines, cells, strict=True))]
    (directory / "results.csv").write_text("\n".join(table), encoding="utf-8")
    return read_run(directory)


def test_the_limits_name_the_arithmetic_that_the_designs_were_evaluated_with(run, tmp_path):
    assert "float32 arithmetic between layers" in s14_limits.arithmetic(run)
    every = s14_limits.arithmetic(with_potentials(by_hand.write(tmp_path / "all"), EIGHT, PICK, SMALL))
    assert every.startswith("Every design except the float network was evaluated as the integer network")
    assert "float32" not in every
    some = s14_limits.arithmetic(with_potentials(by_hand.write(tmp_path / "some"), PICK))
    assert some.startswith("1 of 3 designs except the float network was evaluated as the integer network")
    assert "The others have float32 membrane potentials" in some


def test_the_limits_of_a_run_are_those_that_its_manifest_records(tmp_path):
    out = by_hand.write(tmp_path / "run")
    plain = s14_limits.record(read_run(out)).here
    assert "1 evaluations failed and are missing from the tables." in plain
    assert not any("assumed" in line or "different inputs" in line or "another chip" in line for line in plain)
    told = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    told["checkpoint"]["assumed"] = "ck does not say time steps; assumed: time_steps 4"
    told |= {"mixed": ["data was a and is b"], "recosted_from": {"run": "first"}, "failures": []}
    (out / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    limits = s14_limits.record(read_run(out))
    assert set(limits.here) - set(plain) == {
        "ck does not say time steps; assumed: time_steps 4.",
        "The study joins evaluations that were made with different inputs; see Reproduction.",
        "The costs were computed again on another chip. The search used the costs of the first chip.",
    }
    assert not any("failed" in line for line in limits.here)
    assert all(line in str(s14_limits.draw(limits).html) for line in limits.here)


def test_spike_health_says_which_membrane_potentials_were_measured(run, tmp_path):
    html = str(s08_health.draw(s08_health.record(run)).html)
    assert "All rates were measured with float32 membrane potentials" in html
    assert "This table was measured" not in html
    out = by_hand.write(tmp_path / "fixed")
    html = str(s08_health.draw(s08_health.record(with_potentials(out, PICK))).html)
    assert "The rates of the picked design are those of its integer network" in html
    assert "This table was measured with float32 membrane potentials" in html
    head, *lines = (out / "health.csv").read_text(encoding="utf-8").splitlines()
    cells = ["fixed" if line.startswith(PICK) else "float" for line in lines]
    table = [f"{head},membrane", *(f"{line},{cell}" for line, cell in zip(lines, cells, strict=True))]
    (out / "health.csv").write_text("\n".join(table), encoding="utf-8")
    html = str(s08_health.draw(s08_health.record(read_run(out))).html)
    assert "This table was measured" not in html


def test_only_designs_that_the_search_measures_first_are_baselines(tmp_path):
    out = by_hand.write(tmp_path / "run")
    text = (out / "results.csv").read_text(encoding="utf-8")
    for strategy in ("guided", "qsvit", "greedy", "uniform", "guidedly"):
        (out / "results.csv").write_text(text.replace("tpe", strategy), encoding="utf-8")
        named = {"float": FLOAT, "uniform-8": EIGHT}
        assert read_run(out).baselines == (named | {"guided": PICK} if strategy == "guided" else named)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("results.csv", "p4,tpe,4,0.895", "p4,tpe,4,nan", r"results\.csv: line 4, top1"),
        ("results.csv", "w:head", "w:tail", r"w: columns and the weight layers of layers\.csv differ in head"),
        ("results.csv", "memory_bytes", "memory", r"results\.csv: has no column 'memory_bytes'"),
        ("verified.csv", "u8,0.1", "zz,0.1", r"verified\.csv: design zz is not in results\.csv"),
        ("picks.json", '"budgets"', '"limits"', r"picks\.json: has no 'budgets'"),
        ("manifest.json", "{", "", r"manifest\.json: line 1 is no JSON"),
        ("manifest.json", '"images": 1000', '"images": "many"', r"manifest\.json: data\.images is 'many'; expected a"),
        ("results.csv", "tpe,4,0.895", "tpe,4.5,0.895", r"results\.csv: line 4, time_steps is 4\.5; expected a whole"),
        ("stability.json", '"tau": 1.0', '"rho": 1.0', r"stability\.json: has no 'scenarios\[0\]\.tau'"),
    ],
)
def test_a_broken_file_is_one_line_with_its_name(tmp_path, name, old, new, told):
    out = by_hand.write(tmp_path / "run")
    text = (out / name).read_text(encoding="utf-8")
    assert old in text
    (out / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReportError, match=told) as raised:
        read_run(out)
    assert "\n" not in str(raised.value)


def test_every_energy_of_a_design_stands_with_its_band(run):
    design = by_hand.STABILITY["energy_bands"][0]["design"]
    known = [d.id for d in run.designs if d.energy_band]
    assert known == [run.designs[design].id] == [PICK]
    assert run.by_id(PICK).energy_band == (1e-6, 9e-6)
    said = "<small>1.00 \N{MICRO SIGN}J … 9.00 \N{MICRO SIGN}J</small>"
    for section in (s02_table, s03_picks):
        html = str(section.draw(section.record(run)).html)
        assert html.count("J</small>") == html.count(said) == 1, section
    parts = s07_breakdown.record(run)
    assert parts.bands[PICK] == (1e-6, 9e-6)
    assert said in str(s07_breakdown.draw(parts).html)


def banded(out: Path) -> FinishedRun:
    """The run by hand where every energy that it holds has ends: half and double."""
    directory = by_hand.write(out)
    results, stability = pd.read_csv(directory / "results.csv"), dict(by_hand.STABILITY)
    energies = results["energy_j"]
    stability["energy_bands"] = [
        {"design": i, "value": e, "low": e / 2, "high": 2 * e} for i, e in zip(results["id"], energies, strict=True)
    ]
    (directory / "stability.json").write_text(json.dumps(stability), encoding="utf-8")
    forms = pd.read_csv(directory / "forms.csv")
    ends = {"energy_low": forms["energy_j"] / 2, "energy_high": 2 * forms["energy_j"]}
    forms.assign(**ends).to_csv(directory / "forms.csv", index=False)
    parts = pd.read_csv(directory / "breakdown.csv").query("quantity == 'energy_j'")
    sums = [parts.assign(layer="", stage=""), parts.assign(component=""), parts.assign(layer="")]
    table = pd.concat(sums).groupby(["id", "stage", "layer", "component"])["value"].sum().reset_index()
    places = [("on chip, spiking rows", 0), ("on chip, multi-bit rows", 2e-6), ("dram", 0), ("leakage", 0)]
    table = pd.concat(
        [table, pd.DataFrame([{"id": PICK, "layer": "", "component": n, "value": v} for n, v in places])],
    )
    dram = pd.DataFrame([{"id": PICK, "layer": n, "component": "dram", "value": 0.0} for n in ("a.conv", "head")])
    table = (
        pd.concat([table, dram])
        .fillna({"stage": ""})
        .assign(energy_low=lambda t: t["value"] / 2, energy_high=lambda t: 2 * t["value"])
    )
    table.rename(columns={"value": "energy_j"}).to_csv(directory / "energy_parts.csv", index=False)
    codesign = pd.read_csv(directory / "codesign.csv")
    codesign.assign(energy_low=1e-7, energy_high=1e-5).to_csv(directory / "codesign.csv", index=False)
    return read_run(directory)


ENERGY = r"[\d.,]+ [nµm]?J\b"


def test_no_energy_of_the_report_stands_without_its_band(tmp_path):
    """Every amount in J is followed by its ends, or is one of them, or is a column of ends."""
    run = banded(tmp_path / "run")
    met = set()
    for name, section in all_sections().items():
        html = str(section.draw(section.record(run)).html)
        text = re.sub(rf"(?:<small>|\(){ENERGY} … {ENERGY}(?:</small>|\))", "[ends]", html)
        for found in re.finditer(ENERGY, text):
            met.add(name)
            if text[found.end() :].lstrip().startswith("[ends]"):
                continue
            head = text[text.rfind("<thead", 0, found.start()) : found.start()].split("</thead>")[0]
            assert "Least" in head, (name, text[found.start() - 200 : found.end() + 60])
    assert len(met) >= 7, met
    parts = s07_breakdown.record(run)
    for chart in (s07_breakdown.stage_chart(parts, "energy"), s07_breakdown.component_chart(parts, "energy")):
        said = [text for bars in chart.marks for text in bars.hover]
        assert said
        assert all(re.search(rf"{ENERGY} \({ENERGY} … {ENERGY}\)|: 0 J$", text) for text in said), said
    assert parts.stage_bands[PICK]["head"]["compute"] == pytest.approx((0.25e-6, 1e-6))


def test_an_infeasible_design_says_what_it_misses_and_what_does_not_fit(tmp_path):
    out = by_hand.write(tmp_path / "run")
    results = pd.read_csv(out / "results.csv").assign(reasons="", area_mm2=2.0)
    small = results["id"] == SMALL
    results.loc[small, "reasons"] = "an inference takes 2 s: lower the rate; all weights need 9 bytes"
    results.loc[small, ["feasible", "drop", "power_w"]] = False, 5.0, math.nan
    results.to_csv(out / "results.csv", index=False)
    picks = json.loads((out / "picks.json").read_text(encoding="utf-8"))
    (out / "picks.json").write_text(json.dumps(picks | {"budgets": {"drop": 1.0}}), encoding="utf-8")
    run = read_run(out)
    assert run.by_id(SMALL).area_mm2 == 2.0
    rows = {row.id: row for row in s02_table.record(run).rows}
    assert rows[SMALL].reasons == (
        *("an inference takes 2 s: lower the rate", "all weights need 9 bytes"),
        "accuracy drop 5.00 pp, the budget is 1.00 pp",
    )
    assert rows[PICK].reasons == ()
    assert math.isnan(rows[SMALL].power_w)
    assert "<small>all weights need 9 bytes</small>" in str(s02_table.draw(s02_table.record(run)).html)


def test_layers_stand_with_what_binds_them_and_kinds_of_rows_apart(run):
    r = s07a_layers.record(run)
    assert r.design == PICK
    assert [(c.layer, c.binding, c.time_s) for c in r.layers] == [
        ("a.conv", "compute", 3e-6),
        ("head", "spike port", 1e-6),
    ]
    assert [c.energy_j for c in r.layers] == pytest.approx([0.5e-6, 1.5e-6])
    assert sum(c.energy_j for c in r.layers) == pytest.approx(r.spiking_j + r.multibit_j + r.off_chip_j + r.static_j)
    assert (r.off_chip_j, r.static_j) == (0, 0)
    html = str(s07a_layers.draw(r).html)
    assert "spike port" in html
    assert s07a_layers.record(dataclasses.replace(run, layer_costs=())) is None
    assert "the layers of the recommended design" in str(s07a_layers.draw(None).html)
