"""Processing elements as an array: utilisation, repeated reads and what binds a layer, by hand and as laws."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodels import (
    CostError,
    Workload,
    actions,
    breakdown,
    change_first,
    configured,
    estimate,
    floorline,
    load_hardware,
)
from costmodels.equations.array import Array, rereads, utilisation
from tests.costmodels.small import plain, plain_text, two_layers

CONV = {"name": "conv", "kind": "conv", "in_channels": 8, "out_channels": 32, "kernel": 3, "padding": 1}
CONV |= {"in_height": 16, "in_width": 16, "time_steps": 1}


def columns(**changes: object) -> dict[str, np.ndarray]:
    shape = CONV | changes
    spikes = shape["in_channels"] * shape["in_height"] * shape["in_width"] / 4
    return dict(Workload.from_table(pd.DataFrame([shape | {"spikes": spikes}])).columns)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 32 / 512),  # 256 positions fill 16 tiles of 16; 32 of 512 channels
        ({"out_channels": 600}, 600 / 1024),  # two passes
        ({"in_height": 3, "in_width": 3, "out_channels": 512}, 9 / 16),  # nine positions in a tile of 16
        ({"in_height": 5, "in_width": 5, "out_channels": 512}, 25 / 32),
    ],
)
def test_elements_idle_where_a_layer_does_not_fill_the_array(changes: dict[str, object], expected: float):
    assert utilisation(columns(**changes), Array(16, 512)) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 4 x 4 tiles of a 3x3 kernel: 5 rows at both borders, 6 inside: (5 + 6 + 6 + 5) / 16 per axis
        ({}, (22 / 16) ** 2),
        ({"kernel": 7, "padding": 3}, ((7 + 10 + 10 + 7) / 16) ** 2),
        ({"kernel": 1, "padding": 0}, 1),
        ({"kernel": 1, "padding": 0, "out_channels": 1025}, 3),  # three groups of channels
        ({"kind": "depthwise", "in_channels": 1025, "out_channels": 1025, "groups": 1025}, (22 / 16) ** 2),
        ({"in_height": 4, "in_width": 4}, 1),  # one tile
    ],
)
def test_neighbouring_tiles_and_groups_of_channels_read_again(changes: dict[str, object], expected: float):
    assert rereads(columns(**changes), Array(16, 512)) == pytest.approx([expected])


@given(st.integers(1, 64), st.integers(1, 300), st.integers(1, 40), st.sampled_from([1, 3, 5, 7]))
def test_the_array_is_never_more_than_full_and_an_input_is_read_at_least_once(
    positions: int, channels: int, size: int, kernel: int
):
    given = columns(in_height=size, in_width=size, kernel=kernel, padding=kernel // 2, out_channels=channels)
    for room in (1, 7, 128):
        assert 0 < utilisation(given, Array(positions, room))[0] <= 1
        assert rereads(given, Array(positions, room))[0] >= 1
    assert utilisation(given, Array(1, 1)) == 1


ARRAY = "geometry:\n  positions: {value: 2, unit: '1', source: test}\n  channels: {value: 2, unit: '1', source: test}\n"


def with_array(folder: Path, text: str = ARRAY, dataflow: str = "tick_batched") -> object:
    path = folder / "array.yaml"
    path.write_text(plain_text(dataflow) + text, encoding="utf-8")
    return load_hardware(path)


def test_compute_takes_as_long_as_the_passes(tmp_path: Path):
    work = two_layers(synops=1000, spikes=50)
    array, plain_chip = with_array(tmp_path), plain(tmp_path)
    table = floorline(work, array, [4, 2]).set_index("layer")
    # conv: 16 positions and 4 channels fill 2 x 2 elements; head: 1 of 2 positions, 10 channels
    assert table["utilisation"].tolist() == [1, 0.5]
    assert table.loc["head", "compute"] == pytest.approx(200 / 4 / 0.5 * 1e-6)
    assert table.loc["head", "binding"] == "compute"
    before = floorline(work, plain_chip, [4, 2]).set_index("layer")
    assert before.loc["head", "compute"] == pytest.approx(200 / 4 * 1e-6)
    # a tile of 1 x 2 positions: rows 2, 3, 3, 2 of 4; columns 3 and 3 of 4; channels in two groups
    reads = 2 * (10 / 4) * (6 / 4)
    words = [float(actions(work, chip, [4, 2])["spike_words_read"][0]) for chip in (plain_chip, array)]
    assert words[1] == pytest.approx(reads * words[0])


def test_the_floorline_adds_up_to_the_latency_and_says_what_to_change(tmp_path: Path):
    work, chip = two_layers(), plain(tmp_path)
    table = floorline(work, chip, [4, 2])
    resources = ["compute", "weight port", "sum and state port", "spike port", "noc", "dram"]
    assert (table["time_s"] == table[resources].max(axis=1)).all()
    latency = float(estimate(work, chip, [4, 2]).latency_s)
    assert table["time_s"].sum() == pytest.approx(latency)
    timed = breakdown(work, chip, [4, 2]).query("quantity == 'time_s'")
    assert timed["value"].sum() == pytest.approx(latency)
    assert timed["component"].tolist() == table["binding"].tolist()
    first = change_first(work, chip, [4, 2])
    # conv: compute 75 us and weight port 75 us tie, the first name wins; head: compute 50 us before 40
    assert first.loc[0, "resource"] == "compute"
    assert first.loc[0, "latency_s"] == pytest.approx((75 + 40) * 1e-6)
    assert first.loc[0, "saving"] == pytest.approx(10 / 125)
    faster = chip.with_constant("processing_elements", 8)
    assert float(estimate(work, faster, [4, 2]).latency_s) == pytest.approx(first.loc[0, "latency_s"])


def test_doubling_what_is_said_gives_the_stated_latency_in_a_pipeline():
    work, chip = Workload.example("sdtv2_8_256"), load_hardware("seneca_like")
    table = change_first(work, chip, 4).set_index("resource")
    faster = chip.with_constant("processing_elements", 2 * chip.table["processing_elements"].value)
    assert float(estimate(work, faster, 4).latency_s) == pytest.approx(table.loc["compute", "latency_s"])
    assert (table["saving"] >= 0).all()


def test_another_number_of_elements_keeps_the_positions():
    chip = configured(load_hardware("generic_45nm"), {"processing_elements": 2048})
    assert chip.chip.array_positions == 16
    assert chip.chip.array_channels == 128


@pytest.mark.parametrize(
    ("text", "dataflow", "said"),
    [
        (
            ARRAY.replace("value: 2", "value: 3", 1),
            "tick_batched",
            "geometry: 3 positions x 2 channels are 6 elements",
        ),
        (ARRAY, "event_driven", "geometry: data flow event_driven has a core per layer and no array; leave it out"),
        (
            ARRAY.replace("channels", "chanels"),
            "tick_batched",
            "unknown key geometry.chanels; did you mean",
        ),
    ],
)
def test_an_array_that_cannot_be_is_said_in_one_line(text: str, dataflow: str, said: str, tmp_path: Path):
    with pytest.raises(CostError) as error:
        with_array(tmp_path, text, dataflow)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'array.yaml'}:")
    assert "\n" not in str(error.value)
