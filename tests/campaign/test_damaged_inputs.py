"""Whatever a text file or an argument holds, a command ends with a result or one line: no traceback, no second line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costmodels import hardware_names
from costmodels.hardware.names import CHIPS
from dse.config.file import dump_config, load_config, template
from dse.errors import ConfigError
from tests.campaign.answers import answered
from tests.campaign.mutations import VALUES, damaged_table, damaged_text, write
from tests.dse.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(max_examples=100, suppress_health_check=list(HealthCheck))


def few_settings(text: str) -> str:
    """A chip file whose knobs have their first and last value only: 64 chips where a sweep has 864."""
    head, knobs, tail = text.partition("\nknobs:")
    return head + knobs + re.sub(r": \[([^],]+),.*, ([^],]+)\]", r": [\1, \2]", tail)


CHIP_TEXTS = [few_settings((CHIPS / f"{name}.yaml").read_text(encoding="utf-8")) for name in hardware_names()]
CONFIGS = [
    template(),
    "constraints: {equal: [[attn.q_conv, attn.k_conv]], max_widths: 2, allowed: [4]}\nbudgets: {memory: 300 kB}\n",
    "activations: {stream: {downsample1_1: 8}, between: 8}\nsearch: {strategy: random, widths: [4, 8]}\n",
]
VIEWS = ((), ("--breakdown",), ("--sweep",), ("--json",))
OF_A_TABLE = ((), ("--breakdown",), ("--sweep", "--hardware", "tick_batched_28nm"), ("--json",))  # three chips


@TRIALS
@given(text=damaged_text(CHIP_TEXTS), view=st.sampled_from(VIEWS))
def test_chip_files(svit: Run, tmp_path: Path, text: str, view: tuple[str, ...]):
    chip = write(tmp_path / "chip.yaml", text)
    said = svit("hardware", "lint", chip)
    assert said.status in (0, 2)
    answered(svit("estimate", "sdtv2_8_256", "--bits", "4", "--hardware", chip, *view))


@TRIALS
@given(data=st.data(), view=st.sampled_from(OF_A_TABLE))
def test_layer_tables(svit: Run, tmp_path: Path, small_run: Path, data: st.DataObject, view: tuple[str, ...]):
    text = data.draw(damaged_table([(small_run / "layers.csv").read_text(encoding="utf-8")]))
    answered(svit("estimate", write(tmp_path / "layers.csv", text), *view))


@settings(TRIALS, max_examples=900)  # read, not run: the cheapest of all
@given(text=damaged_text(CONFIGS))
def test_configurations(tmp_path: Path, text: str):
    path = write(tmp_path / "my.yaml", text)
    try:
        config = load_config(path)
    except ConfigError as error:
        refused = str(error)
    else:
        refused, again = "", write(tmp_path / "again.yaml", dump_config(config))
        assert load_config(again) == config
    assert "\n" not in refused


@TRIALS
@given(value=st.sampled_from([v for v in VALUES if "\x00" not in v]), data=st.data())
def test_arguments(svit: Run, small_run: Path, value: str, data: st.DataObject):
    commands = [
        ("estimate", value),
        ("estimate", "--run", value),
        ("estimate", "--run", small_run, "--design", value),
        ("estimate", "sdtv2_8_256", "--bits", value),
        ("estimate", "sdtv2_8_256", "--state-bits", value),
        ("estimate", "sdtv2_8_256", "--frame-rate", value),
        ("estimate", "sdtv2_8_256", "--hardware", value),
        ("hardware", "show", value),
        ("search", value),
        ("check", value),
        ("report", value),
        ("compare", value, "--out", "o"),
        ("export", small_run, "--design", value, "--out", "o"),
        ("evaluate", "--run", small_run, "--design", value),
        ("verify-export", value),
        ("profile", "--checkpoint", value),
    ]
    answered(svit(*data.draw(st.sampled_from(commands))))
