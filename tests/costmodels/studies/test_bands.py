"""Least and greatest energies over all variations, for spiking networks and what they are put beside."""

from dataclasses import replace

import numpy as np
import pytest

from costmodels import (
    Candidates,
    CostError,
    Designs,
    Workload,
    comparisons,
    configured,
    energy_bands,
    equivalents,
    estimate,
    forms,
    load_hardware,
    non_spiking,
    stability,
    sweep,
)
from costmodels.studies.variants import variants
from tests.costmodels.networks import example, mixtures, own_designs

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


def test_networks_have_no_power_at_a_rate_that_the_chip_does_not_reach():
    slow = comparisons(example(), CHIP, widths=(4,), frame_rate=1e6)
    assert slow["power_w"].isna().all()
    assert not slow["feasible"].any()
    assert comparisons(example(), CHIP, widths=(4,), frame_rate=1)["power_w"].notna().all()
