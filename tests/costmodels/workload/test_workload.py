"""Layer tables: what is derived, what is refused, and what measured spikes do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodels import CostError, Designs, Workload, activity_of, estimate, load_hardware
from tests.costmodels.small import CONV, HEAD, two_layers


def test_what_follows_from_the_shapes_may_be_left_out():
    work = two_layers()
    conv, head = work.table().to_dict("records")
    assert conv["weights"] == 4 * 2 * 9
    assert conv["out_height"] == conv["out_width"] == 4
    assert conv["fan_in"] == 18
    assert conv["macs"] == 18 * 64
    assert conv["neurons"] == 32
    assert conv["lif"] == "stem.conv.lif"
    assert conv["stage"] == "stem"
    assert head["synops"] == 20 / 64 * 640  # rate x FLOPs where nothing was measured
    assert head["channel_constants"] == 10
    assert work.weight_layers == ("stem.conv", "head")
    assert work.lif_layers == ("stem.conv.lif", "head.lif")


def test_blank_cells_are_derived_like_missing_columns(tmp_path: Path):
    path = tmp_path / "layers.csv"
    two_layers().table().to_csv(path, index=False)
    full = Workload.from_csv(path)
    text = pd.read_csv(path)
    text["macs"] = [np.nan, 640]
    text["balance"] = np.nan
    text.to_csv(path, index=False)
    again = Workload.from_csv(path)
    pd.testing.assert_frame_equal(full.table(), again.table())


def test_strides_and_depthwise_convolutions_are_understood():
    row = {"name": "dw", "kind": "depthwise", "in_channels": 8, "out_channels": 8, "kernel": 3, "stride": 2}
    row |= {"padding": 1, "in_height": 9, "in_width": 7, "spikes": 5, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([row]))
    table = work.table().iloc[0]
    assert (table["groups"], table["fan_in"], table["weights"]) == (8, 9, 72)
    assert (table["out_height"], table["out_width"]) == (5, 4)
    assert work.geometry.weight_run[0] == 9  # the whole kernel of a channel lies side by side
    assert work.geometry.sum_run[0] == 3


@settings(max_examples=80)
@given(
    size=st.integers(1, 12),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    depthwise=st.booleans(),
)
def test_a_spike_at_the_border_meets_fewer_taps(size: int, kernel: int, stride: int, padding: int, depthwise: bool):
    """Every input spikes once: the operations are the pairs of output and tap that do not read padding."""
    assume(size + 2 * padding >= kernel)
    inputs, outputs = 6, 6 if depthwise else 4
    row = {"name": "c", "kind": "depthwise" if depthwise else "conv", "in_channels": inputs, "out_channels": outputs}
    row |= {"kernel": kernel, "stride": stride, "padding": padding, "in_height": size, "in_width": 5 + 2 * size}
    row |= {"spikes": inputs * size * (5 + 2 * size), "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([row]))
    pairs = 1
    for axis in (size, 5 + 2 * size):
        positions = range((axis + 2 * padding - kernel) // stride + 1)
        pairs *= sum(0 <= o * stride + k - padding < axis for o in positions for k in range(kernel))
    by_hand = pairs * inputs * (1 if depthwise else outputs)
    assert work.columns["synops"][0] == pytest.approx(by_hand, rel=1e-12)
    assert work.geometry.fan_out[0] * row["spikes"] == pytest.approx(by_hand, rel=1e-12)


def test_operations_of_a_layer_that_was_silent_follow_its_fan_out():
    """Depthwise 7x7 with padding 3 on 8x8: 44 of 56 pairs of output and tap per axis lie inside."""
    row = {"name": "dw", "kind": "depthwise", "in_channels": 2, "out_channels": 2, "kernel": 7, "padding": 3}
    row |= {"in_height": 8, "in_width": 8, "spikes": 0, "synops": 0, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([row]))
    assert activity_of(work, [64.0]).synops[0] == pytest.approx(64 / 128 * 2 * 44 * 44)


def _replaced(**changes: object) -> pd.DataFrame:
    return pd.DataFrame([CONV | changes, HEAD])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            pd.DataFrame([HEAD | {"kind": "attention"}]),
            "t: no row has weights; expected at least one convolution or linear layer",
        ),
        (_replaced(spikes=100), "t:2: spikes is 100; at most 64 are possible"),
        (_replaced(synops=5000), "t:2: synops is 5000; at most 2304 are possible"),
        (_replaced(lif_spikes=65), "t:2: lif_spikes is 65; at most 64"),
        (_replaced(spikes=-1), "t:2: spikes is -1; expected a number >= 0"),
        (_replaced(spikes="many"), "t:2: spikes is 'many'; expected a number >= 0"),
        (_replaced(spikes=None), "t:2: spikes is None; the value is missing"),
        (_replaced(kind="pool"), "t:2: kind is 'pool'; expected one of conv, depthwise, linear, attention"),
        (_replaced(input="graded"), "t:2: input is 'graded'; expected one of spike, multibit"),
        (_replaced(name="head"), "t:3: name is 'head'; the name stands twice"),
        (_replaced(name=""), "t:2: name is ''; expected a unique name"),
        (_replaced(time_steps=4), "t:3: time_steps is 2; expected 4 as in the first row"),
        (_replaced(balance=1.5), "t:2: balance is 1.5; expected mean over max"),
        (_replaced(balance=0), "t:2: balance is 0; expected a number above 0"),
        (_replaced(out_height=0), "t:2: out_height is 0; expected a number above 0"),
        (_replaced(out_width=0), "t:2: out_width is 0; expected a number above 0"),
        (_replaced(in_channels=2.5), "t:2: in_channels is 2.5; expected a whole number"),
        (_replaced(kernel=9), "t:2: kernel is 9; expected at most the padded in_height"),
        (_replaced(weights=0), "t:2: weights is 0; expected the number of weight parameters"),
        (_replaced(spikes=float("inf")), "t:2: spikes is inf"),
        (_replaced(colour=1), "t: unknown column 'colour'"),
        (_replaced().drop(columns="spikes"), "t: column 'spikes' is missing"),
        (_replaced().iloc[:0], "t: the table has no rows"),
    ],
)
def test_impossible_tables_are_refused_with_line_and_value(table: pd.DataFrame, message: str):
    with pytest.raises(CostError) as error:
        Workload.from_table(table, "t")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spikes", [(0.15, 0.15), (19.660, 39.320)])
def test_rates_and_decimal_marks_in_the_place_of_counts_are_refused(spikes: tuple[float, float]):
    """19660 spikes at the first row's 131072 chances are a rate of 0.15, or `19.660` with a mark for thousands."""
    rows = [
        {"name": "conv1", "kind": "conv", "in_channels": 32, "out_channels": 64, "in_height": 32, "in_width": 32},
        {"name": "conv2", "kind": "conv", "in_channels": 64, "out_channels": 128, "in_height": 32, "in_width": 32},
    ]
    counts = pd.DataFrame(rows).assign(kernel=3, padding=1, time_steps=4, spikes=[19660.0, 39320.0])
    assert Workload.from_table(counts, "t").lif_layers
    wrong = counts.assign(spikes=list(spikes))
    told = rf"t:[23]: spikes is ({spikes[0]}|{spikes[1]}); half of the spiking rows fire at less than 0\.001 "
    with pytest.raises(CostError, match=told):
        Workload.from_table(wrong, "t")
    silent = counts.assign(spikes=[0.0, 39320.0])  # a layer that does not fire is a measurement
    assert Workload.from_table(silent, "t").lif_layers
    measured = wrong.assign(lif_spikes=wrong["spikes"])  # and so may a network be that hardly fires at all
    assert Workload.from_table(measured, "t").lif_layers


