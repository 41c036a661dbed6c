"""What all paired measurements share, against networks that are simulated image by image."""

from dataclasses import replace

import numpy as np
import pytest

from dse.problem.shared_error import HALF_AN_IMAGE, OWN_ERROR, SHARED_HARM, SharedError, assumed
from dse.surrogate import Data, Hyper, diagnose, fit, information, prior_of
from dse.surrogate.likelihood import Likelihood
from dse.surrogate.prior import prior_harm
from sviT_models import ChaosFloor
from sviT_models.measure.accuracy import correlation
from sviT_models.measure.chaos_floor import shared_and_alone
from tests.dse.problems import random_problem

WIDTHS = [(2, 3, 4, 8)] * 8
OWN = np.diag(np.square(OWN_ERROR))


def ensemble(rng, copies, images, unsure=0.3):
    """Right answers (copies, N) of draws of one ensemble: on some images, each draw is right by chance."""
    chance = np.where(rng.random(images) < unsure, rng.random(images), 1.0)
    return rng.random((copies, images)) < chance


def floor_of(shared, alone, drop=0.3, rise=0.01, copies=3, images=1000):
    return ChaosFloor(
        noise=1e-3,
        copies=copies,
        images=images,
        changed=0.1,
        changed_spread=0.0,
        drop=drop,
        kl=0.1,
        nll=1.0 + rise,
        nll_clean=1.0,
        shared=tuple(map(tuple, shared)),
        alone=tuple(map(tuple, alone)),
    )


def test_the_covariance_of_two_copies_is_shared_and_the_rest_each_ones_own():
    rng = np.random.default_rng(0)
    base, own = rng.normal(size=(50, 2)), rng.normal(size=(4, 50, 2))
    x = base + own
    shared, alone = shared_and_alone(x)
    pairs = [np.cov(x[a].T, x[b].T, bias=True)[:2, 2:] for a in range(4) for b in range(4) if a != b]
    each = [np.cov(x[a].T, bias=True) for a in range(4)]
    assert np.array(shared) == pytest.approx(np.mean(pairs, axis=0))
    assert np.array(shared) + np.array(alone) == pytest.approx(np.mean(each, axis=0))


def test_one_copy_shares_half():
    x = np.random.default_rng(1).normal(size=(1, 40, 2))
    shared, alone = shared_and_alone(x)
    assert np.array(shared) == pytest.approx(np.array(alone))
    assert 2 * np.array(shared) == pytest.approx(np.cov(x[0].T, bias=True))


def test_draws_of_one_ensemble_share_half_of_their_variance():
    right = ensemble(np.random.default_rng(2), 6, 40_000)
    lost = 100 * (right[:1].astype(float) - right[1:])
    shared, alone = shared_and_alone(np.stack([lost, lost], axis=2))
    assert shared[0][0] == pytest.approx(alone[0][0], rel=0.05)


