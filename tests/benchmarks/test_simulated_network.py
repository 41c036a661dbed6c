import itertools

import numpy as np
import pytest
from simulated_layers import sdtv2_groups
from simulated_network import CAP, Difficulty, simulate

from dse.optimize import pareto

SIM = simulate(0)


def test_the_groups_are_those_of_sdtv2_8_512():
    names, blocks, weights, macs = sdtv2_groups()
    assert len(names) == len(set(names)) == 56
    assert len(set(blocks)) == 4 + 4 + 8  # convolution blocks, downsamplings, transformer blocks
    # 58 of 60 groups of the published network (55 M parameters, first convolution and head left out)
    assert weights.sum() == pytest.approx(54.5e6, rel=1e-3)
    assert macs.sum() == pytest.approx(24.6e9, rel=1e-2)
    # block3.0.attn.qkv by hand: 3 * (512 * 512 + 9 * 512 + 512 * 512) weights at 14 * 14 pixels
    assert weights[names.index("block3.0.attn.qkv")] == 3 * (2 * 512**2 + 9 * 512)
    assert macs[names.index("block3.0.attn.qkv")] == 3 * (2 * 512**2 + 9 * 512) * 196


def test_uniform_widths_lose_what_they_should():
    drops = {b.origin: float(SIM.drop(b.levels)) for b in SIM.problem.baselines}
    assert drops["uniform-4"] == pytest.approx(CAP * (1 - np.exp(-2.96 / CAP)))  # 2.9 points by construction
    assert 25 < drops["uniform-2"] < 40
    assert drops["uniform-8"] < 0.1


def test_the_harm_is_the_sum_over_layers_and_pairs():
    levels = SIM.problem.space.draw(np.random.default_rng(0), 1)[0]
    t = SIM.terms[np.arange(56), levels]
    z = t.sum() + sum(SIM.pairs[i, j] * np.sqrt(t[i] * t[j]) for i, j in itertools.combinations(range(56), 2))
    assert SIM.harm(levels) == pytest.approx(z)
    assert SIM.drop(levels) == pytest.approx(CAP * (1 - np.exp(-z / CAP)))


def test_measurements_scatter_around_the_truth_as_they_say():
    levels = SIM.problem.space.nearest_levels(5)
    true = float(SIM.drop(levels))
    many = [SIM.measure(levels, 1000, np.random.default_rng([1, i])) for i in range(400)]
    drops = np.array([m.drop for m in many])
    assert drops.mean() == pytest.approx(true, abs=4 * drops.std() / 20)
    assert np.mean([m.drop_stderr for m in many]) == pytest.approx(drops.std(), rel=0.1)
    nll = np.array([m.nll_delta for m in many])
    assert nll.std() == pytest.approx(many[0].nll_stderr, rel=0.1)


def test_no_single_change_improves_a_best_known_design_at_its_price():
    front = SIM.best_known
    values = SIM.objectives(front)
    assert pareto.is_nondominated(values).all()
    assert SIM.share(front) == pytest.approx(1.0)
    assert SIM.share(front[::10]) < 1.0
    uniform = np.array([b.levels for b in SIM.problem.baselines])
    assert 0.5 < SIM.share(uniform) < 0.65


def test_the_least_memory_is_inside_the_budget_and_below_the_front():
    levels, memory = SIM.least_memory(1.0)
    assert SIM.drop(levels) <= 1.0
    assert memory == pytest.approx(float(SIM.problem.whole.additive("memory_bytes", levels)))
    values = SIM.objectives(SIM.best_known)
    assert memory <= values[values[:, 0] <= 1.0, 1].min()
    # no single narrower layer stays inside
    for d in np.flatnonzero(levels > 0):
        narrower = levels.copy()
        narrower[d] -= 1
        assert SIM.drop(narrower) > 1.0


def test_difficulties_change_what_they_name_and_nothing_else():
    hard = simulate(0, Difficulty(fisher_misfit=0.0, kl_misfit=0.8))
    assert np.array_equal(hard.terms, SIM.terms)
    misfit = np.log(hard.problem.whole.scores / hard.terms)
    assert misfit.std() == pytest.approx(0.1, rel=0.2)  # only the scatter per entry is left
    assert np.isnan(hard.problem.distances).sum() == 56 * 5  # two of seven widths are measured
    assert simulate(0, low_fidelity_images=0).problem.distances is None
    assert not np.array_equal(simulate(1).terms, SIM.terms)
