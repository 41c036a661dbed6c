"""The rivals of the simulator's table: the oracle by hand, the ridge where its model is exact, spoiled scores."""

from dataclasses import replace

import numpy as np
import pytest
from search_rivals import oracle
from simulated_layers import repeated, spoiled
from simulated_network import CAP, Difficulty, simulate

from dse import strategies
from dse.strategies.base.history import History


def test_the_oracle_ends_at_the_whole_front():
    sim = simulate(0, low_fidelity_images=0, groups=6)
    front = sim.best_known[sim.drop(sim.best_known) <= 10]
    base = np.array([b.levels for b in sim.problem.baselines])
    everything = len(front) + len(base)
    few, all_of_them = oracle(sim, 0, [len(base), everything])
    assert few == pytest.approx(sim.share(base))
    assert all_of_them == pytest.approx(sim.share(np.vstack([base, front])))


def test_the_ridge_finds_factors_where_harm_adds_up_exactly():
    sim = simulate(1, Difficulty(interaction=0.0), low_fidelity_images=0, groups=8)
    factors = np.random.default_rng(0).uniform(0.5, 2.0, size=8)
    problem = replace(sim.problem, whole=replace(sim.problem.whole, scores=sim.terms / factors[:, None]), parts=())
    levels = problem.space.draw(np.random.default_rng(1), 400)
    levels = levels[sim.drop(levels) < 30]
    few = np.full(len(levels), 0.01)
    past = History(levels, sim.drop(levels), few, *([few] * 2), 0 * few, few, problem.costs(levels), few > 0, levels)
    found = strategies.load("ridge")(problem, 0, cap=CAP).factors(problem.whole, past)
    # scores are relative to the widest level, whose own harm is left out
    assert np.corrcoef(np.log(found), np.log(factors))[0, 1] > 0.95


def test_spoiled_scores_are_what_their_names_say():
    names, _, _, _ = repeated(60)
    assert len(set(names)) == 60
    scores = np.exp(np.random.default_rng(0).normal(size=(60, 3)))
    level = np.log(scores).mean(axis=1)
    rng = np.random.default_rng(1)
    inverted = np.log(spoiled(scores, "inverted", names, rng)).mean(axis=1)
    assert np.corrcoef(level, inverted)[0, 1] == pytest.approx(-1)
    shuffled = spoiled(scores, "shuffled", names, rng)
    assert sorted(shuffled[:, 0]) == sorted(scores[:, 0])
    assert abs(np.corrcoef(level, np.log(shuffled).mean(axis=1))[0, 1]) < 0.4
    half = spoiled(scores, "half", names, rng)
    assert (half[1::2] == scores[1::2]).all()
    assert not (half[::2] == scores[::2]).all()
    assert np.isnan(spoiled(scores, "absent", names, rng)).all()
    assert set(np.round(spoiled(scores, "kind", names, rng)[:, 0] / scores[:, 0])) == {1.0, 100.0}
    assert (spoiled(scores, "good", names, rng) == scores).all()
    with pytest.raises(ValueError, match="none of good"):
        spoiled(scores, "bad", names, rng)