def test_files_that_are_no_tables_are_refused(tmp_path: Path):
    with pytest.raises(CostError, match=r"nowhere.csv: no such file"):
        Workload.from_csv(tmp_path / "nowhere.csv")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(CostError, match="not a readable CSV file"):
        Workload.from_csv(empty)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(CostError, match="not a readable CSV file"):
        Workload.from_csv(binary)


def test_measured_spikes_give_back_the_measured_workload():
    work = Workload.example("sdtv2_8_256")
    same = activity_of(work, {})
    np.testing.assert_allclose(same.spikes, work.columns["spikes"])
    np.testing.assert_allclose(same.lif_spikes, work.columns["lif_spikes"])
    np.testing.assert_allclose(same.synops, work.columns["synops"])


def test_spikes_reach_every_row_that_reads_them():
    work = Workload.example("sdtv2_8_256", rate=0.2)
    halved = activity_of(work, {"block3.0.attn.head_lif": 0.1 * 256 * 196 * 4})
    for matrix in "qkv":
        row = work.names.index(f"block3.0.attn.{matrix}_conv.0.body.0")
        assert halved.synops[row] == pytest.approx(work.columns["synops"][row] / 2)
    untouched = work.names.index("block3.1.attn.q_conv.0.body.0")
    assert halved.synops[untouched] == work.columns["synops"][untouched]


def test_pairs_of_keys_and_values_follow_both():
    work = Workload.example("sdtv2_8_256", rate=0.2)
    row = work.names.index("block3.0.attn.kv")
    neurons = 256 * 196 * 4
    fewer = activity_of(work, {"block3.0.attn.k_lif": 0.1 * neurons, "block3.0.attn.v_lif": 0.05 * neurons})
    assert fewer.synops[row] == pytest.approx(work.columns["synops"][row] / 2 / 4)
    assert fewer.lif_spikes[row] == pytest.approx(0.15 * neurons)


def test_activity_is_vectorised_over_designs():
    work, chip = Workload.example("sdtv2_8_256"), load_hardware("generic_45nm")
    neurons = np.array(
        [
            work.columns["neurons"][r] / len(lif.split(";"))
            for r, lif in enumerate(work.texts["lif"])
            for _ in lif.split(";")
            if lif
        ]
    )
    spikes = neurons * work.time_steps * np.array([0.1, 0.2, 0.3])[:, None]
    cost = estimate(work, chip, Designs(4, spikes=spikes))
    assert cost.energy_j.shape == (3,)
    assert np.all(np.diff(cost.energy_j) > 0)
    middle = estimate(work, chip, 4)  # the example assumes 0.2
    assert float(cost.energy_j[1]) == pytest.approx(float(middle.energy_j), rel=1e-12)


def test_time_steps_scale_counts():
    work = two_layers().with_time_steps(6)
    assert work.time_steps == 6
    assert work.columns["spikes"].tolist() == [30, 60]
    assert work.columns["synops"].tolist() == [900, 600]


def test_a_profiled_table_with_assumptions_may_carry_extra_columns():
    work = Workload.from_table(_replaced(assumed_rate=0.2))
    assert work.rows == len(work) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "sdtv2_9"}, "no example workload 'sdtv2_9'; there are sdtv2_8_256"),
        ({"name": "sdtv2_8_256", "rate": 1.5}, "rate is 1.5"),
        ({"name": "sdtv2_8_256", "time_steps": 0}, "time_steps is 0"),
    ],
)
def test_examples_check_their_arguments(arguments: dict, message: str):
    with pytest.raises(CostError, match=message):
        Workload.example(**arguments)
