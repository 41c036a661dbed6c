"""The study's cells and tables, on rows whose figures are known by hand."""

import re

import pandas as pd
import pytest
import study
import study_cells
import study_rows
import study_run
import study_tables
from study import PAGE, README, carry_out

from dse.errors import ConfigError

BASE = {
    "network": "sdtv2_tiny_fashion_mnist",
    "rounding": "compensated",
    "budget": 1.0,
    "variant": "",
    "time_steps": 2,
    "passed": True,
    "drop": 0.4,
    "evaluations": 100,
    "images": 200_000,
    "seconds": 120.0,
    "mean_bits": 3.0,
    "float_memory_bytes": 4_000_000,
    "energy:generic_45nm:ideal": 3.0,
    "energy8:generic_45nm:ideal": 4.0,
    **{
        f"energy{which}:generic_45nm:{form}": 1.0
        for which in ("", "8")
        for form in ("fixed", "decomposable", "bit_serial")
    },
    "bytes:weights": 90_000.0,
}


def row(method: str, seed: int, memory: float, **changes: object) -> dict[str, object]:
    cell = f"{method}-{seed}"
    return BASE | {"cell": cell, "method": method, "seed": seed, "memory_bytes": memory} | changes


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            row("posterior", 0, 100_000),
            row("posterior", 1, 120_000, drop=1.2),
            row("guided_sweep", 0, 200_000),
            row("guided_sweep", 1, 160_000),
            row("uniform", 0, 400_000),
            row("uniform", 1, 925_000, passed=False),
            row("nsga2", 0, 925_000, passed=False),
            row("posterior", 0, 300_000, rounding="nearest"),
        ]
    )


