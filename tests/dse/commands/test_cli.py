"""The command line: help with examples, one-line mistakes with status 2, JSON that parses, nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import typer.main
from safetensors.torch import load_file, save_file

from costmodels import Designs, Workload, estimate, hardware_names, load_hardware
from costmodels.hardware.names import CHIPS
from dse import cli
from dse.config.file import load_config, template
from dse.config.schema import Config
from tests.dse.conftest import Run, Said

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / "sviT_models" / "weights" / "sdtv2_tiny_digits.safetensors"


def _commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """The words of every command, and the command."""
    for name, command in typer.main.get_command(cli.app).commands.items():
        inner = getattr(command, "commands", None)
        yield from (((name, each), below) for each, below in inner.items()) if inner else (((name,), command),)


COMMANDS = dict(sorted(_commands()))


def test_the_documented_commands_exist():
    names = {words[0] for words in COMMANDS}
    assert names >= {
        "demo",
        "init",
        "check",
        "train",
        "profile",
        "estimate",
        "sensitivity",
        "search",
        "report",
        "hardware",
    }


@pytest.mark.parametrize("words", [(), ("hardware",), *COMMANDS], ids=" ".join)
def test_help_has_an_example_that_begins_with_the_command(svit: Run, words: tuple[str, ...]):
    told = svit(*words, "--help")
    assert told.status == 0
    assert told.err == ""
    text = " ".join(told.out.split())
    if words:
        assert f"Example: svit-dse {' '.join(words)}" in text
    assert max(map(len, told.out.splitlines())) <= 80
    assert svit(*words, "-h").out == told.out


def test_every_option_says_what_it_does(svit: Run):
    for words, command in COMMANDS.items():
        for option in command.params:
            assert getattr(option, "help", None), f"{' '.join(words)}: {option.name} has no help"


def test_the_same_flag_means_the_same_everywhere():
    """--json is always a flag, --out a path, --seed and --images whole numbers."""
    kinds: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for option in command.params:
            kinds.setdefault(option.opts[0], set()).add(str(getattr(option, "type", None)))
    for name in ("--json", "--out", "--seed", "--images", "--hardware", "--data", "--checkpoint", "--time-steps"):
        assert len(kinds[name]) == 1, (name, kinds[name])


def test_every_command_has_json():
    """But the one that prints nothing else."""
    without = [words for words, command in COMMANDS.items() if "--json" not in _flags(command)]
    assert without == [("hardware", "schema")]


def _flags(command) -> list[str]:
    return [flag for option in command.params for flag in option.opts]


def test_every_command_on_a_design_of_a_run_takes_its_name_bare_and_as_an_option():
    named = {words for words, command in COMMANDS.items() if {"run", "--design"} <= set(_flags(command))}
    assert named == {("export",), ("finetune",), ("reestimate",)}
    for words in named:
        arguments = [each for each in COMMANDS[words].params if each.param_type_name == "argument"]
        assert [(each.name, each.required) for each in arguments] == [("run", True), ("design", False)]


def test_an_interrupted_command_says_how_to_go_on(svit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "my.yaml").write_text("frame_rate: 30.0\n")
    monkeypatch.setattr("dse.workflows.search.search", stopped)
    told = svit("search", "my.yaml")
    assert (told.status, told.out) == (130, "")
    assert told.err == "interrupted; run the same command again to go on\n"
    monkeypatch.setattr("sviT_models.training.train.train", stopped)
    words = ("train", "--data", "digits", "--out", str(tmp_path / "x.safetensors"))
    told = svit(*words)  # before an epoch is finished: there is nothing to resume
    assert (told.status, told.err.splitlines()[-1]) == (130, "interrupted; run the same command again to go on")

    def stopped_later(*_: object, **__: object) -> None:
        (tmp_path / "x.state.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("sviT_models.training.train.train", stopped_later)
    for more, option in (((), " with --resume"), (("--resume",), "")):
        told = svit(*words, *more)
        assert told.err.splitlines()[-1] == f"interrupted; run the same command again{option} to go on"


def test_a_failure_that_is_not_the_users_has_status_1(svit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "runs/search/results.csv")

    (tmp_path / "my.yaml").write_text("frame_rate: 30.0\n")
    monkeypatch.setattr("dse.workflows.search.search", full)
    told = svit("search", "my.yaml")
    assert told.status == 1
    assert told.err == "svit-dse: [Errno 28] No space left on device: 'runs/search/results.csv'\n"


def test_without_a_command_the_help_is_shown_and_the_status_is_2(svit: Run):
    told = svit()
    assert told.status == 2
    assert "Commands" in told.out


def test_the_version_is_a_line(svit: Run):
    assert svit("--version").out.startswith("svit-dse ")


def _one_line(told: Said, *parts: str) -> None:
    """A mistake: status 2 and one line, the last one; a search may have said before what it was going to do."""
    assert told.status == 2, told
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[-1].startswith("svit-dse: ")
    assert lines[:-1] in (
        [],
        ["prepare: network, images and chip (a design is judged by measuring it on these images)"],
    )
    for part in parts:
        assert part in told.err, (part, told.err)


ARGUMENTS = [
    (("search", "my.yaml", "--bogus"), ["No such option: --bogus", "svit-dse search --help"]),
    (("serch",), ["No such command 'serch'", "svit-dse --help"]),
    (("check",), ["Missing argument 'config'", "svit-dse check --help"]),
    (("search", "my.yaml", "--evaluations", "many"), ["--evaluations", "integer"]),
    (("search", "my.yaml", "--evaluations", "0"), ["--evaluations"]),
    (("hardware", "shw"), ["No such command 'shw'", "svit-dse hardware --help"]),
]

MISTAKES = [
    (("sensitivity", "none.yaml"), ["none.yaml: no such file"]),
    (("sensitivity", "my.yaml", "--out", "no/x.csv"), ["--out no/x.csv", "make it first"]),
    (("check", "none.yaml"), ["none.yaml: no such file", "svit-dse init none.yaml"]),
    (("search", "none.yaml"), ["none.yaml: no such file"]),
    (("init", "no/x.yaml"), ["no/x.yaml", "make it first"]),
    (("init", "."), ["exists already", "--force"]),
    (("profile", "--checkpoint", "none"), ["no checkpoint 'none'", "sdtv2_tiny_digits"]),
    (("profile", "--checkpoint", "."), ["is a folder", "expected a checkpoint file"]),
    (("profile", "--model", "vgg"), ["no model 'vgg'", "the nearest names are"]),
    (("profile", "--data", "none"), ["no data set 'none'", "digits"]),
    (("profile", "--data", "."), ["no class folders", "expected one folder per class"]),
    (("profile", "--out", "no/x.csv"), ["--out no/x.csv", "make it first"]),
    (("profile", "--out", "."), ["--out .: is a folder"]),
    (("estimate",), ["give either WORKLOAD", "--run"]),
    (("estimate", "none.csv"), ["none.csv: no such file"]),
    (("estimate", "none"), ["no example workload 'none'", "sdtv2_8_512"]),
    (("estimate", "sdtv2_8_256", "--bits", "0"), ["weight_bits", "is 0", "expected 1 to 16"]),
    (("estimate", "sdtv2_8_256", "--hardware", "pentium"), ["pentium: neither a file nor", "generic_45nm"]),
    (
        ("estimate", "sdtv2_8_256", "--compare", "--sweep"),
        ["--compare, --crossover, --floorline, --forms", "one at a time"],
    ),
    (("estimate", "sdtv2_8_256", "--design", "a"), ["--design a", "--run"]),
    (("estimate", "sdtv2_8_256", "--compare", "--state-bits", "8"), ["--state-bits: not with --compare"]),
    (("estimate", "--run", "."), ["config.yaml: no such file", "svit-dse search"]),
    (("report", "nowhere"), ["nowhere: no such directory", "svit-dse search"]),
    (("report", ".", "--hardware", "seneca_like"), ["config.yaml: no such file"]),
    (("compare", "nowhere", "elsewhere", "--out", "both"), ["nowhere: no such directory", "svit-dse search"]),
    (("demo", "--data", "cifar"), ["--data 'cifar'", "fashion_mnist, digits, glyphs"]),
    (("train", "--data", "none"), ["no data set 'none'"]),
    (("train", "--out", "net.pt"), ["--out net.pt", "net.safetensors"]),
    (("train", "--out", "."), ["--out .", "safetensors"]),
    (("train", "--option", "width=3"), ["--option width=3: only with --network"]),
    (("train", "--network", "sdtv1_tiny", "--option", "depth"), ["--option depth: expected KEY=VALUE"]),
    (("train", "--network", "sdtv1_tny"), ["no model 'sdtv1_tny'", "sdtv1_tiny"]),
    (("train", "--network", "net.py:make"), ["net.py:make: no such Python file; expected FILE.py:FUNCTION"]),
    (("train", "--resume"), ["--resume: runs/sdtv2_tiny_digits.state.safetensors does not exist"]),
    (("hardware", "show", "pentium"), ["pentium: neither a file nor", "generic_45nm"]),
    (("hardware", "show", "generic45nm"), ["generic45nm: neither a file nor", "did you mean 'generic_45nm'?"]),
    (("hardware", "schema", "--out", "no/x.json"), ["--out no/x.json", "make it first"]),
]


@pytest.mark.parametrize(("words", "parts"), [*ARGUMENTS, *MISTAKES], ids=lambda x: " ".join(x)[:40])
def test_a_mistake_in_the_arguments_is_one_line_and_leaves_nothing(
    svit: Run, words: tuple[str, ...], parts: list[str], tmp_path: Path
):
    _one_line(svit(*words), *parts)
    assert list(tmp_path.rglob("*")) == []


CONFIGURATIONS = [
    ("evaluatons: 3", ["my.yaml:1: unknown key evaluatons"]),
    ("search:\n  evaluatons: 3", ["my.yaml:2: unknown key search.evaluatons; did you mean 'evaluations'?"]),
    ("search:\n  widths: [0, 4]", ["my.yaml:2: search.widths", "width 0 does not exist; choose from 1, 2"]),
    ("search: {widths: 4}", ["my.yaml:1: search.widths is 4; expected a list, such as [4]"]),
    ("search:\n  widths: [4, 9]", ["width 9 does not exist"]),
    ("search:\n  evaluations: 0", ["my.yaml:2: search.evaluations is 0", "greater than or equal to 1"]),
    ("search:\n  evaluations: many", ["my.yaml:2: search.evaluations is 'many'"]),
    ("search:\n  strategy: magic", ["my.yaml:2: search.strategy: no strategy 'magic'", "qsvit"]),
    ("search:\n  fixed: {head: 0}", ["head: width 0 does not exist"]),
    ("search:\n  fixed: {tail: 4}", ["my.yaml:2: search.fixed", "tail", "block3"]),
    ("search:\n  time_steps: [0]", ["time steps must be at least 1"]),
    ("search:\n  objectives: [drop, memory, beauty]", ["or energy or latency instead of power"]),
    ("budgets: {memory: 300 km}", ["budgets.memory is '300 km'", "300 kB"]),
    ("budgets: {memory: -3}", ["budgets.memory is -3", "not negative"]),
    ("budgets: {beauty: 3}", ["unknown budget 'beauty'", "memory"]),
    ("budgets: 3", ["expected a mapping such as {drop: 1.0, memory: 300 kB}"]),
    ("frame_rate: 0", ["my.yaml:1: frame_rate is 0", "greater than 0"]),
    ("hardware: pentium", ["my.yaml:1: hardware: pentium: neither a file nor a shipped accelerator"]),
    ("hardware: none.yaml", ["my.yaml:1: hardware: none.yaml: neither a file nor a shipped accelerator"]),
    ("checkpoint: none.pth", ["my.yaml:1: checkpoint: no checkpoint 'none.pth'"]),
    ("network: vgg", ["my.yaml:1: network: no model 'vgg'; the nearest names are"]),
    ("network: {file: none.py, build: make}", ["my.yaml:1: network", "none.py", "no such Python file"]),
    ("network: {file: a.py, name: sdtv1_tiny}", ["my.yaml:1: network", "both name and file"]),
    ("network: {fil: a.py}", ["my.yaml:1: unknown key network.fil; did you mean 'file'?"]),
    ("network: {name: sdtv3_tiny, time_steps: 2}", ["network", "sdtv3_tiny has levels where others have time steps"]),
    ("checkpoint: sdtv2_tiny_digits\nnetwork: sdtv2_8_256", ["sdtv2_8_256"]),
    ("data: {name: cifar}", ["my.yaml:1: data.name: no data set 'cifar'"]),
    ("data: {name: empty}", ["empty", "no class folders"]),
    ("data: {name: glyphs, search_images: 20}", ["my.yaml:1: data.name 'glyphs' has 36 classes", "10"]),
    ("data: {search_images: 5}", ["data.search_images is 5", "greater than or equal to 10"]),
    ("quantization: {granularity: pixel}", ["quantization.granularity is 'pixel'", "'channel' or 'tensor'"]),
    ("quantization: {method: magic}", ["my.yaml:1: quantization.method is 'magic'", "nearest"]),
    ("form: melted", ["form is 'melted'", "'unfused' or 'fused'"]),
    ("- 1\n- 2", ["expected keys such as `checkpoint:`"]),
    ("search: [", ["not valid YAML"]),
    ("a: b: c", ["not valid YAML"]),
]


@pytest.mark.parametrize(
    ("text", "parts"), CONFIGURATIONS, ids=lambda x: x.replace("\n", " ") if isinstance(x, str) else ""
)
@pytest.mark.parametrize("command", ["check", "search"])
def test_a_mistake_in_the_configuration_is_one_line_and_leaves_nothing(
    svit: Run, command: str, text: str, parts: list[str], tmp_path: Path
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "my.yaml").write_text(text)
    _one_line(svit(command, "my.yaml"), *parts)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["empty", "my.yaml"]


def _spoilt(tmp_path: Path, change: Callable[[dict], None]) -> Path:
    state = load_file(WEIGHTS)
    change(state)
    save_file(state, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


CHECKPOINTS = [
    (lambda s: s["head.weight"].fill_(float("nan")), ["net.safetensors", "head.weight", "NaN"]),
    (lambda s: s.pop("head.weight"), ["net.safetensors", "head.weight"]),
    (lambda s: s.update({"extra": torch.zeros(1)}), ["net.safetensors", "extra"]),
    (lambda s: s.update({"head.weight": torch.zeros(10, 3)}), ["net.safetensors", "head.weight"]),
]


@pytest.mark.parametrize(("change", "parts"), CHECKPOINTS, ids=["nan", "missing", "extra", "misshapen"])
def test_a_spoilt_checkpoint_is_named_with_its_key(svit: Run, tmp_path: Path, change, parts: list[str]):
    _spoilt(tmp_path, change)
    (tmp_path / "my.yaml").write_text("checkpoint: net.safetensors\nnetwork: sdtv2_tiny\n")
    for words in (("check", "my.yaml"), ("search", "my.yaml"), ("profile", "--checkpoint", "net.safetensors")):
        _one_line(svit(*words), *parts)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["my.yaml", "net.safetensors"]


def test_a_file_that_is_no_checkpoint_is_refused_and_not_run(svit: Run, tmp_path: Path):
    (tmp_path / "net.pth").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")  # a pickle that would make a file
    _one_line(svit("profile", "--checkpoint", "net.pth"), "net.pth")
    assert not (tmp_path / "hacked").exists()


CHIP_MISTAKES = [
    ("value: 400, unit: MHz", "value: 400, unit: furlong", ["clock.unit is 'furlong'", "unknown unit"]),
    ("value: 400, unit: MHz", "value: -400, unit: MHz", ["clock", "-400"]),
    ("dataflow: tick_batched\nweight", "dataflow: warp\nweight", ["unknown data flow 'warp'", "tick_batched"]),
    ("clock:", "klock:", ["klock", "did you mean 'clock'?"]),
]


@pytest.mark.parametrize(("old", "new", "parts"), CHIP_MISTAKES)
def test_a_mistake_in_an_own_chip_names_file_line_key_and_value(
    svit: Run, tmp_path: Path, old: str, new: str, parts: list[str]
):
    text = (CHIPS / "generic_45nm.yaml").read_text()
    assert text.count(old) == 1
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    line = next(i for i, row in enumerate(text.replace(old, new).splitlines(), 1) if new.splitlines()[0] in row)
    (tmp_path / "my.yaml").write_text("hardware: mine.yaml\n")
    for words in (("estimate", "sdtv2_8_256", "--hardware", "mine.yaml"), ("hardware", "show", "mine.yaml")):
        _one_line(svit(*words), f"mine.yaml:{line}:", *parts)
    _one_line(svit("search", "my.yaml"), f"mine.yaml:{line}:", *parts)
    told = svit("hardware", "lint", "mine.yaml", "generic_22nm")
    assert told.status == 2
    assert told.err.startswith(f"mine.yaml:{line}: ")
    assert told.out == "generic_22nm: fine\n"
    found = json.loads(svit("hardware", "lint", "mine.yaml", "--json").out)
    assert found == [{"file": "mine.yaml", "mistakes": told.err.splitlines()}]


def test_a_layer_table_with_a_mistake_names_file_line_and_column(svit: Run, tmp_path: Path):
    (tmp_path / "layers.csv").write_text(
        "name,kind,in_channels,out_channels,spikes,time_steps\nfc,linear,10,10,50,4\nfc2,linear,10,10,41,4\n"
    )
    _one_line(svit("estimate", "layers.csv"), "layers.csv:2", "spikes", "50", "40")


def test_init_writes_the_documented_template_and_overwrites_only_when_told(svit: Run, tmp_path: Path):
    assert svit("init", "my.yaml").out == "wrote my.yaml; next: svit-dse check my.yaml\n"
    assert (tmp_path / "my.yaml").read_text() == template()
    assert load_config(tmp_path / "my.yaml") == Config()
    (tmp_path / "my.yaml").write_text("frame_rate: 5\n")
    _one_line(svit("init", "my.yaml"), "my.yaml: exists already", "--force")
    assert (tmp_path / "my.yaml").read_text() == "frame_rate: 5\n"
    assert svit("init", "my.yaml", "--force").status == 0


def test_hardware_list_show_and_schema(svit: Run, tmp_path: Path):
    rows = json.loads(svit("hardware", "list", "--json").out)
    assert [row["name"] for row in rows] == list(hardware_names())
    shown = svit("hardware", "list").out
    assert all(name in shown for name in hardware_names())
    constants = json.loads(svit("hardware", "show", "seneca_like", "--json").out)
    assert [row["key"] for row in constants] == load_hardware("seneca_like").constants()["key"].tolist()
    assert max(map(len, svit("hardware", "show", "seneca_like").out.splitlines())) <= 80
    schema = json.loads(svit("hardware", "schema").out)
    assert schema == json.loads((ROOT / "costmodels" / "data" / "hardware.schema.json").read_text())
    assert svit("hardware", "schema", "--out", "chip.json").status == 0
    assert json.loads((tmp_path / "chip.json").read_text()) == schema


def test_estimate_prints_what_the_cost_model_says(svit: Run):
    options = ("--hardware", "seneca_like", "--bits", 8, "--bits", 4, "--state-bits", 8, "--activation-bits", 8)
    told = svit("estimate", "sdtv2_8_256", *options, "--time-steps", 2, "--frame-rate", 1000, "--json")
    rows = json.loads(told.out)
    assert [row["design"] for row in rows] == ["uniform 8", "uniform 4"]
    for row, bits in zip(rows, (8, 4), strict=True):
        cost = estimate(
            Workload.example("sdtv2_8_256"),
            load_hardware("seneca_like"),
            Designs(bits, time_steps=2, state_bits=8, activation_bits=8),
            frame_rate=1000,
        )
        for name in ("energy_j", "latency_s", "memory_bytes", "room_bytes", "area_mm2"):
            assert row[name] == float(getattr(cost, name)), name
        assert row["power_w"] is None  # results are more than a millisecond apart
        assert bool(cost.violations["frame_rate"])
        assert row["feasible"] == bool(cost.feasible) == (not row["reasons"])
        assert row["power_w"] is None


def test_estimate_says_why_a_design_does_not_fit(svit: Run):
    told = svit("estimate", "sdtv2_8_512", "--bits", 32, "--bits", 4, "--frame-rate", 1000)
    assert told.status == 0
    assert "uniform 4 does not fit: an inference takes" in told.out
    assert "float does not fit: downsample1_1.encode_conv has 32-bit weights; generic_45nm stores 1, 2" in told.out


def test_estimate_says_how_much_lies_in_dram_and_what_binds(svit: Run):
    words = ("estimate", "sdtv2_8_512", "--hardware", "fpga_xc7z020", "--bits", 3)
    (row,) = json.loads(svit(*words, "--json").out)
    parts = pd.DataFrame(json.loads(svit(*words, "--breakdown", "--json").out))
    energy = parts[parts["quantity"] == "energy_j"]
    assert row["dram_j"] == pytest.approx(energy.loc[energy["component"] == "dram", "value"].sum())
    memory = parts[parts["quantity"] == "memory_bytes"]
    assert row["packing_bytes"] == pytest.approx(memory.loc[memory["component"] == "packing", "value"].sum())
    assert row["on_chip_bytes"] + row["off_chip_bytes"] == pytest.approx(memory["value"].sum())
    layers = pd.DataFrame(json.loads(svit(*words, "--floorline", "--json").out))
    shares = layers.groupby("binding")["time_s"].sum() / layers["time_s"].sum()
    assert (row["binding"], row["binding_share"]) == (shares.idxmax(), pytest.approx(shares.max()))
    text = " ".join(svit(*words).out.split())
    # 20.7 MB of weights at 3 bit are far beyond 630 kB of BRAM
    assert f"│ {row['on_chip_bytes'] / 1e3:.3g} kB │ {row['off_chip_bytes'] / 1e6:.3g} MB │" in text
    assert f"│ {row['dram_j'] * 1e3:.3g} mJ │ {row['binding']}, {row['binding_share']:.0%} │" in text


def test_the_power_of_a_design_is_that_of_its_parts(svit: Run):
    words = ("estimate", "sdtv2_8_256", "--hardware", "generic_45nm", "--bits", 4, "--frame-rate", 5)
    (row,) = json.loads(svit(*words, "--json").out)
    parts = pd.DataFrame(json.loads(svit(*words, "--breakdown", "--json").out))
    power = parts[parts["quantity"] == "power_w"].set_index("component")["value"]
    assert power.sum() == pytest.approx(row["power_w"])
    energy = parts[parts["quantity"] == "energy_j"].groupby("component")["value"].sum()
    dynamic = energy.drop("leakage")
    assert power[dynamic.index].to_dict() == pytest.approx((dynamic * 5).to_dict())  # five inferences a second
    # memories leak all the time, the gated clock runs during inferences only; both are in the energy of an inference
    chip = {row["key"]: row["value"] for row in json.loads(svit("hardware", "show", "generic_45nm", "--json").out)}
    leaking = sum(value for key, value in chip.items() if key.endswith(".leakage")) * 1e-3
    assert power["leakage"] == pytest.approx(leaking)
    assert power["clock"] + leaking * 5 * row["latency_s"] == pytest.approx(5 * energy["leakage"])
    assert "average power at 5 inferences/s by component" in " ".join(svit(*words, "--breakdown").out.split())


def test_a_table_written_by_hand_is_costed(svit: Run, tmp_path: Path):
    (tmp_path / "layers.csv").write_text(
        "name,kind,in_channels,out_channels,spikes,time_steps\nfc1,linear,256,512,300,4\nfc2,linear,512,10,150,4\n"
    )
    rows = json.loads(svit("estimate", "layers.csv", "--bits", 4, "--json").out)
    # 256 * 512 + 512 * 10 weights of 4 bit, 522 channels with a scale and a bias of 16 bit, and the spike buffers:
    # bitmaps of both layers over four steps, (256 + 512) * 4 bit
    weights = (256 * 512 + 512 * 10) * 4 / 8
    assert rows[0]["memory_bytes"] == weights + 522 * 4 + (256 + 512) * 4 / 8
    assert rows[0]["streams"] is False
    assert "residual streams are not charged" in " ".join(svit("estimate", "layers.csv").out.split())


@pytest.mark.parametrize(
    "table", ["", "--breakdown", "--compare", "--crossover", "--floorline", "--forms", "--sweep", "--stability"]
)
def test_every_table_of_estimate_fits_80_columns_and_has_json(svit: Run, table: str):
    words = [
        "estimate",
        "sdtv2_8_256",
        "--bits",
        8,
        "--bits",
        4,
        "--hardware",
        "seneca_like",
        *([table] if table else []),
    ]
    told = svit(*words)
    assert told.status == 0
    assert max(len(line) for line in told.out.splitlines() if "does not fit" not in line) <= 80
    found = json.loads(svit(*words, "--json").out)
    if table == "--breakdown":
        total = sum(r["value"] for r in found if r["design"] == "uniform 4" and r["quantity"] == "energy_j")
        cost = estimate(Workload.example("sdtv2_8_256"), load_hardware("seneca_like"), 4)
        assert total == pytest.approx(float(cost.energy_j), rel=1e-12)
        energies = [row for row in found if row["quantity"] == "energy_j"]
        assert "no power: seneca_like does not reach 30 inferences/s with any of them" in " ".join(told.out.split())
        assert all(row["low"] <= row["value"] <= row["high"] for row in energies)
        assert "least and greatest energy over all variations" in told.out
    elif table == "--compare":
        assert {"float", "uniform 4", "uniform 4 as QNN", "uniform 4 as dense QNN"} <= {r["network"] for r in found}
        assert all(row["energy_low"] < row["energy_j"] < row["energy_high"] for row in found)
    elif table == "--crossover":
        assert {row["design"] for row in found} == {"uniform 8", "uniform 4"}
        assert all((row["rate"] < row["crossover"]) == (row["ratio"] < 1) for row in found)
        assert all(row["crossover_low"] <= row["crossover"] <= row["crossover_high"] for row in found)
        assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] for row in found)
    elif table == "--forms":
        assert {row["form"] for row in found} == {"ideal", "fixed", "bit_serial", "decomposable"}
        assert all(row["energy_low"] < row["energy_j"] < row["energy_high"] for row in found)
    elif table == "--floorline":
        assert {row["design"] for row in found} == {"uniform 8", "uniform 4"}
        assert all(row["time_s"] == row[row["binding"]] for row in found)
    elif table == "--stability":
        assert found["designs"] == 200
        assert found["worst_tau"] == min(row["tau"] for row in found["scenarios"]) < 1
        assert found["tornado"]
    else:
        assert {row["design"] for row in found} == {"uniform 8", "uniform 4"}


def test_estimate_of_a_run_gives_the_costs_of_the_run(svit: Run, small_run: Path):
    """Each design with its own time steps, potentials and measured spikes."""
    results = pd.read_csv(small_run / "results.csv").set_index("id")
    rows = json.loads(svit("estimate", "--run", small_run, "--json").out)
    front = pd.read_csv(small_run / "front.csv")
    assert [row["design"] for row in rows] == front["id"].tolist()
    for row in rows:
        for name in ("drop", "memory_bytes", "energy_j", "latency_s", "power_w", "area_mm2"):
            assert row[name] == pytest.approx(results.loc[row["design"], name], rel=1e-9, abs=1e-12), name
    named = json.loads(svit("estimate", "--run", small_run, "--design", "uniform-4", "--design", "float", "--json").out)
    assert [row["design"] for row in named] == results.index[results["origin"].isin(["float", "uniform-4"])].tolist()
    for row in named:
        assert row["energy_j"] == pytest.approx(results.loc[row["design"], "energy_j"], rel=1e-9)
    other = json.loads(svit("estimate", "--run", small_run, "--hardware", "seneca_like", "--json").out)
    assert other[0]["energy_j"] != rows[0]["energy_j"]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("spikes.csv", lambda table: table.drop(columns=table.columns[1]), "spikes.csv: has no column 's:"),
        ("results.csv", lambda table: table.drop(columns="w:head"), "results.csv:2: has not the widths of the layers"),
        (
            "results.csv",
            lambda table: table.assign(**{"w:head": table["w:head"].mask(table.index == 3)}),
            "results.csv:5: has not the widths of the layers in layers.csv; search again",
        ),
    ],
)
def test_a_damaged_table_of_a_run_is_one_line(svit: Run, small_run: Path, tmp_path: Path, name, damage, message):
    shutil.copytree(small_run, tmp_path / "run")
    damage(pd.read_csv(small_run / name)).to_csv(tmp_path / "run" / name, index=False)
    told = svit("estimate", "--run", tmp_path / "run")
    assert told.status == 2
    assert message in told.err
    assert told.err.count("\n") == 1


def test_a_run_without_front_picks_and_verified_designs_has_nothing_to_cost(svit: Run, small_run: Path, tmp_path: Path):
    shutil.copytree(small_run, tmp_path / "run")
    table = pd.read_csv(small_run / "results.csv").assign(on_front=False)
    table.to_csv(tmp_path / "run" / "results.csv", index=False)
    (tmp_path / "run" / "picks.json").write_text('{"picks": []}')
    (tmp_path / "run" / "verified.csv").unlink(missing_ok=True)
    told = svit("estimate", "--run", tmp_path / "run")
    assert told.status == 2
    assert "results.csv: has no design on its front; name one" in told.err
    assert told.err.count("\n") == 1


def test_estimate_of_a_run_compares_ranks_and_sweeps_its_designs(svit: Run, small_run: Path):
    results = pd.read_csv(small_run / "results.csv").set_index("origin")
    compared = svit("estimate", "--run", small_run, "--design", "uniform-4", "--compare", "--json")
    rows = {row["network"]: row for row in json.loads(compared.out)}
    assert rows["design"]["energy_j"] == pytest.approx(results.loc["uniform-4", "energy_j"], rel=1e-9)
    ranked = json.loads(svit("estimate", "--run", small_run, "--stability", "--json").out)
    assert set(ranked["front"]) <= set(results["id"])
    assert max(map(len, svit("estimate", "--run", small_run, "--stability").out.splitlines())) <= 80
    stored = json.loads((small_run / "stability.json").read_text())
    assert stored["designs"] == ranked["designs"] == len(results) - 1
    assert stored["front"] == ranked["front"]
    assert stored["objective"] == "power_w"  # searched: drop, memory and power; the budget is of the drop alone
    assert {name: len(rows) for name, rows in stored["tornados"].items()} == {"memory_bytes": len(stored["tornado"])}
    assert {row["cheapest"] for row in ranked["scenarios"]} | {ranked["cheapest"]} <= set(results["id"])
    bands = {row["design"]: row for row in stored["energy_bands"]}
    assert set(results[results["on_front"]]["id"]) <= set(bands)
    assert all(row["low"] <= row["value"] <= row["high"] for row in bands.values())
    energies = results.set_index("id")["energy_j"]
    assert [row["value"] for row in bands.values()] == pytest.approx([energies[i] for i in bands], rel=1e-9)
    beside = pd.read_csv(small_run / "comparisons.csv").query("origin == 'uniform-4'").set_index("network")
    assert beside.loc["spiking", "energy_j"] == pytest.approx(results.loc["uniform-4", "energy_j"], rel=1e-9)
    assert beside.loc["non-spiking", "energy_j"] == pytest.approx(rows["design as QNN"]["energy_j"], rel=1e-9)
    assert beside.loc["non-spiking, dense", "energy_j"] == pytest.approx(
        rows["design as dense QNN"]["energy_j"], rel=1e-9
    )
    swept = json.loads(svit("estimate", "--run", small_run, "--design", "uniform-4", "--sweep", "--json").out)
    at_file = {row["objective"]: row["file_value"] for row in swept if "file_value" in row}  # the others: area front
    assert at_file["energy_j"] == pytest.approx(results.loc["uniform-4", "energy_j"], rel=1e-9)
    for words, parts in (
        (("--compare",), ["--compare is for one design"]),
        (("--design", "nothing"), ["--design nothing: no such id", "uniform-4"]),
        (("--bits", "4"), ["--bits: the designs of a run have their own"]),
    ):
        _one_line(svit("estimate", "--run", small_run, *words), *parts)


def test_json_has_null_where_a_number_is_not_stated(svit: Run):
    """NaN is no JSON: a browser's parser refuses it."""

    def refused(name: str) -> None:
        raise AssertionError(name)

    rows = json.loads(svit("hardware", "show", "generic_45nm", "--json").out, parse_constant=refused)
    assert None in [row["low"] for row in rows]