def test_the_prior_of_the_shared_error_is_that_of_normal_conditioning():
    """Against the joint normal of (shared error + own, what the copies showed), built from independent parts."""
    shared, alone = np.array([[300.0, 3.0], [3.0, 0.1]]), np.array([[320.0, 3.5], [3.5, 0.12]])
    shared_error = SharedError.of(floor_of(shared, alone), 2500)
    shared, alone = (part + np.diag(HALF_AN_IMAGE) / 1000 for part in (shared, alone))
    # images: the first 1000 of 2500 were seen; error of all = 0.4 x error of the seen + 0.6 x that of the others
    parts = [shared / 1000, shared / 1500, OWN, alone / 3000]
    both = np.kron(np.eye(4), np.zeros((2, 2)))
    for i, part in enumerate(parts):
        both[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = part
    one, zero = np.eye(2), np.zeros((2, 2))
    map_ = np.block([[0.4 * one, 0.6 * one, one, zero], [one, zero, one, one]])
    joint = map_ @ both @ map_.T
    gain = joint[:2, 2:] @ np.linalg.inv(joint[2:, 2:])
    mean, cover = shared_error.prior
    assert mean == pytest.approx(gain @ np.array([0.3, 0.01]))
    assert cover == pytest.approx(joint[:2, :2] - gain @ joint[2:, :2])


def test_a_network_that_no_noise_changes_on_few_images_may_still_score_too_high():
    shared_error = SharedError.of(floor_of(np.zeros((2, 2)), np.zeros((2, 2)), drop=0.0, rise=0.0, images=40), 40)
    _, cover = shared_error.prior
    assert (np.linalg.eigvalsh(cover) > 0).all()
    assert shared_error.cover[0, 0] == pytest.approx((100 / 40) ** 2 / 2)


def test_on_unseen_images_the_shared_error_is_gone():
    shared = np.array([[300.0, 0.0], [0.0, 0.1]])
    gain, rest = SharedError(shared, 1000.0).unseen
    own, shared_error = OWN_ERROR[0] ** 2, 0.3
    assert gain == pytest.approx([own / (own + shared_error), 0.0])
    assert rest == pytest.approx(own * shared_error / (own + shared_error))
    assert SharedError(shared, 1000.0).harm == pytest.approx(SHARED_HARM * 0.1)


def test_without_a_shared_error_nothing_is_taken_away():
    gain, rest = SharedError.none().unseen
    assert gain == pytest.approx([1.0, 0.0])
    assert rest == pytest.approx(0.0)
    assert SharedError.none().harm == 0.0
    assert not SharedError.none().cover.any()


def test_where_no_harmless_design_was_seen_half_the_variance_of_the_best_is_shared():
    drop, each = np.arange(8.0), np.full(8, 400.0)
    shared_error = assumed(
        drop, np.where(drop < 2, 200.0, 999.0), np.where(drop < 2, 0.02, 9.0), np.full(8, 0.5), 500.0
    )
    assert shared_error.cover * 500 == pytest.approx(np.array([[100.0, 0.5], [0.5, 0.01]]))
    assert assumed(drop, each, np.full(8, np.nan), np.zeros(8), 500.0).cover[1, 1] == 0.0


def measured(rng, error_of_float, images=1000):
    """A problem, its measurements with a common error, and their true drops."""
    problem = random_problem(4, WIDTHS)
    levels = problem.space.draw(rng, 60)
    harm = prior_harm(problem.space, problem.whole.scores)[np.arange(8), levels].sum(1)
    true = 6 * harm / np.median(harm)
    drop = true + error_of_float + 0.6 * rng.normal(size=60)
    error = np.full(60, np.hypot(0.6, 0.6))
    nll = true / 30 + 0.02 * rng.normal(size=60)
    return problem, Data(levels, drop, error, nll, np.full(60, 0.02), np.full(60, float(images)), np.zeros(60)), true


def test_a_float_network_that_did_well_by_chance_on_the_search_images_does_not_make_every_design_look_bad():
    errors = {"known": [], "not known": []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shared_error = 0.6 * rng.normal()
        problem, data, true = measured(rng, shared_error)
        shared = np.array([[360.0, 0.0], [0.0, 1e-6]])
        seen = floor_of(shared, shared, drop=shared_error + 0.6 / np.sqrt(3) * rng.normal(), rise=0.0)
        for name, common in (("known", SharedError.of(seen, 1000)), ("not known", SharedError.none())):
            prior = prior_of(replace(problem, shared_error=common))
            posterior = fit(prior, data)
            mean, sd = posterior.predict(data.levels)
            errors[name].append(np.mean((mean - true)[true < 8]))
            if name == "known":
                assert posterior.search_bias == pytest.approx(shared_error, abs=0.8)
                assert np.mean(np.abs(mean - true) < 1.96 * sd) > 0.8
    assert np.sqrt(np.mean(np.square(errors["known"]))) < 0.8 * np.sqrt(np.mean(np.square(errors["not known"])))


def test_correlated_errors_are_one_piece_of_evidence_and_not_two():
    problem, data, _ = measured(np.random.default_rng(3), 0.0)
    prior = prior_of(replace(problem, shared_error=SharedError.none()))
    alone = fit(prior, data).predict(data.levels)[1]
    together = fit(prior, replace(data, correlation=np.full(60, 0.9))).predict(data.levels)[1]
    only = fit(prior, replace(data, nll=np.full(60, np.nan))).predict(data.levels)[1]
    assert np.median(alone) < np.median(together)
    assert np.median(alone) < np.median(only)


def test_the_two_channels_have_the_covariance_of_the_two_measurements():
    problem, data, _ = measured(np.random.default_rng(5), 0.0)
    data = replace(data, correlation=np.full(60, 0.5))
    shared_error = SharedError(np.array([[100.0, 0.5], [0.5, 0.05]]), 1000.0)
    exact = Hyper(misfit=1e-9, nll_misfit=1e-9)
    task = Likelihood(replace(prior_of(replace(problem, shared_error=shared_error)), hyper=exact), data)
    noise = task.noise(task.linear(task.prior_mean))
    total = np.array([[0.72, 0.5 * np.sqrt(0.72) * 0.02], [0.5 * np.sqrt(0.72) * 0.02, 0.02**2]])
    own = total - shared_error.cover
    for i in range(60):
        built = np.array([[1.0, 0.0], [noise.mix[i], 1.0]]) @ np.diag([noise.drop[i], noise.rest[i]])
        built = built @ np.array([[1.0, noise.mix[i]], [0.0, 1.0]])
        assert built == pytest.approx(own, rel=1e-6)


def test_information_is_the_fall_of_variance_that_a_measurement_brings():
    """Against a refit: the design of most information leaves less variance than that of least."""
    problem, data, _ = measured(np.random.default_rng(6), 0.0)
    prior = prior_of(replace(problem, shared_error=SharedError.none()))
    part = Data(*(np.asarray(v)[:20] for v in vars(data).values()))
    posterior = fit(prior, part)
    pool = problem.space.draw(np.random.default_rng(7), 200)
    wanted = problem.space.draw(np.random.default_rng(8), 10)
    found = information(posterior, pool, wanted)
    assert (found >= 0).all()
    left = []
    for chosen in (int(found.argmax()), int(found.argmin())):
        more = pool[[chosen] * 5]
        drop = posterior.centre.drop(more)[0]
        extra = Data(more, drop, part.stderr[:5], drop / 30, part.nll_stderr[:5], part.images[:5], part.correlation[:5])
        both = Data(*(np.concatenate([a, b]) for a, b in zip(vars(part).values(), vars(extra).values(), strict=True)))
        again = fit(prior, both)
        tables = again.draw(np.random.default_rng(9), 400).tables
        rows = np.log(np.maximum(tables[:, np.arange(8), wanted], 1e-300))  # (samples, F, D)
        size = again.centre.tables[0][np.arange(8), wanted]
        live = size > 0
        rows = np.where(live, rows, 0.0)
        common = (rows * np.where(live, size, 0.0)).sum((1, 2)) / size[live].sum()
        left.append((np.where(live, size, 0.0) * (rows - common[:, None, None]).var(axis=0)).sum())
    assert left[0] < left[1]
    assert diagnose(posterior).count > 0


def test_correlation_is_pearsons():
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=(2, 30))
    assert correlation(a, a + b) == pytest.approx(np.corrcoef(a, a + b)[0, 1])
    assert correlation(a, np.ones(30)) == 0.0
