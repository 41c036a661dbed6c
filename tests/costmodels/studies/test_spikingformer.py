"""The published energy of Spikingformer, layer by layer from its published rates, in the literature convention."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from costmodels import Workload, breakdown, estimate, load_hardware

DATA = Path(__file__).parents[1] / "data"
STEPS, TOKENS = 4, 14 * 14
STEM_SIDES = (224, 112, 56, 28, 14)  # of the five 3x3 convolutions: a pool halves the map in front of four
PUBLISHED = {  # G MACs, G ACs and mJ of the logs; channels of a head that they reckoned attention with
    "8_512": (0.347329512, 6.517540941, 7.463502602, 512 // 8),
    "8_768": (0.520993768, 12.513659577, 13.658864952, 768 // 12),  # it ran with 8 heads
}
# the rates of 8_768 are means over batches, of which the last is smaller: they and its ACs differ in the fifth digit
ROUNDING = {"8_512": 1e-8, "8_768": 2e-5}


def published(size: str) -> pd.DataFrame:
    return pd.read_csv(DATA / f"spikingformer_{size}.csv").set_index("layer")


def weight_rows(layers: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of the 54 weight layers; a bias counts as one more operation of an output, as in the logs."""
    rows: list[dict[str, object]] = []
    for place, (name, layer) in enumerate(layers[layers["dense_ops"].notna()].iterrows()):
        head = name == "head"
        side = STEM_SIDES[place] if place < 5 else 1 if head else 14
        biased = head or str(name).endswith("attn.proj_conv") or ".mlp." in str(name)
        outputs = int(layer["out_channels"]) * side**2
        fan_in = int(layer["in_channels"]) * int(layer["kernel"]) ** 2
        macs = outputs * (fan_in + biased)
        inputs = int(layer["in_channels"]) * side**2
        row = {"name": name, "kind": "linear" if head else "conv", "kernel": int(layer["kernel"])}
        row |= {"in_channels": int(layer["in_channels"]), "out_channels": int(layer["out_channels"])}
        row |= {"in_height": side, "in_width": side, "padding": int(layer["kernel"]) // 2, "time_steps": STEPS}
        row |= {"input": "multibit" if layer["macs"] else "spike"}
        row |= {"macs": macs / STEPS if head else macs}  # it runs once, on the mean of the steps
        row |= {"spikes": inputs * STEPS * layer["input_rate_percent"] / 100}
        rows.append(row)
    return rows


def attention_rows(layers: pd.DataFrame, head_channels: int) -> list[dict[str, object]]:
    """The products of the eight blocks: K^T V at the lower rate of the two, Q (K^T V) at that of Q."""
    rows: list[dict[str, object]] = []
    for block in range(8):
        q, k, v = (layers.loc[f"block.{block}.attn.{name}_lif"] for name in "qkv")
        channels = int(q["in_channels"])
        rates = (min(k["input_rate_percent"], v["input_rate_percent"]), q["input_rate_percent"])
        for product, rate in zip(("kv", "qkv"), rates, strict=True):
            row = {"name": f"block.{block}.attn.{product}", "kind": "attention", "time_steps": STEPS}
            row |= {"in_channels": channels, "out_channels": channels, "in_height": TOKENS}
            row |= {"macs": TOKENS * channels * head_channels, "spikes": channels * TOKENS * STEPS * rate / 100}
            rows.append(row)
    return rows


def workload(size: str) -> Workload:
    layers = published(size)
    return Workload.from_table(pd.DataFrame([*weight_rows(layers), *attention_rows(layers, PUBLISHED[size][3])]))


@pytest.mark.parametrize("size", PUBLISHED)
def test_every_layer_has_the_published_dense_operations_and_energy(size):
    layers = published(size)
    layers = layers[layers["dense_ops"].notna()]
    work = workload(size)
    assert work.names[: len(layers)] == tuple(layers.index)
    macs = work.columns["macs"][: len(layers)] * STEPS
    np.testing.assert_allclose(macs, layers["dense_ops"], rtol=1e-8)  # the logs print nine digits
    energies = breakdown(work, load_hardware("literature_45nm"), 32).query("quantity == 'energy_j'")
    found = energies.groupby("layer")["value"].sum().loc[list(layers.index)]
    expected = layers["acs"] * 0.9e-12 + layers["macs"] * 4.6e-12
    np.testing.assert_allclose(found, expected, rtol=ROUNDING[size])


@pytest.mark.parametrize("size", PUBLISHED)
def test_the_sum_is_the_published_energy(size):
    giga_macs, giga_acs, millijoules, _ = PUBLISHED[size]
    energy = float(estimate(workload(size), load_hardware("literature_45nm"), 32).energy_j)
    assert energy * 1e3 == pytest.approx(millijoules, rel=ROUNDING[size])
    assert millijoules == pytest.approx(4.6 * giga_macs + 0.9 * giga_acs, rel=1e-9)


def test_the_sum_has_nine_digits_where_rates_are_those_of_the_published_accumulates():
    layers = published("8_768")
    spiking = layers["macs"] == 0
    layers.loc[spiking, "input_rate_percent"] = 100 * layers["acs"] / layers["dense_ops"]
    work = Workload.from_table(pd.DataFrame([*weight_rows(layers), *attention_rows(layers, 768 // 12)]))
    energy = float(estimate(work, load_hardware("literature_45nm"), 32).energy_j)
    assert energy * 1e3 == pytest.approx(PUBLISHED["8_768"][2], rel=1e-9)


def test_twelve_heads_leave_out_0016_mj_of_the_network_that_ran_with_eight():
    layers = published("8_768")
    work = Workload.from_table(pd.DataFrame([*weight_rows(layers), *attention_rows(layers, 768 // 8)]))
    energy = float(estimate(work, load_hardware("literature_45nm"), 32).energy_j)
    assert energy * 1e3 - PUBLISHED["8_768"][2] == pytest.approx(0.016, abs=5e-4)  # 0.0175 G ACs