def test_estimate_of_a_run_says_which_drop_it_prints(svit: Run, small_run: Path):
    rows = json.loads(svit("estimate", "--run", small_run, "--json").out)
    verified = pd.read_csv(small_run / "verified.csv").set_index("id")["expected"]  # as the report's page one
    expected = pd.read_csv(small_run / "expected.csv").drop_duplicates("id").set_index("id")["expected"]
    for row in rows:
        known = verified if row["drop_status"] == "verified" else expected
        assert row["unseen_drop"] == known[row["design"]]
    assert {row["design"] for row in rows if row["drop_status"] == "verified"} == set(verified.index)
    assert "verified" in svit("estimate", "--run", small_run).out


def test_a_design_of_a_run_is_measured_by_origin_as_by_id(svit: Run, small_run: Path):
    results = pd.read_csv(small_run / "results.csv").set_index("origin")
    words = ("evaluate", "--run", small_run, "--split", "search", "--images", 40, "--json")
    by_origin = json.loads(svit(*words, "--design", "uniform-4").out)
    assert by_origin[0]["design"]["top1"] == pytest.approx(results.loc["uniform-4", "top1"])
    assert json.loads(svit(*words, "--design", results.loc["uniform-4", "id"]).out) == by_origin
    _one_line(svit("evaluate", "--run", small_run, "--design", "nothing"), "--design nothing: no such id", "uniform-4")


