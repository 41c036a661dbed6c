"""A data flow of the user's own, named by a chip file: costed as it says, identified by its content, checked."""

from pathlib import Path

import pytest

import costmodels
from costmodels import CostError, estimate, lint, load_hardware
from costmodels import dataflows as flows
from costmodels.hardware.library import CHIPS
from tests.costmodels.small import two_layers
from tests.own_code import DATAFLOW, installed

ALL = '("weights", "states", "spikes")'
SHIPPED = (Path(flows.__file__).parent / "time_step_major.py").read_text()


def chip(folder: Path, dataflow: str, name: str = "generic_45nm") -> Path:
    """A shipped chip with another data flow."""
    text = (CHIPS / f"{name}.yaml").read_text()
    known = next(line for line in text.splitlines() if line.startswith("dataflow:"))
    path = folder / "mychip.yaml"
    path.write_text(text.replace(known, f"dataflow: {dataflow}"))
    return path


def test_a_copy_of_a_shipped_data_flow_costs_the_same_bits(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SHIPPED)
    own = load_hardware(chip(tmp_path, "mine.py"))
    monkeypatch.chdir("/")  # the file is found from the chip's, wherever the command runs
    (tmp_path / "same").mkdir()
    same = load_hardware(chip(tmp_path / "same", "time_step_major"))
    first, second = (estimate(two_layers(), each, [4, 4]) for each in (own, same))
    for column in ("energy_j", "latency_s", "memory_bytes", "power_w"):
        assert getattr(first, column).tobytes() == getattr(second, column).tobytes()


def test_its_counts_are_what_is_charged(tmp_path):
    (tmp_path / "mine.py").write_text(
        DATAFLOW.replace("load.synops, m", "1000.0 + load.synops * 0, m").replace(ALL, "()")
    )
    own = load_hardware(chip(tmp_path, "mine.py", "literature_45nm"))
    # 1000 accumulates of fp32 in each of the two rows, 0.9 pJ each, and nothing else
    assert float(estimate(two_layers(), own, [32, 32]).energy_j) == pytest.approx(2 * 1000 * 0.9e-12, rel=1e-9)


def test_the_chip_is_another_one_when_the_file_changes(tmp_path):
    file, path = tmp_path / "mine.py", chip(tmp_path, "mine.py")
    file.write_text(SHIPPED)
    first = load_hardware(path)
    assert load_hardware(path).sha256 == first.sha256
    file.write_text(SHIPPED + "\n# longer\n")
    assert load_hardware(path).sha256 != first.sha256
    assert costmodels.own_dataflow_files(path) == (file,)
    assert costmodels.own_dataflow_files("generic_45nm") == ()


def test_an_object_of_the_file_and_an_installed_package_are_named_as_well(tmp_path):
    flow = DATAFLOW.replace("\nREQUIRES", "\nclass Flow:\n    REQUIRES").replace("MEASURED", "    MEASURED")
    flow = flow.replace("PIPE", "    PIPE").replace("RESID", "    RESID")
    flow = flow.replace("def counts(load", "    def counts(self, load").replace("    return", "        return")
    (tmp_path / "mine.py").write_text(flow + "\nmine = Flow()\n")
    by_file = load_hardware(chip(tmp_path, "mine.py:mine"))
    with installed(tmp_path, {"svit_dse.dataflows": "fetch_all = own_flow"}, own_flow=DATAFLOW):
        by_name = load_hardware(chip(tmp_path, "fetch_all"))
        costs = [estimate(two_layers(), each, [4, 4]).energy_j for each in (by_file, by_name)]
    flows._of_name.cache_clear()
    assert float(costs[0]) == float(costs[1]) > 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MEASURED = ()\n", "", r"dataflow: .*mine.py has no MEASURED; a data flow defines REQUIRES, MEASURED, "),
        ('"weights", ', '"weight", ', r"REQUIRES is \('weight', .*expected a tuple of weights, states, spikes"),
        ("PIPELINED = False", "PIPELINED = 0", r"PIPELINED is 0; expected True or False"),
        ("PIPELINED = False", "PIPELINED = 1 / 0", r"mine.py: line \d: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_is_no_data_flow_is_one_line(tmp_path, old, new, message):
    assert old in DATAFLOW
    (tmp_path / "mine.py").write_text(DATAFLOW.replace(old, new))
    path = chip(tmp_path, "mine.py")
    with pytest.raises(CostError, match=message) as said:
        load_hardware(path)
    assert "\n" not in str(said.value)
    assert lint(path) == [str(said.value)]


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(CostError, match=r"mychip.yaml:\d+: dataflow: unknown data flow 'tick'; there are .*FILE.py"):
        load_hardware(chip(tmp_path, "tick"))
    with pytest.raises(CostError, match=r"none.py: no such Python file"):
        load_hardware(chip(tmp_path, "none.py"))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("load.synops[:1].repeat(7)", r"additions has the shape \(7,\); expected one number of actions for each of"),
        ("-1 * load.synops", "additions has values that are no number of actions, at least 0"),
        ("load.spike", r"mine.py: line \d+: AttributeError: 'Load' object has no attribute 'spike'"),
    ],
)
def test_counts_that_are_none_are_one_line(tmp_path, counts, message):
    (tmp_path / "mine.py").write_text(DATAFLOW.replace("additions=load.synops", f"additions={counts}"))
    with pytest.raises(CostError, match=message):
        estimate(two_layers(), load_hardware(chip(tmp_path, "mine.py")), [4, 4])
