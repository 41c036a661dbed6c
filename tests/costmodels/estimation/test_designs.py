"""Designs and candidates: what they check, and what costs them together or alone."""

import numpy as np
import pytest

from costmodels import (
    Candidates,
    CostError,
    Designs,
    Part,
    Workload,
    activity_of,
    comparisons,
    estimate,
    load_hardware,
    stability,
)
from costmodels.workload.propagation import with_spikes
from tests.costmodels.networks import cost_of, example, mixtures, own_designs


def test_candidates_of_several_forms_are_costed_by_their_own_layer_tables():
    """Places 0, 2 and 4 have the fused network, the others the unfused one; another order changes nothing."""
    chip, fused = load_hardware("generic_45nm"), Workload.example("sdtv2_8_256", fused=True)
    unfused, few = own_designs(2), np.random.default_rng(3).choice([2, 4, 8], (3, len(fused.weight_layers)))
    parts = Part(fused, Designs(few, ("x", "y", "z")), np.array([4, 0, 2])), Part(example(), unfused, np.array([1, 3]))
    candidates = Candidates(parts)
    assert candidates.names == ("y", "a", "z", "b", "x")
    energies = candidates.costs(chip).energy_j
    assert energies[[4, 0, 2]].tolist() == [float(estimate(fused, chip, bits).energy_j) for bits in few]
    assert energies[[1, 3]].tolist() == [float(cost_of(unfused, i, chip).energy_j) for i in range(2)]
    some = candidates.only([3, 0])
    assert some.names == ("b", "y")
    assert some.costs(chip).energy_j.tolist() == energies[[3, 0]].tolist()
    work, design = candidates.one(3)
    assert work is parts[1].workload
    assert estimate(work, chip, design).energy_j == energies[3]
    assert stability(candidates, chip).designs == 5
    with pytest.raises(CostError, match="do not fill the places 0 to N - 1"):
        Candidates((parts[0],))


def test_designs_are_checked():
    with pytest.raises(CostError, match="names has 3 entries; expected 2, one per design"):
        Designs(mixtures(2), names=("a", "b", "c"))
    with pytest.raises(CostError, match=r"weight_bits \(2,\), time_steps \(3,\) do not broadcast"):
        Designs(mixtures(2), time_steps=np.array([1, 2, 4]))
    with pytest.raises(CostError, match="takes the spikes of one design"):
        with_spikes(example(), np.zeros((2, 77)))
    chip, spikes = load_hardware("generic_45nm"), activity_of(example(), {})
    assert estimate(example(), chip, Designs(4, spikes=spikes)).energy_j == pytest.approx(
        float(estimate(example(), chip, 4).energy_j), rel=1e-12
    )
    with pytest.raises(CostError, match="comparisons take spikes per LIF layer"):
        comparisons(example(), chip, Designs(4, spikes=spikes))
