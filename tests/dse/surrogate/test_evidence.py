"""The evidence against brute force, and what it must notice: false scores, bent curves, harm that does not add up."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
from simulated_network import Difficulty, simulate

from dse.optimize import lagrangian
from dse.surrogate import Data, Hyper, Learner, fit, learned, prior_of
from dse.surrogate.evidence import choose, last_asked, log_evidence
from dse.surrogate.likelihood import own_covariance
from dse.surrogate.posterior import Fit
from tests.dse.problems import random_problem

GROUPS = 20
MODULE = importlib.import_module("dse.surrogate.belief")  # the package has a function of this name


def searched(difficulty, seed, count=60, images=1000):
    """A simulated network and measurements on the fronts of layers' harms, scattered around the truth."""
    sim = simulate(seed, difficulty, low_fidelity_images=0, groups=GROUPS)
    rng, costs = np.random.default_rng(seed), sim.problem.whole.cost_tables
    rows = [b.levels for b in sim.problem.baselines]
    for _ in range(12):
        harm = sim.summands * np.exp(1.0 * rng.normal(size=(GROUPS, 1)))
        rows += list(lagrangian.minimisers(harm, costs, lagrangian.draw_prices(rng, harm, costs, 12)))
    levels = np.unique(np.array(rows), axis=0)
    levels = rng.permutation(levels[sim.drop(levels) < 25])
    return sim, levels[count:], measured(sim, levels[:count], rng, images)


def measured(sim, levels, rng, images):
    runs = [sim.measure(x, images, rng) for x in levels]
    columns = [np.array([getattr(m, k) for m in runs]) for k in ("drop", "drop_stderr", "nll_delta", "nll_stderr")]
    columns[1] = np.hypot(columns[1], 100 / images)
    return Data(levels, *columns, np.full(len(levels), float(images)), np.zeros(len(levels)))


def test_the_evidence_is_the_probability_of_the_measurements():
    """Importance sampling from the fitted normal: mean of prior x likelihood / proposal."""
    problem = random_problem(1, [(2, 4), (2, 8)])
    levels = problem.space.draw(np.random.default_rng(0), 12)
    harm = lagrangian.gather(prior_of(problem).median_harm, levels)
    drop = 4 * harm / harm.max() + 0.3 * np.random.default_rng(1).normal(size=12)
    few = np.full(12, 0.3)
    data = Data(levels, drop, few, 0.03 * drop, few / 30, np.full(12, 1000.0), np.zeros(12))
    found, exact = [], []
    for hyper in (Hyper(misfit=0.02), Hyper(misfit=0.02, spread=2.8), Hyper(misfit=0.3)):
        task = Fit(replace(prior_of(problem), hyper=hyper), data)
        p = task.climb(task.start())
        factor = task.factor(p)
        found.append(log_evidence(task, p))
        noise = task.noise(task.linear(p))
        constant = task.prior.log_root - 0.5 * float(np.log(noise.drop).sum() + np.log(noise.rest).sum())
        draws = np.random.default_rng(2).normal(size=(4000, len(p)))
        scale = 1.15  # a little wider than the fit, so that no weight is large
        samples = p + scale * np.linalg.solve(factor.T, draws.T).T
        proposal = -0.5 * (draws**2).sum(1) + np.log(np.diag(factor)).sum() - len(p) * np.log(scale)
        target = np.array([-task.loss(q, task.linear(q), noise) for q in samples])
        weights = target - proposal
        most = weights.max()
        exact.append(most + np.log(np.mean(np.exp(weights - most))) + constant + hyper.log_prior)
    # up to a constant that all have in common
    assert np.array(found) - found[0] == pytest.approx(np.array(exact) - exact[0], abs=0.4)


def test_scores_are_trusted_where_they_are_right_and_not_where_they_are_wrong():
    said = {}
    for how in ("good", "shuffled", "inverted"):
        sim, _, data = searched(Difficulty(scores=how), 1)
        prior = prior_of(sim.problem)
        said[how] = learned(fit(replace(prior, hyper=choose(prior, data)), data))
    assert said["good"].lines[0].startswith("scores trusted:")
    assert said["good"].doubt < 0.3
    for how in ("shuffled", "inverted"):
        assert said[how].lines[0].startswith("scores not trusted:")
        assert said[how].doubt > 0.6


def test_wrong_scores_cost_less_with_the_evidence_than_without():
    errors = {"fixed": [], "chosen": []}
    for seed in range(2):
        sim, fresh, data = searched(Difficulty(scores="shuffled"), seed)
        prior, true = prior_of(sim.problem), sim.drop(fresh)
        near = true < 10
        for name, hyper in (("fixed", Hyper()), ("chosen", choose(prior, data))):
            mean = fit(replace(prior, hyper=hyper), data).predict(fresh)[0]
            errors[name].append(((mean - true)[near]) ** 2)
    fixed, chosen = (np.sqrt(np.mean(np.concatenate(e))) for e in errors.values())
    assert chosen < 0.9 * fixed