def lines(text: str) -> dict[str, list[str]]:
    """The cells of a table by their line's first one."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {line[0]: line[1:] for line in found}


def test_a_method_is_its_median_between_its_extremes_against_what_passed_on_the_same_seed(rows):
    found = lines(study_tables.TABLES["core"](rows))
    ours = found["svit-dse"]
    assert ours[:2] == ["110.0 (100.0 to 120.0)", "3.00"]
    assert ours[2] == "+37.5 (+25.0 to +50.0)"  # 1 - 100 / 200 and 1 - 120 / 160
    assert ours[3] == "+75.0"  # uniform passed on seed 0 only
    assert ours[4] == "25.0 / 0.0"
    assert ours[5:8] == ["+0.80 (+0.40 to +1.20)", "1 of 2", "2 of 2"]
    assert ours[8:] == ["100", "200", "2 of 5"]
    assert found["NSGA-II"][7] == "0 of 1"
    assert found["TPE"][0] == "not run"
    assert found["float network"][0] == "4000.0"


def test_energy_is_stated_against_uniform_8_bits_of_the_same_chip_and_form(rows):
    found = lines(study_tables.TABLES["forms"](rows))
    assert found["svit-dse"] == ["`generic_45nm`", "25.0", "0.0", "0.0", "0.0"]


def test_an_ablation_stands_beside_the_search_as_it_is_and_in_no_other_table(rows):
    changed = row("posterior", 0, 150_000, variant="shifts", time_steps=1, drop=1.1, passed=False)
    found = lines(study_tables.TABLES["ablations"](pd.concat([rows, pd.DataFrame([changed])])))
    assert found["as it is"][0] == "110.0 (100.0 to 120.0)"
    assert found["scales are powers of two"][:5] == ["150.0", "3.00", "1", "3000000.00", "25.0 / 0.0"]
    assert found["scales are powers of two"][5:] == ["+1.10", "0 of 1", "0 of 1", "100"]
    assert found["one time step"][0] == "not run"
    assert study_tables.TABLES["core"](pd.concat([rows, pd.DataFrame([changed])])) == study_tables.TABLES["core"](rows)


def test_a_variant_changes_what_it_says_and_the_rest_stays():
    plain = study_cells.cells(["core"], "*-posterior-*seed1")[0]
    for cell in study_cells.cells(["ablations"], "*seed1-*"):
        changes = study_cells.VARIANTS[cell.variant][1]
        before, after = (each.config.model_dump() for each in (plain, cell))
        differing = {
            (section, key)
            for section in changes
            for key in after[section]
            if before[section][key] != after[section][key]
        }
        assert differing == {(section, key) for section, each in changes.items() for key in each}, cell.name
        assert {key: before[key] for key in before.keys() - changes} == {
            key: after[key] for key in after.keys() - changes
        }


def test_the_measured_pick_is_the_least_memory_within_the_budget_by_the_search_images():
    table = pd.DataFrame(
        {
            "id": ["f", "a", "b", "c"],
            "origin": ["float", "guided", "posterior", "posterior"],
            "drop": [0, 0.9, 1.0, 1.1],
        }
        | {"memory_bytes": [1.0, 4.0, 3.0, 2.0]}
    )
    assert study_run._by_measured_drop(table, 1.0) == "b"


def test_a_table_takes_the_rows_of_its_rounding_only(rows):
    found = lines(study_tables.TABLES["nearest"](rows))
    assert found["svit-dse"][0] == "300.0"
    assert "No cell" in study_tables.TABLES["glyphs"](rows)
    assert lines(study_tables.TABLES["parts"](rows))["NSGA-II"] == ["90.0"]


def test_rounding_and_allocation_save_alone_and_after_the_other(rows):
    more = [row("uniform", 0, 500_000, rounding="nearest"), row("uniform", 1, 950_000, rounding="nearest")]
    found = lines(study_tables.TABLES["decomposition"](pd.concat([rows, pd.DataFrame(more)])))
    # seed 0 alone has both roundings of svit-dse: 1 - 100 / 300; 1 - 300 / 500; 1 - 100 / 400
    assert found["svit-dse"] == ["300.0", "100.0", "+66.7", "+40.0", "+75.0"]
    assert found["narrowest uniform width"][2] == "+11.3 (+2.6 to +20.0)"  # 1 - 400 / 500 and 1 - 925 / 950
    assert found["narrowest uniform width"][3:] == ["", ""]
    assert "NSGA-II" not in found


@pytest.mark.parametrize("page", [PAGE, README], ids=["study.md", "README.md"])
def test_every_mark_of_a_page_is_a_table_and_the_page_is_that_of_its_rows(page):
    text = page.read_text(encoding="utf-8")
    assert "<!-- table: " in text
    assert study_tables.filled(text, study_rows.known()) == text


def test_a_search_of_other_code_is_one_line(tmp_path, monkeypatch, capsys):
    def refused(cell: object, work: object) -> None:
        raise ConfigError("study.journal: code: was 1, is 2")

    monkeypatch.setattr(study.study_run, "run", refused)
    monkeypatch.setattr("sys.argv", ["study.py", "small", "--rows", str(tmp_path), "--work", str(tmp_path / "work")])
    with pytest.raises(SystemExit) as ended:
        study.main()
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2
    assert "study.journal: code: was 1, is 2" in said
    assert f"remove {tmp_path / 'work'}" in said


def test_cells_come_seed_by_seed_with_names_of_their_own():
    every = study_cells.cells(list(study_cells.PARTS))
    assert len({cell.name for cell in every}) == len(every)
    assert [cell.seed for cell in every] == sorted(cell.seed for cell in every)
    core = study_cells.cells(["core"], "*nsga2*")
    assert [(cell.method, cell.seed, cell.evaluations) for cell in core] == [("nsga2", s, 100) for s in range(5)]
    assert study_cells.cells(["core"], "*uniform*")[0].config.search.strategy == "guided"


def test_methods_without_a_search_share_one(tmp_path):
    uniform, guided, nsga2 = (
        study_cells.cells(["core"], f"*-{each}-*seed1")[0] for each in ("uniform", "guided", "nsga2")
    )
    assert uniform.run == guided.run != nsga2.run
    assert uniform.name != guided.name


def test_a_cell_with_a_row_is_not_run_again(tmp_path):
    cell, other = study_cells.cells(["core"])[:2]
    assert study_rows.state(cell, tmp_path) == "open"
    study_rows.keep(cell, {"cell": cell.name, "memory_bytes": 1.0}, tmp_path)
    study_rows.keep(other, {"cell": other.name, "memory_bytes": 2.0}, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    carry_out([cell, other], tmp_path, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert list(study_rows.known(tmp_path)["cell"]) == sorted([cell.name, other.name])


def test_a_row_is_old_when_its_settings_or_its_strategy_have_changed_since(tmp_path, monkeypatch):
    cell = study_cells.cells(["core"], "*nsga2*seed0")[0]
    study_rows.keep(cell, {"cell": cell.name}, tmp_path)
    monkeypatch.setitem(study_cells.IMAGES, "fashion_mnist", (1000, 1000))
    monkeypatch.setattr(study_rows, "strategy_files", lambda name: ["dse/strategies/random.py"])
    assert study_rows.state(cell, tmp_path) == "old: other settings, strategy"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('"""Other words."""\n\n\ndef drop(x):\n    # a remark\n    return (\n        x + 1\n    )\n', True),
        ('def drop(x):\n    """What it gives."""\n    return x + 1\n', True),
        ("from dse.elsewhere import Space\n\n\ndef drop(x):\n    return x + 1\n", True),
        ("def drop(x):\n    return x + 2\n", False),
    ],
)
def test_remarks_and_layout_of_a_strategy_decide_no_figure(tmp_path, monkeypatch, text, same):
    cell = study_cells.cells(["small"])[0]
    monkeypatch.setattr(study_rows, "ROOT", tmp_path)
    monkeypatch.setattr(study_rows, "strategy_files", lambda name: ["s.py"])
    (tmp_path / "s.py").write_text("def drop(x):\n    return x + 1\n", encoding="utf-8")
    before = study_rows.depends(cell)
    (tmp_path / "s.py").write_text(text, encoding="utf-8")
    assert (study_rows.depends(cell) == before) is same


def test_the_row_of_the_cell_that_is_run_again_belongs_to_this_code():
    (cell,) = study_cells.cells(["small"])
    assert study_rows.state(cell) == "done", "run `python benchmarks/study.py small` and commit the row"


def test_a_strategy_is_its_file_and_what_it_proposes_with():
    default, scripted = study_rows.strategy_files("posterior"), study_rows.strategy_files("qsvit")
    assert {"dse/strategies/posterior.py", "dse/optimize/lagrangian.py", "dse/strategies/base/sampler.py"} <= set(
        default
    )
    assert "dse/surrogate/posterior.py" in default
    assert "dse/strategies/posterior.py" not in scripted
    assert "dse/results/verification.py" in set(default) & set(scripted)  # the last designs of every search
    assert not [path for path in default if path.startswith(("dse/problem", "dse/exploration"))]


def tables(page: str) -> dict[str, list[list[str]]]:
    """The lines between the marks of a page, as cells, by the table's name."""
    found = re.findall(r"<!-- table: ([a-z-]+) -->\n\n(.*?)\n\n<!-- end -->", page, re.S)
    return {name: [[c.strip() for c in line[1:-1].split("|")] for line in text.splitlines()] for name, text in found}


