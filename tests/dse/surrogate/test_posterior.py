from dataclasses import fields, replace

import numpy as np
import pytest
from simulated_network import Difficulty, simulate

from dse.optimize import lagrangian
from dse.surrogate import Data, Layout, Model, diagnose, fit, prior_of
from dse.surrogate.likelihood import Likelihood
from dse.surrogate.posterior import LEAST_GAIN
from dse.surrogate.prior import prior_harm
from tests.dse.problems import random_problem

WIDTHS = [(2, 3, 4, 8), (2, 8), (4,), (2, 4, 8), (2, 3, 8)]


def small(seed=0):
    problem = random_problem(seed, WIDTHS)
    rng = np.random.default_rng(seed)
    levels = problem.space.draw(rng, 12)
    harm = lagrangian.gather(prior_harm(problem.space, problem.whole.scores), levels)
    drop = 15 * harm / harm.max() * np.exp(0.2 * rng.normal(size=12))
    nll = np.where(rng.random(12) < 0.3, np.nan, drop / 30)
    data = Data(levels, drop, np.full(12, 0.5), nll, np.full(12, 0.01), np.full(12, 500.0), np.full(12, 0.3))
    return problem, prior_of(problem), data


def sampled(sim, count, seed, images=1000):
    """Designs from random fronts of the scores, measured, with a drop below 20 points."""
    rng = np.random.default_rng(seed)
    harm, costs = prior_harm(sim.problem.space, sim.problem.whole.scores), sim.problem.whole.cost_tables
    levels = np.unique(lagrangian.minimisers(harm, costs, lagrangian.draw_prices(rng, harm, costs, 4 * count)), axis=0)
    levels = levels[sim.drop(levels) < 20]
    levels = rng.permutation(levels)[:count]
    runs = [sim.measure(x, images, rng) for x in levels]
    columns = [np.array([getattr(m, k) for m in runs]) for k in ("drop", "drop_stderr", "nll_delta", "nll_stderr")]
    columns[1] = np.hypot(columns[1], 0.1)
    return Data(levels, *columns, np.full(len(levels), float(images)), np.zeros(len(levels)))


def test_derivatives_are_those_of_finite_differences():
    _, prior, data = small()
    task = Likelihood(prior, data)
    rng = np.random.default_rng(1)
    p = task.prior_mean + 0.1 * rng.normal(size=task.at.size)
    p[task.at.scale] += 2.0
    now = task.linear(p)
    at = task.at
    for i in range(at.size):
        step = np.zeros(at.size)
        step[i] = 1e-5
        up, down = task.linear(p + step), task.linear(p - step)
        by_drop, by_nll = (up.drop - down.drop) / 2e-5, (up.nll - down.nll) / 2e-5
        if i < at.shared:
            expected = now.shared[:, i] * now.drop_slope, now.shared[:, i] * now.nll_slope
        else:
            columns = {at.offset: (1, 0)} | {at.cap + j: (now.curve[:, j], 0) for j in range(4)}
            columns |= {at.kappa: (0, now.kappa), at.power: (0, now.power), at.nll_offset: (0, 1)}
            expected = columns[i]
        assert by_drop == pytest.approx(np.broadcast_to(expected[0], 12), rel=1e-4, abs=1e-7)
        assert by_nll == pytest.approx(np.broadcast_to(expected[1], 12), rel=1e-4, abs=1e-7)


def test_the_fit_is_where_the_gradient_vanishes():
    _, prior, data = small()
    posterior = fit(prior, data, steps=60)
    task = Likelihood(posterior.prior, data, posterior.excess)
    now = task.linear(posterior.mean)
    precision, gradient = (
        task.precision(now, task.noise(now)),
        task.gradient(posterior.mean, now, task.noise(now)),
    )
    # the step that is left is small against the posterior's width: a fit ends when it gains less than LEAST_GAIN
    left = np.linalg.solve(precision, gradient)
    assert (np.abs(left) < np.sqrt(2 * LEAST_GAIN) * np.sqrt(np.diag(np.linalg.inv(precision)))).all()


def test_the_batch_formula_of_the_harm_is_the_sum_over_pairs():
    problem, prior, _ = small()
    at = Layout(prior)
    rng = np.random.default_rng(2)
    parameters = 0.2 * rng.normal(size=(3, at.size))
    parameters[:, at.cap] = np.log(70.0)
    parameters[:, at.knee] = np.log(2.0)
    model = Model.of(prior, parameters)
    levels = problem.space.draw(rng, 6)
    for s in range(3):
        for c in range(6):
            t = model.tables[s, np.arange(5), levels[c]]
            z = t.sum()
            for i in range(5):
                for j in range(i + 1, 5):
                    apart = abs(prior.blocks[i] - prior.blocks[j])
                    weight = model.everywhere[s]
                    weight += model.inside[s, prior.blocks[i]] if apart == 0 else 0.0
                    weight += model.following[s, min(prior.blocks[i], prior.blocks[j])] if apart == 1 else 0.0
                    z += weight * np.sqrt(t[i] * t[j])
            expected = max(z, 0.1 * t.sum())
            assert model.harm(levels)[s, c] == pytest.approx(expected)
            early, late = np.exp(parameters[s, [at.early, at.late]])
            u = expected**early * (1 + (expected / 2.0) ** 2) ** (0.5 * (late - early))
            drop = model.offset[s] + 70.0 * (1 - np.exp(-u / 70.0))
            assert model.drop(levels)[s, c] == pytest.approx(drop)