@pytest.mark.parametrize("law", [Difficulty(bend=2.5), Difficulty(cliff=2.0)], ids=["bend", "cliff"])
def test_a_bent_curve_is_no_error_of_the_images(law):
    """Nothing lost at first, or a cliff: predictions hold, and the constant part of all drops stays small."""
    sim, fresh, data = searched(law, 0)
    prior, true = prior_of(sim.problem), sim.drop(fresh)
    posterior = fit(replace(prior, hyper=choose(prior, data)), data)
    found = learned(posterior)
    mean, sd = posterior.predict(fresh)
    near = (true > 0.3) & (true < 10)
    assert found.offset_explained
    assert max(found.slopes) > 1.3
    assert "the drop bends" in found.lines[1]
    assert np.mean(np.abs(mean - true)[near] <= 1.96 * sd[near]) >= 0.9


def test_harm_that_does_not_add_up_is_flagged_and_harm_that_does_is_not():
    norms = {}
    for norm in (1.0, 3.0):
        sim, _, data = searched(Difficulty(norm=norm, interaction=1.0 if norm == 1 else 0.0), 2)
        prior = prior_of(sim.problem)
        norms[norm] = learned(fit(replace(prior, hyper=choose(prior, data)), data))
    assert norms[1.0].warnings == []
    assert norms[3.0].hyper.norm >= 1.5
    assert "the worst layers decide" in norms[3.0].warnings[0]


def test_the_answer_depends_on_the_measurements_alone():
    sim, _, data = searched(Difficulty(scores="shuffled"), 1, count=37)
    going_on = Learner(prior_of(sim.problem))
    for count in (12, 20, 31, 37):
        last = going_on(data.first(count))
    assert (last.mean == Learner(prior_of(sim.problem))(data).mean).all()
    assert last.prior.hyper == choose(prior_of(sim.problem), data.first(35))
    assert [last_asked(n) for n in (9, 10, 37, 60, 69, 70)] == [5, 10, 35, 60, 60, 70]
    assert [last_asked(n) for n in (499, 500, 549, 5001)] == [490, 500, 500, 5000]


def test_what_another_worker_found_for_the_same_measurements_is_taken_over(monkeypatch):
    sim, _, data = searched(Difficulty(), 1, count=14)
    prior, shared = prior_of(sim.problem), {}
    alone, first = Learner(prior)(data), Learner(prior)(data, shared)
    shared = json.loads(json.dumps(shared))  # as the storage gives it
    for name in ("choose", "fit"):
        monkeypatch.setattr(MODULE, name, lambda *given: pytest.fail("found a second time"))
    second = Learner(prior)(data, shared)
    for other in (first, second):
        for name in ("mean", "excess", "factor"):
            assert (getattr(other, name) == getattr(alone, name)).all()
        assert other.prior.hyper == alone.prior.hyper


def test_of_many_measurements_the_last_few_wait_for_the_next_fit(monkeypatch):
    sim, _, data = searched(Difficulty(), 1, count=60)
    monkeypatch.setattr(MODULE, "MANY", 20)
    monkeypatch.setattr(MODULE, "MOST_FITTED", 25)
    learner = Learner(prior_of(sim.problem))
    assert len(learner(data.first(19)).data) == 19
    assert len(learner(data.first(27)).data) == 20
    assert learner(data.first(29)) is learner(data.first(21))
    most = learner(data.first(47)).data  # the first 40, every one and a half-th of them
    assert len(most) == 25
    assert (most.levels[[0, -1]] == data.levels[[0, 39]]).all()


def test_a_fit_ends_where_it_has_converged():
    """Eight steps leave three to twelve nats with an uninformative prior."""
    sim, _, data = searched(Difficulty(scores="absent"), 3)
    posterior = fit(prior_of(sim.problem), data)
    task = Fit(posterior.prior, data, posterior.excess)
    on = task.climb(posterior.mean, 300)
    noise = task.noise(task.linear(on))
    assert task.loss(posterior.mean, task.linear(posterior.mean), noise) - task.loss(on, task.linear(on), noise) < 0.3


def test_own_errors_are_what_is_left_of_a_covariance_and_never_correlate_fully():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(50, 2, 2))
    full = root @ root.transpose(0, 2, 1) + 0.05 * np.eye(2)
    drop, nll = full[:, 0, 0], full[:, 1, 1]
    correlation = 0.81
    shared = np.array([[0.03, 0.005], [0.005, 0.02]]) * min(drop.min(), nll.min())
    own, both, _ = own_covariance(drop, correlation, nll, shared)
    assert own == pytest.approx(drop - shared[0, 0])  # nothing is cut where the shared part fits in
    assert both == pytest.approx(correlation * np.sqrt(drop * nll) - shared[0, 1])
    # the digits' case: a shared part with less correlation than the whole would leave an own one above 1
    many = own_covariance(np.array([1.0]), 0.81, np.array([1.0]), np.array([[0.6, 0.1], [0.1, 0.6]]))
    assert abs(many[1][0]) / np.sqrt(many[0][0] * many[2][0]) < 0.97
    assert (np.array(many[0]) > 0).all()
