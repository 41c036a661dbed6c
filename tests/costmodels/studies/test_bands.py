"""Least and greatest energies over all variations, for spiking networks and what they are put beside."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from costmodels import (
    Candidates,
    CostError,
    Designs,
    Workload,
    area_front,
    breakdown,
    comparisons,
    configured,
    crossover,
    efficiency,
    energy_bands,
    equivalents,
    estimate,
    forms,
    load_hardware,
    non_spiking,
    part_bands,
    stability,
    sweep,
)
from costmodels.studies.variants import variants
from tests.costmodels.networks import example, mixtures, own_designs
from tests.costmodels.small import two_layers

CHIP = load_hardware("generic_45nm")


def test_bands_are_those_of_the_stability_study():
    candidates = Candidates.of(example(), mixtures(3))
    bands = energy_bands(candidates, CHIP)
    known = stability(candidates, CHIP, reference=0).energy_bands
    assert np.array_equal(bands, known[["low", "high"]].to_numpy())
    without = energy_bands(candidates, CHIP, without=("compute.table", "time steps"))
    assert np.all(without[:, 0] >= bands[:, 0])
    assert np.all(without[:, 1] < bands[:, 1])


def test_the_equivalents_of_designs_are_those_of_their_steps_and_spikes():
    designs = own_designs(2)
    for dense, suffix in ((False, "as QNN"), (True, "as dense QNN")):
        found = equivalents(Candidates.of(example(), designs), dense).costs(CHIP)
        for place in range(2):
            table = comparisons(example(), CHIP, designs.only(place), widths=()).set_index("network")
            for column in ("energy_j", "latency_s", "memory_bytes"):
                value = getattr(found, column)[place]
                assert value == pytest.approx(table.loc[f"design {suffix}", column], rel=1e-12)


@pytest.mark.parametrize(("network", "dense"), [("non-spiking", False), ("non-spiking, dense", True)])
def test_a_non_spiking_network_varies_as_its_spiking_one_does(network: str, dense: bool):
    """Twice the steps are an activation of ceil(log2(9)) = 4 bits for one of ceil(log2(5)) = 3."""
    (low, high), *_ = energy_bands(Candidates.of(example(), Designs([[4] * 138])), CHIP, network=network)
    same = float(estimate(non_spiking(example(), dense), CHIP, 4).energy_j)
    more = [
        float(estimate(non_spiking(other, dense), CHIP, 4).energy_j)
        for other in (example().with_time_steps(8), Workload.example("sdtv2_8_256", rate=0.24))
    ]
    bare = float(estimate(non_spiking(example(), dense), CHIP.with_constant("wire", 0), 4).energy_j)
    assert low <= bare < same < max(more) <= high


def test_an_unknown_network_is_refused():
    with pytest.raises(CostError, match="unknown network 'analog'; there are spiking, non-spiking"):
        energy_bands(Candidates.of(example(), Designs(4)), CHIP, network="analog")


def test_forms_and_settings_of_the_knobs_have_bands_of_their_own():
    candidates = Candidates.of(example(), Designs([[4] * 138], names=("mine",)))
    table = forms(candidates, CHIP, bands=True).set_index("form")
    for form, _, chip in variants(candidates, CHIP):
        bare = float(estimate(example(), chip.with_constant("wire", 0), 4).energy_j)
        assert table.loc[form, "energy_low"] <= bare < table.loc[form, "energy_j"] < table.loc[form, "energy_high"]
    knobs = type(CHIP.file.knobs)(tile_positions=(4.0, 16.0))  # two chips for hundreds
    few = replace(CHIP, file=CHIP.file.model_copy(update={"knobs": knobs}))
    row = sweep(candidates, few, objectives=("energy_j",), bands=True).iloc[0]
    best = configured(few, {"tile_positions": row["tile_positions"]})
    assert [row["energy_low"], row["energy_high"]] == energy_bands(candidates, best)[0].tolist()


def small() -> Workload:
    """Two layers, the first of which reads numbers: thousands of variations of them take no time."""
    return two_layers(input="multibit", input_bits=4, lif_spikes=10, neurons=32, lif="stem.lif")


def test_parts_of_a_design_have_ends_of_their_own():
    """Beside three chips by hand: the parts are those of the breakdown, and no sum leaves the sums of its terms."""
    table = part_bands(Candidates.of(small(), Designs([[4, 2]], names=("mine",))), CHIP)
    assert set(table["design"]) == {"mine"}
    stages = table[(table["layer"] == "") & (table["stage"] != "")].set_index(["stage", "component"])
    table = table[(table["layer"] != "") | (table["stage"] == "")].set_index(["layer", "component"])
    every = table.loc[("", "")]
    whole = energy_bands(Candidates.of(small(), Designs([[4, 2]])), CHIP)[0]
    assert [every["energy_low"], every["energy_high"]] == pytest.approx(whole.tolist(), rel=1e-12)
    dear = CHIP.with_constant("memories.weights.read", 2 * CHIP.table["memories.weights.read"].value)
    for chip in (CHIP, dear, CHIP.with_constant("wire", 0)):
        parts = breakdown(small(), chip, [4, 2]).query("quantity == 'energy_j'")
        sums = [parts, parts.assign(layer=""), parts.assign(component=""), parts.assign(layer="", component="")]
        found = pd.concat(sums).groupby(["layer", "component"])["value"].sum()
        ends = table.loc[found.index]
        assert np.all(ends["energy_low"] <= found * (1 + 1e-12))
        assert np.all(ends["energy_high"] >= found * (1 - 1e-12))
        by_stage = parts.groupby(["stage", "component"])["value"].sum()
        assert np.all(stages.loc[by_stage.index, "energy_low"] <= by_stage * (1 + 1e-12))
        assert np.all(stages.loc[by_stage.index, "energy_high"] >= by_stage * (1 - 1e-12))
        if chip is CHIP:
            assert stages.loc[by_stage.index, "energy_j"].to_numpy() == pytest.approx(by_stage.to_numpy(), rel=1e-12)
            assert ends["energy_j"].to_numpy() == pytest.approx(found.to_numpy(), rel=1e-12)
    known = efficiency(small(), CHIP, [4, 2])
    assert table.loc[("", ROWS[0]), "energy_j"] == pytest.approx(known.spiking_j, rel=1e-12)
    assert table.loc[("", ROWS[1]), "energy_j"] == pytest.approx(known.multibit_j, rel=1e-12)
    components = table.xs("", level="layer").drop(index=["", *ROWS, PER_SYNOP])
    assert components["energy_low"].sum() <= every["energy_low"]
    assert every["energy_high"] <= components["energy_high"].sum()


ROWS = ("on chip, spiking rows", "on chip, multi-bit rows")
PER_SYNOP = "per synaptic operation"


def test_a_synaptic_operation_has_ends_too():
    """Of the 40 spikes x 10 outputs of a layer alone: at each chip the energy on it over operations, at any rate."""
    work = Workload.from_table(pd.DataFrame([{"name": "fc", "kind": "linear", "in_channels": 64, "out_channels": 10,
                                              "spikes": 40, "time_steps": 2}]))  # fmt: skip
    table = part_bands(Candidates.of(work, Designs([[4]])), CHIP)
    row = table[table["component"] == PER_SYNOP].iloc[0]
    dear = CHIP.with_constant("memories.weights.read", 2 * CHIP.table["memories.weights.read"].value)
    more = work.columns["spikes"][0] * 1.2
    busy = Workload.from_table(work.table().assign(spikes=more, lif_spikes=more, synops=more * 10))
    for work_of, chip in ((work, CHIP), (work, dear), (busy, CHIP)):
        energy = estimate(work_of, chip, 4).energy_by_component
        on_chip = sum(float(value) for name, value in energy.items() if name not in ("dram", "leakage"))
        value = on_chip / (float(work_of.columns["spikes"][0]) * 10)
        assert row["energy_low"] <= value * (1 + 1e-12)
        assert row["energy_high"] >= value * (1 - 1e-12)
        if (work_of, chip) == (work, CHIP):
            assert row["energy_j"] == pytest.approx(value, rel=1e-12)


def test_chips_of_the_area_front_have_bands_of_their_own():
    candidates = Candidates.of(small(), Designs([[4, 2], [8, 8]], names=("mine", "wide")))
    knobs = type(CHIP.file.knobs)(tile_positions=(4.0, 16.0))
    few = replace(CHIP, file=CHIP.file.model_copy(update={"knobs": knobs}))
    front = area_front(candidates, few, bands=True)
    assert set(front["design"]) == {"mine", "wide"}
    for _, row in front.iterrows():
        chip = configured(few, {"tile_positions": row["tile_positions"]})
        place = candidates.names.index(row["design"])
        assert [row["energy_low"], row["energy_high"]] == energy_bands(candidates, chip)[place].tolist()
    bare = area_front(candidates, few)
    assert front[list(bare.columns)].equals(bare)


def test_networks_of_a_comparison_have_the_bands_of_their_designs():
    table = comparisons(two_layers(), CHIP, [2, 2], widths=(4,), bands=True).set_index("network")
    narrow, wide = (Candidates.of(two_layers(), Designs([[bits, bits]])) for bits in (2, 4))
    for network, suffix in (("spiking", ""), ("non-spiking", " as QNN"), ("non-spiking, dense", " as dense QNN")):
        ends = energy_bands(wide, CHIP, network=network)[0]
        assert table.loc[f"uniform 4{suffix}", ["energy_low", "energy_high"]].tolist() == pytest.approx(ends.tolist())
        # control per operation is that of the first row, so the ends of the others may lie further out
        near = energy_bands(narrow, CHIP, network=network, without=("control",))[0]
        assert table.loc[f"design{suffix}", "energy_low"] <= near[0] * (1 + 1e-12)
        assert table.loc[f"design{suffix}", "energy_high"] >= near[1] * (1 - 1e-12)
    assert (table["energy_low"] < table["energy_j"]).all()
    assert (table["energy_j"] < table["energy_high"]).all()


def test_the_crossover_has_a_band_of_every_chip_that_it_could_be():
    found = crossover(two_layers(), CHIP, 4, rates=(0.1, 0.3), bands=True)
    dear = CHIP.with_constant("memories.weights.read", 2 * CHIP.table["memories.weights.read"].value)
    for chip in (CHIP, dear, CHIP.with_constant("wire", 0)):
        alone = crossover(two_layers(), chip, 4, rates=(0.1, 0.3))
        low, high = found.rate_band
        assert low - 2e-3 <= alone.rate <= high + 2e-3  # the ends are searched to 0.1 points
        for name in ("spiking", "non_spiking"):
            values = alone.curve[f"{name}_j"].to_numpy()
            assert np.all(found.curve[f"{name}_low"] <= values)
            assert np.all(values <= found.curve[f"{name}_high"])
        assert np.all(found.curve["ratio_low"] <= alone.curve["ratio"])
        assert np.all(alone.curve["ratio"] <= found.curve["ratio_high"])
    assert low < found.rate < high
    assert crossover(two_layers(), CHIP, 4).rate_band is None


def test_networks_have_no_power_at_a_rate_that_the_chip_does_not_reach():
    slow = comparisons(example(), CHIP, widths=(4,), frame_rate=1e6)
    assert slow["power_w"].isna().all()
    assert not slow["feasible"].any()
    assert comparisons(example(), CHIP, widths=(4,), frame_rate=1)["power_w"].notna().all()
