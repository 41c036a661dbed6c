"""Hardware files: what is shipped, what is refused and how, and where each number comes from."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

import costmodels
from costmodels import CostError, ExtrapolationWarning, estimate, hardware_names, hardware_table, lint, load_hardware
from costmodels import dataflows as flows
from costmodels.hardware.library import CHIPS
from costmodels.hardware.op_energy import DATA, op_tables
from tests.costmodels.small import plain_text, two_layers

SCHEMA = DATA / "hardware.schema.json"


def test_at_least_six_chips_and_four_data_flows_are_shipped():
    assert {"literature_45nm", "generic_45nm", "generic_22nm", "loihi_like", "seneca_like", "tick_batched_28nm"} <= set(
        hardware_names()
    )
    assert set(flows.names()) >= {"event_driven", "literature", "tick_batched", "time_step_major"}


@pytest.mark.parametrize("chip", hardware_names())
def test_every_number_of_every_chip_has_unit_and_source(chip: str):
    table = load_hardware(chip).constants()
    assert list(table.columns) == ["key", "value", "unit", "source", "low", "high"]
    assert table["key"].is_unique
    assert (table["source"].str.len() > 3).all()
    assert (table["unit"].str.len() > 0).all()
    assert table["value"].notna().all()
    known = table[table["low"].notna()]
    assert (known["low"] <= known["value"] * (1 + 1e-9)).all()


@pytest.mark.parametrize("chip", hardware_names())
def test_every_chip_follows_the_published_schema(chip: str):
    schema = json.loads(SCHEMA.read_text())
    tree = YAML(typ="safe").load((CHIPS / f"{chip}.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tree, schema)
    assert lint(chip) == []


def test_the_published_schema_is_current():
    made = json.loads(json.dumps(costmodels.json_schema()))
    assert json.loads(SCHEMA.read_text()) == made, (
        "write it anew: python -c 'import json, costmodels; print(json.dumps(costmodels.json_schema(), indent=1))'"
        " > costmodels/data/hardware.schema.json"
    )


def test_the_list_of_chips_names_their_hash():
    table = hardware_table()
    assert tuple(table["name"]) == hardware_names()
    assert table["sha256"].str.fullmatch("[0-9a-f]{64}").all()


def _line_of(text: str, what: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if what in line)


MISTAKES = [
    ("value: 0.1, unit: pJ/bit", "value: -0.1, unit: pJ/bit", "register_per_bit", "greater than or equal to 0"),
    ("value: 0.1, unit: pJ/bit", "value: .nan, unit: pJ/bit", "register_per_bit", "finite"),
    ("value: 0.1, unit: pJ/bit", "value: lots, unit: pJ/bit", "register_per_bit", "valid number"),
    ("value: 0.1, unit: pJ/bit", "value: 0.1, unit: furlong", "register_per_bit", "unknown unit; expected 'fJ/bit', "),
    ("value: 0.1, unit: pJ/bit", "value: 0.1, unit: pJ", "register_per_bit", "unknown unit"),
    (
        "register_per_bit: {value: 0.1, unit: pJ/bit, source: test}",
        "register_per_bit: 0.1",
        "register_per_bit",
        "mapping",
    ),
    ("{value: 1, unit: MB/s, source: test}", "{value: 1, unit: MB/s}", "bandwidth", "dram.bandwidth.source is missing"),
    ("{value: 1, unit: MHz, source: test}", "{value: 0, unit: MHz, source: test}", "clock", "greater than 0"),
    ("weight_widths: [1, 2, 3, 4, 8]", "weight_widths: []", "weight_widths", "at least 1 item"),
    ("weight_widths: [1, 2, 3, 4, 8]", "weight_widths: [4, 20]", "weight_widths", "20 is not supported"),
    ("dataflow: tick_batched", "dataflow: tick_batch", "dataflow", "unknown data flow 'tick_batch'; there are"),
    ("table: horowitz", "table: horrorwitz", "table", "unknown op-energy table 'horrorwitz'; there are"),
    ("control_factor:", "control_factr:", "control_factr", "did you mean 'control_factor'?"),
    ("accumulator: grown", "accumulator: huge", "accumulator: huge", "expected 'grown' or 'fixed'"),
    (
        "value: 5, unit: pJ/bit, source: test",
        "value: 5, low: 6, unit: pJ/bit, source: test",
        "low: 6",
        "low 6 is above value 5",
    ),
    ("value: 32, unit: bit", "value: 3.5, unit: bit", "accumulator_bits", "multiple of 1"),
]


@pytest.mark.parametrize(("old", "new", "at", "message"), MISTAKES)
def test_mistakes_are_one_line_with_file_line_and_remedy(old: str, new: str, at: str, message: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = plain_text().replace(old, new)
    assert text != plain_text()
    path.write_text(text)
    with pytest.raises(CostError) as error:
        load_hardware(path)
    shown = str(error.value)
    assert "\n" not in shown
    assert shown.startswith(f"{path}:{_line_of(text, at)}: "), shown
    assert message in shown
    assert shown in lint(path)


def test_a_missing_energy_is_refused(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = plain_text().replace("  energy: {value: 5, unit: pJ/bit, source: test}\n", "")
    path.write_text(text)
    with pytest.raises(CostError) as error:
        load_hardware(path)
    shown = str(error.value)
    assert (
        shown
        == f"{path}:{_line_of(text, 'dram:')}: dram.energy is missing; add it as {{value: ..., unit: ..., source: ...}}"
    )


def test_a_missing_memory_is_refused(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = plain_text("event_driven")
    start = text.index("  states: \n" if "  states: \n" in text else "  states:")
    path.write_text(text[:start] + text[text.index("  spikes:") :])
    with pytest.raises(CostError, match=r"mine.yaml:\d+: memories.states is missing; data flow event_driven needs it"):
        load_hardware(path)


def test_lint_names_every_mistake(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(plain_text().replace("unit: MHz", "unit: moon").replace("value: 5,", "value: -5,"))
    assert len(lint(path)) == 2


def test_lint_names_what_sections_and_the_data_flow_lack_at_once(tmp_path: Path):
    """A wrong unit, two energies of a memory and a memory that the data flow needs: one round, not three."""
    text = (CHIPS / "seneca_like.yaml").read_text(encoding="utf-8")
    states = text.index("\n  states:")
    for key in ("device", "temperature", "read", "write"):
        line = text.index(f"\n    {key}:", states)
        text = text[:line] + text[text.index("\n", line + 1) :]
    text = text.replace("\n  weights:\n", "\n  weight_memory:\n").replace("unit: MHz", "unit: kg")
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    mistakes = lint(path)
    assert any("unknown key memories.weight_memory" in line for line in mistakes)
    assert any("memories.weights is missing; data flow event_driven needs it" in line for line in mistakes)
    assert any("memories.states: read, write" in line and "are missing; give them" in line for line in mistakes)
    assert any("clock.unit" in line for line in mistakes)


def test_lint_names_all_entries_that_do_not_fit_each_other(tmp_path: Path):
    text = (CHIPS / "generic_45nm.yaml").read_text(encoding="utf-8")
    text = text.replace("positions: {value: 16", "positions: {value: 8").replace("[1, 2, 3", "[1, 20, 24")
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    geometry, first, second = lint(path)
    assert "8 positions x 512 channels are 4096 elements, processing_elements is 8192" in geometry
    assert "weight_widths: 20 is not supported" in first
    assert "weight_widths: 24 is not supported" in second


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title: [", "not valid YAML"),
        ("- 1\n- 2\n", "expected keys such as"),
        ("!!python/object/apply:os.system ['true']\n", "expected keys such as"),
        ("", "expected keys such as"),
    ],
)
def test_other_text_is_refused(content: str, message: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(CostError, match=message):
        load_hardware(path)


def test_an_unknown_chip_is_refused_with_the_known_ones():
    with pytest.raises(CostError, match=r"pentium: neither a file nor a shipped accelerator; there are .*generic_22nm"):
        load_hardware("pentium")
    assert lint("pentium")


def test_a_users_own_file_is_one_path(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text((CHIPS / "generic_45nm.yaml").read_text())
    mine, shipped = load_hardware(path), load_hardware("generic_45nm")
    assert mine.name == "mine"
    assert mine.sha256 == shipped.sha256
    assert estimate(two_layers(), mine, 4).energy_j == estimate(two_layers(), shipped, 4).energy_j


def test_op_energies_follow_the_node():
    old, new = load_hardware("generic_45nm"), load_hardware("generic_22nm")
    # Stillmaker & Baas: 0.294 from 45 to 22 nm
    ratio = new.chip.add_per_bit / old.chip.add_per_bit
    assert ratio == pytest.approx(0.294, abs=5e-4)
    assert new.chip.dram_energy == old.chip.dram_energy  # DRAM is not scaled
    assert "x 0.294 from 45 to 22 nm" in new.table["compute.add_per_bit"].source


def test_every_op_table_has_the_same_entries():
    keys = {frozenset(table.entries) for table in op_tables().values()}
    assert len(keys) == 1
    assert len(op_tables()) >= 4


def test_constants_can_be_changed_one_at_a_time():
    chip = load_hardware("generic_45nm")
    changed = chip.with_constant("dram.energy", 1e-12)
    assert changed.chip.dram_energy == 1e-12
    assert chip.chip.dram_energy == 8e-12
    with pytest.raises(CostError, match=r"has no constant 'dram\.colour'"):
        chip.with_constant("dram.colour", 1.0)
    with pytest.raises(CostError, match="states energies per operation"):
        load_hardware("loihi_like").with_op_table("horowitz")


def test_a_memory_outside_the_grid_warns(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = (CHIPS / "generic_45nm.yaml").read_text().replace("value: 4, unit: MiB", "value: 4096, unit: MiB")
    path.write_text(text)
    with pytest.warns(ExtrapolationWarning, match="outside the CACTI grid"):
        load_hardware(path)


def test_a_node_without_sram_data_asks_for_the_numbers(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text((CHIPS / "generic_45nm.yaml").read_text().replace("node: {value: 45", "node: {value: 14"))
    with pytest.raises(
        CostError, match=r"node 14 nm is outside the CACTI grid.*give read, write, leakage, area and cycle"
    ):
        load_hardware(path)


@pytest.mark.parametrize("chip", hardware_names())
def test_loading_a_shipped_chip_warns_of_nothing(chip: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_hardware(chip)


def test_importing_the_package_needs_neither_torch_nor_pandas():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['optuna'] = None\n"
        "import costmodels as c; c.load_hardware('generic_45nm'); c.hardware_rows()\n"
        "assert 'pandas' not in sys.modules\n"
        "c.estimate(c.Workload.example('sdtv2_8_256'), c.load_hardware('generic_45nm'), 4)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