def test_every_table_of_the_page_parses_as_numbers_under_its_heads():
    found = tables(PAGE.read_text(encoding="utf-8"))
    assert set(found) == set(study_tables.TABLES)
    made = {name: table for name, table in found.items() if len(table) > 1}
    assert {"core", "forms", "parts", "nearest"} <= set(made)
    for name, (head, rule, *body) in made.items():
        assert set(rule) == {"---"}, name
        assert len(body) >= 2, name
        for line in body:
            assert len(line) == len(head), (name, line)
            values = [cell for cell in line[1:] if cell not in ("", "not run") and not cell.startswith("`")]
            assert all(re.fullmatch(r"[-+.\d() /]*(?: (?:to|of) [-+.\d() /]*)*", cell) for cell in values), (name, line)


def test_what_the_readme_quotes_of_the_study_stands_in_its_table_under_the_same_head():
    page = tables(PAGE.read_text(encoding="utf-8"))
    for name in ("glyphs", "second"):
        memory = {line[0]: line[1].split()[0] for line in page[name]}
        said = [memory[method] for method in ("svit-dse", "narrowest uniform width", "QSViT-like")]
        assert all(figure in README.read_text(encoding="utf-8") for figure in said)
    head, _, *body = page["core"]
    study = {line[0]: dict(zip(head, line, strict=True)) for line in body}
    quoted, _, *rows = tables(README.read_text(encoding="utf-8"))["headline"]
    assert len(rows) >= 4
    assert {line[0] for line in rows} >= {"svit-dse", "QSViT-like", "narrowest uniform width"}
    for line in rows:
        for column, cell in zip(quoted, line, strict=True):
            assert cell == study[line[0]][column], (line[0], column)
