import numpy as np
import pytest

from dse.verification import Prediction, estimate, posterior
from sviT_models.measure.accuracy import paired_drop


def changes(rng, candidates, images, share=0.1):
    return rng.choice([1, -1, 0], size=(candidates, images), p=[0.6 * share, 0.4 * share, 1 - share])


def test_one_candidate_on_all_images_is_the_paired_drop_with_its_interval():
    changed = changes(np.random.default_rng(0), 1, 4000)
    found = estimate(np.ones((1, 4000), bool), changed, np.zeros(4000, int))
    before = changed[0] != -1
    after = np.where(changed[0] == 1, False, True)
    by_hand = paired_drop(before, after)
    assert found.drop[0] == pytest.approx(by_hand.drop)
    assert (found.lost[0], found.won[0]) == (by_hand.lost, by_hand.won)
    assert (found.low[0], found.high[0]) == pytest.approx((by_hand.low, by_hand.high), abs=0.01)


def test_strata_are_weighted_by_their_known_shares():
    """Nine tenths of the images lose nothing, one tenth loses half: 5 points, however the tenth is sampled."""
    strata = np.repeat([0, 1], [9000, 1000])
    changed = np.zeros((1, 10_000), int)
    changed[0, 9000::2] = 1
    seen = np.zeros((1, 10_000), bool)
    seen[0, :500] = seen[0, 9000:9500] = True
    assert estimate(seen, changed, strata).drop[0] == pytest.approx(5.0)


def test_another_candidate_on_more_images_narrows_and_corrects():
    """The second candidate changes the same images; what it shows on the others moves the first."""
    rng = np.random.default_rng(3)
    changed = np.repeat(changes(rng, 1, 8000), 2, axis=0)
    changed[1, rng.random(8000) < 0.01] = 0
    seen = np.ones((2, 8000), bool)
    seen[0, 1000:] = False
    truth = 100 * changed[0].mean()
    changed[~seen] = 0
    alone = estimate(seen[:1], changed[:1], np.zeros(8000, int))
    both = estimate(seen, changed, np.zeros(8000, int))
    assert both.covariance[0, 0] < 0.5 * alone.covariance[0, 0]
    assert abs(both.drop[0] - truth) < abs(alone.drop[0] - truth)


def test_the_posterior_of_normals_by_hand():
    """With a common error that does not matter: precisions add up."""
    changed = changes(np.random.default_rng(1), 1, 5000)
    found = estimate(np.ones((1, 5000), bool), changed, np.zeros(5000, int))
    told = posterior(Prediction(np.array([0.3]), np.array([0.2]), 1e-9), found)
    first, second = 1 / 0.2**2, 1 / found.covariance[0, 0]
    assert told.mean[0] == pytest.approx((0.3 * first + found.drop[0] * second) / (first + second))
    assert told.sd[0] == pytest.approx((first + second) ** -0.5)


def test_a_common_error_of_the_search_is_found_by_all_candidates_together():
    """Eight candidates lose 2 points where 0.2 was predicted: the prior's tails let the measurements decide."""
    rng = np.random.default_rng(5)
    changed = rng.choice([1, -1, 0], size=(8, 6000), p=[0.04, 0.02, 0.94])
    found = estimate(np.ones((8, 6000), bool), changed, np.zeros(6000, int))
    told = posterior(Prediction(np.full(8, 0.2), np.full(8, 0.2), 0.4), found)
    assert np.all(told.mean > 1.4)
    assert np.all(told.within(1.0) < 0.05)


def test_what_copies_of_the_float_network_lose_by_luck_is_taken_from_the_candidates():
    """The candidate changes the images that two copies change, which are known to lose nothing on all images."""
    rng = np.random.default_rng(6)
    changed = np.repeat(rng.choice([1, -1, 0], size=(1, 3000), p=[0.04, 0.03, 0.93]), 3, axis=0)
    changed[rng.random(changed.shape) < 0.1] = 0
    found = estimate(np.ones((3, 3000), bool), changed, np.zeros(3000, int))
    mean, sd = np.array([1.0, 0.0, 0.0]), np.array([2.0, 0.05, 0.05])
    told = posterior(Prediction(mean, sd, 1e-9, copies=2), found)
    alone = posterior(Prediction(mean[:1], sd[:1], 1e-9), found.first(1))
    assert alone.mean[0] > 0.6
    assert abs(told.mean[0]) < 0.3
    assert told.sd[0] < 0.7 * alone.sd[0]
    # by hand: the candidate's own drop given all three measurements, as one normal distribution of six numbers
    prior, noise = np.diag(sd**2), found.covariance
    joint = np.block([[prior, prior], [prior, prior + noise]])
    by_hand = mean + joint[:3, 3:] @ np.linalg.inv(joint[3:, 3:]) @ (found.drop - mean)
    assert told.mean == pytest.approx(by_hand)
    assert told.first(1).mean[0] == pytest.approx(by_hand[0])


def test_the_common_error_does_not_reach_copies():
    """Where candidates lose 2 points and copies nothing, the predictions are off, and not the images unlucky."""
    rng = np.random.default_rng(7)
    changed = rng.choice([1, -1, 0], size=(6, 6000), p=[0.04, 0.02, 0.94])
    changed[4:] = rng.choice([1, -1, 0], size=(2, 6000), p=[0.03, 0.03, 0.94])
    found = estimate(np.ones((6, 6000), bool), changed, np.zeros(6000, int))
    mean, sd = np.array([0.2] * 4 + [0.0] * 2), np.array([0.2] * 4 + [0.05] * 2)
    told = posterior(Prediction(mean, sd, 0.4, copies=2), found)
    assert np.all(told.mean[:4] > 1.4)
    assert np.all(np.abs(told.mean[4:]) < 0.1)