def test_report_of_a_run_on_another_chip_leaves_the_run_alone(svit: Run, small_run: Path, tmp_path: Path):
    shutil.copytree(small_run, tmp_path / "run")
    before = (tmp_path / "run" / "results.csv").read_bytes()
    told = svit("report", "run", "--hardware", "pentium")
    _one_line(told, "pentium: neither a file nor")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
    assert (tmp_path / "run" / "results.csv").read_bytes() == before


def test_a_finished_run_with_other_inputs_is_not_overwritten(svit: Run, small_run: Path, tmp_path: Path):
    shutil.copytree(small_run, tmp_path / "run")
    # the study's journal may note that it was opened; nothing else may change
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.suffix in (".csv", ".json", ".yaml")}
    (tmp_path / "my.yaml").write_text("data: {search_images: 50}\nsearch: {evaluations: 8}\n")
    _one_line(svit("search", "my.yaml", "--out", "run"), "made with other inputs")
    assert {name: (tmp_path / "run" / name).read_bytes() for name in before} == before
    assert len(before) > 10
    _one_line(svit("search", "my.yaml", "--out", "run", "--allow-mixed"), "other designs where space differ")
    assert {name: (tmp_path / "run" / name).read_bytes() for name in before} == before


@pytest.mark.campaign
def test_measurements_of_other_images_may_be_joined_and_that_is_recorded(svit: Run, small_run: Path, tmp_path: Path):
    shutil.copytree(small_run, tmp_path / "run")
    as_before = (tmp_path / "run" / "config.yaml").read_text()
    (tmp_path / "my.yaml").write_text(as_before.replace("search_images: 40", "search_images: 50"))
    told = svit("search", "my.yaml", "--out", "run", "--no-report")
    _one_line(told, "data was digits/search/40", "take another --out, or --allow-mixed")
    assert svit("search", "my.yaml", "--out", "run", "--no-report", "--allow-mixed").status == 0
    (mixed,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["mixed"]
    assert "data was digits/search/" in mixed


def test_profile_and_sensitivity_write_tables_that_other_commands_read(svit: Run, tmp_path: Path):
    told = svit("profile", "--images", 10, "--out", "layers.csv", "--json")
    assert told.status == 0
    assert len(json.loads(told.out)) == len(pd.read_csv(tmp_path / "layers.csv")) == 154 + 24
    assert svit("estimate", "layers.csv", "--bits", 4).status == 0
    assert max(map(len, svit("profile", "--images", 10).out.splitlines())) <= 80


@pytest.mark.parametrize("command", ["check", "sensitivity"])
def test_what_a_configuration_means_fits_80_columns_and_has_json(svit: Run, command: str, tmp_path: Path):
    (tmp_path / "my.yaml").write_text(
        "data: {search_images: 20, verify_images: 20, fisher_images: 8}\n"
        "quantization: {method: nearest}\nsearch: {widths: [4, 8], granularity: stage}\n"
    )
    told = svit(command, "my.yaml")
    assert told.status == 0
    assert max(map(len, told.out.splitlines())) <= 80
    found = json.loads(svit(command, "my.yaml", "--json").out)
    assert found
    if command == "check":
        meaning = {row["what"]: str(row["value"]) for row in found}
        # 12 stages of 2 weight widths, T of 2, 11 stages of 3 state widths: 2^13 3^11 = 1.5e9
        assert meaning["design space"].startswith("24 choices, 10^9 designs")
        assert meaning["images"].endswith("designs, each on all 20")


def test_colour_is_for_terminals_only(svit: Run):
    assert "\x1b" not in svit("hardware", "list").out
    assert "\x1b" not in svit("--help").out


def test_a_warning_is_one_line_and_no_source_code(tmp_path: Path):
    text = (CHIPS / "generic_45nm.yaml").read_text().replace("value: 4, unit: MiB", "value: 4096, unit: MiB")
    (tmp_path / "mine.yaml").write_text(text)
    done = _typed("hardware", "lint", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0
    (line,) = set(done.stderr.splitlines())
    assert line.startswith("svit-dse: warning: a memory bank of 262144 KiB is outside the CACTI grid")


def _typed(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed console script, as a user runs it."""
    script = Path(sys.executable).with_name("svit-dse")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "dse.cli"]
    env = {**os.environ, **environment}
    return subprocess.run([*command, *words], capture_output=True, text=True, cwd=cwd, env=env)


def test_the_console_script_reports_its_status(tmp_path: Path):
    done = _typed("check", "none.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert _typed("hardware", "lint", "generic_45nm", cwd=tmp_path).returncode == 0


def test_a_closed_pipe_is_no_error(tmp_path: Path):
    script = Path(sys.executable).with_name("svit-dse")
    command = str(script) if script.is_file() else f"{sys.executable} -m dse.cli"
    line = f"set -o pipefail; {command} hardware show generic_45nm --json | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert "Traceback" not in done.stderr


def test_shell_completion_knows_the_commands(tmp_path: Path):
    done = _typed(cwd=tmp_path, _SVIT_DSE_COMPLETE="complete_bash", COMP_WORDS="svit-dse ch", COMP_CWORD="1")
    assert done.stdout.split() == ["check"]
    inner = _typed(cwd=tmp_path, _SVIT_DSE_COMPLETE="complete_bash", COMP_WORDS="svit-dse hardware l", COMP_CWORD="2")
    assert inner.stdout.split() == ["list", "lint"]
    # Not --show-completion: that asks which shell runs it, and there may be none.
    script = _typed(cwd=tmp_path, _SVIT_DSE_COMPLETE="source_bash")
    assert "complete -o default -F _svit_dse_completion svit-dse" in script.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("report", "URL"),
        ("search", "URL"),
        ("hardware", "show", "URL"),
        ("verify-export", "URL"),
        ("estimate", "sdtv2_8_256", "--hardware", "URL"),
        ("init", "none/URL"),
        ("train", "--data", "URL"),
    ],
)
def test_an_address_in_a_wrong_place_is_told_without_its_password(svit: Run, words: tuple[str, ...]):
    for url in ("postgresql://u:Hunter2-TopSecret@127.0.0.1/x", "http://u:Hunter2-TopSecret@[::1/x"):
        said = svit(*(word.replace("URL", url) for word in words))
        assert said.status == 2
        assert said.err.count("\n") == 1
        assert "TopSecret" not in said.err
        assert "***@" in said.err


def test_a_wrong_chip_is_told_before_anything_is_shown_to_be_under_way(svit: Run, tmp_path: Path):
    (tmp_path / "my.yaml").write_text("search: {strategy: random, evaluations: 4}\n")
    for words in (("--hardware", "/"), ("--hardware", "nope")):
        said = svit("search", "my.yaml", "--out", "run", *words)
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert not (tmp_path / "run").exists()