def test_the_fit_and_the_batch_formula_are_the_same_model():
    _, prior, data = small()
    posterior = fit(prior, data)
    task = Likelihood(posterior.prior, data, posterior.excess)
    measured = task.linear(posterior.mean).drop
    assert posterior.centre.drop(data.levels)[0] + posterior.search_bias == pytest.approx(measured, abs=1e-9)


def test_predictions_of_unseen_designs_are_right_and_know_how_far():
    errors, covered = [], []
    for seed in range(6):
        sim = simulate(seed)
        prior = prior_of(sim.problem)
        data = sampled(sim, 100, seed)
        test = sampled(sim, 200, seed + 50).levels
        mean, sd = fit(prior, data).predict(test)
        true = sim.drop(test)
        errors.append((mean - true)[true < 3])
        covered.append(np.mean(np.abs(mean - true)[true < 10] < 1.96 * sd[true < 10]))
    # the measurements themselves scatter by 0.4 to 0.8 points there
    assert np.sqrt(np.mean(np.concatenate(errors) ** 2)) < 0.15
    # errors of one search's predictions go together, so that a single search may miss more
    assert 0.88 <= np.mean(covered) <= 1.0


def test_measurements_narrow_the_posterior_and_more_images_narrow_it_more():
    sim = simulate(3)
    prior = prior_of(sim.problem)
    test = sampled(sim, 100, 60).levels
    near = sim.drop(test) < 5
    few, many = (fit(prior, sampled(sim, 40, 3, images)).predict(test)[1][near].mean() for images in (200, 20_000))
    alone = fit(prior, sampled(sim, 6, 3)).predict(test)[1][near].mean()
    assert many < few < alone


def test_cross_entropy_helps_when_top1_is_noisy():
    errors = {True: [], False: []}
    for seed in range(4):
        sim = simulate(seed, Difficulty(flips=0.07), low_fidelity_images=0)
        prior = prior_of(sim.problem)
        data = sampled(sim, 40, seed)
        test = sampled(sim, 200, 70 + seed).levels
        near = sim.drop(test) < 5
        for use in errors:
            part = data if use else replace(data, nll=np.full(len(data), np.nan))
            errors[use].append((fit(prior, part).predict(test)[0] - sim.drop(test))[near])
    with_nll, without = (np.sqrt(np.mean(np.concatenate(e) ** 2)) for e in (errors[True], errors[False]))
    assert with_nll < 0.9 * without


def test_two_opinions_are_better_than_one():
    """Errors of log sensitivities: gradient scores 0.6, distances 0.3, their weighted mean less than either."""
    errors = {}
    for name in ("both", "scores"):
        rows = []
        for seed in range(6):
            sim = simulate(seed)
            problem = sim.problem if name == "both" else replace(sim.problem, distances=None)
            prior = prior_of(problem)
            gap = (prior.log_harm - np.log(sim.terms))[:, 2]
            rows.append(np.std(gap))
        errors[name] = np.mean(rows)
    assert errors["scores"] == pytest.approx(0.6, rel=0.2)
    assert errors["both"] < 0.45


def test_without_measurements_the_prior_speaks():
    problem, prior, data = small()
    nothing = Data(data.levels[:0], *(np.zeros(0),) * 6)
    posterior = fit(prior, nothing)
    mean, sd = posterior.predict(problem.space.draw(np.random.default_rng(0), 4))
    assert np.isfinite(mean).all()
    assert (sd > 0).all()


def test_a_flat_prior_and_a_single_layer_work():
    problem = random_problem(0, [(2, 4, 8)], harms=np.zeros((1, 3)))
    prior = prior_of(problem)
    data = Data(
        np.array([[0], [2]]),
        np.array([9.0, 0.1]),
        np.ones(2),
        np.array([np.nan, np.nan]),
        *[np.ones(2)] * 2,
        np.zeros(2),
    )
    mean, _ = fit(prior, data).predict(np.array([[0], [1], [2]]))
    assert np.isfinite(mean).all()


def test_leave_one_out_is_what_refitting_without_the_design_gives():
    sim = simulate(5)
    prior = prior_of(sim.problem)
    data = sampled(sim, 60, 5)
    found = diagnose(fit(prior, data))
    expected, spread = np.zeros(60), np.zeros(60)
    for i in range(60):
        keep = np.arange(60) != i
        part = Data(*(getattr(data, f.name)[keep] for f in fields(Data)))
        posterior = fit(prior, part)
        expected[i], spread[i] = (x[0] for x in posterior.predict(data.levels[i : i + 1]))
    near = fit(prior, data).centre.drop(data.levels)[0] <= 10
    error = (data.drop - expected)[near]
    assert found.count == near.sum()
    assert found.r2 == pytest.approx(1 - np.mean(error**2) / data.drop[near].var(), abs=0.03)
    inside = np.abs(error) <= 1.96 * np.hypot(spread, data.stderr)[near]
    assert found.coverage == pytest.approx(inside.mean(), abs=0.1)
    assert found.additivity > 0.9
    assert found.warning is None


def test_drops_that_have_nothing_to_do_with_the_layers_are_noticed():
    sim = simulate(6)
    prior = prior_of(sim.problem)
    data = sampled(sim, 80, 6)
    shuffled = np.random.default_rng(0).permutation(80)
    broken = replace(data, drop=data.drop[shuffled] / 2, nll=np.full(80, np.nan))
    found = diagnose(fit(prior, broken))
    assert found.additivity < 0.5
    assert "explains only" in found.warning
