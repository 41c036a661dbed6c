"""Subsets that take turns, how a budget in images is shared out, and what a stratified sample is worth."""

from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from dse.config.schema import Config, Data, Search
from dse.evaluation.measurement import within
from dse.evaluation.subsets import Share, Subsets, resumed, shared_out
from dse.verification import strata_of
from dse.workflows.search_images import with_images
from tests.dse.toy import IMAGES, ToyRunner, every_design, toy_evaluator

STRATA = np.repeat([0, 1, 2, 3], [500, 300, 150, 50])  # of a pool of 1000 images
RULE = {"whole": False, "changed": 0.0972, "budget": 1.0, "images": None, "designs": None}  # 972 / 1.8^2 = 300


def test_subsets_use_every_image_as_often_and_have_the_shares_of_the_strata():
    subsets = Subsets(STRATA, 100, seed=3)
    found = [subsets.places(turn) for turn in range(20)]
    assert np.bincount(np.concatenate(found), minlength=1000).tolist() == [2] * 1000  # two passes through the pool
    for places in found:
        # a tenth of 500, 300, 150 and 50 images; the first fifth of a subset has a fifth of that
        assert np.abs(np.bincount(STRATA[places], minlength=4) - [50, 30, 15, 5]).max() <= 1
        assert np.abs(np.bincount(STRATA[places[:20]], minlength=4) - [10, 6, 3, 1]).max() <= 1
    assert set(found[0]) != set(found[10])  # the second pass has an order of its own
    assert (Subsets(STRATA, 100, seed=3).places(7) == found[7]).all()
    assert (Subsets(STRATA, 100, seed=4).places(7) != found[7]).any()


@pytest.mark.parametrize(
    ("pool", "rule", "share"),
    [
        (8000, {}, Share(100, 300)),  # the error of a drop is 1.8 budgets
        (8000, {"budget": 2.0}, Share(100, 200)),  # a quarter as many images would do, but 200 are the least
        (900, {}, Share(100, 900)),  # a small pool is measured whole
        (8000, {"whole": True}, Share(100, 8000)),  # data.search_images names the images of every design
        (8000, {"whole": True, "images": 60_000}, Share(200, 300)),
        (8000, {"images": 6000}, Share(60, 100)),  # 60 designs at least
        (8000, {"images": 1000}, Share(20, 50)),  # but 50 images each
        (8000, {"images": 400_000}, Share(400, 1000)),  # 400 designs at most
        (8000, {"images": 60_000, "designs": 100}, Share(100, 600)),
        (500, {"images": 60_000, "designs": 100}, Share(100, 500)),
    ],
)
def test_a_budget_in_images_is_shared_out(pool, rule, share):
    assert shared_out(pool, **RULE | rule) == share


def test_a_study_keeps_the_images_of_a_design_and_has_more_designs_for_more_images():
    assert resumed({"each": 250}, Share(100, 600), 60_000) == Share(240, 250)
    assert resumed({"each": 250}, Share(100, 600), None) == Share(100, 250)
    assert resumed(None, Share(100, 600), 60_000) == Share(100, 600)


def test_the_error_of_a_stratified_sample_is_that_of_many_samples():
    # drops of -1, 0, 1 whose mean differs between strata, so that a third of the variance lies between these
    rng = np.random.default_rng(0)
    values = (rng.random(1000) < np.array([0.02, 0.1, 0.5, 0.9])[STRATA]).astype(float)
    means, errors = [], []
    for seed in range(40):
        for turn in range(10):
            chosen = Subsets(STRATA, 100, seed).places(turn)
            means.append(values[chosen].mean())
            errors.append(values[chosen].var() * within(values[chosen], STRATA[chosen]) / 100)
    # sampling from 1000 images without replacement takes a tenth off the variance
    assert np.var(means) == pytest.approx(0.9 * np.mean(errors), rel=0.15)
    assert np.mean(errors) < 0.7 * values.var() / 100


def test_every_design_is_measured_on_its_own_images_against_the_float_network_of_the_pool():
    runner = ToyRunner()
    evaluator = toy_evaluator(runner, batch_size=10)
    assert runner.images == IMAGES  # the float network, once
    evaluator.share(40, seed=1)
    first, second = evaluator(every_design()[0], turn=0), evaluator(every_design()[1], turn=1)
    assert (first.images, first.complete, evaluator.each, evaluator.images) == (40, True, 40, IMAGES)
    assert runner.images == IMAGES + 80
    logits = evaluator.float_logits(every_design()[0])
    strata = strata_of(logits, evaluator.labels)
    for design, found, turn in ((every_design()[0], first, 0), (every_design()[1], second, 1)):
        places = Subsets(strata, 40, 1).places(turn)
        own = ToyRunner().run(places, design.widths.tolist()).logits.argmax(1) == evaluator.labels[places]
        right = logits[places].argmax(1) == evaluator.labels[places]
        assert found.drop == pytest.approx(100 * (right.mean() - own.mean()))
        assert found.top1_stderr == pytest.approx(np.sqrt(own.mean() * (1 - own.mean()) / 40))
    cut = evaluator(every_design()[2], lambda partial: partial.images >= 20, turn=2)
    assert not cut.complete
    assert cut.images < 40


def config(**search):
    return Config(data=Data(search_images=search.pop("pool", None)), search=Search(**search))


def decided(asked, study, images=2000):
    """What `with_images` makes of a configuration on a pool that changes 9.72 % of its classes by chaos."""
    shared = []
    evaluator = SimpleNamespace(images=images, share=lambda each, seed: shared.append(each), pace=lambda design: 5.0)
    search = with_images(asked, SimpleNamespace(widest=None), evaluator, 0.0972, study).search
    return search.evaluations, shared[0], search.images, search.hours


def test_the_images_of_a_search_are_decided_once_and_its_configuration_says_them():
    study = optuna.create_study(directions=["minimize"] * 3)
    assert decided(config(hours=1.0), study) == (60, 300, 18_000, None)  # 3600 s at 5 images/s
    assert decided(config(hours=9.0), study) == (60, 300, 18_000, None)  # the study has its budget
    assert decided(config(images=30_000), study) == (100, 300, 30_000, None)
    # what a run writes down gives the same again
    assert decided(config(images=30_000, evaluations=100), optuna.create_study(directions=["minimize"] * 3))[:2] == (
        100,
        300,
    )


def test_runs_without_the_key_are_as_before():
    study = optuna.create_study(directions=["minimize"] * 3)
    assert decided(config(pool=2000, evaluations=8), study) == (8, 2000, None, None)
    old = optuna.create_study(directions=["minimize"] * 3)
    old.add_trial(optuna.trial.create_trial(values=[0.0, 1.0, 1.0]))
    assert decided(config(), old) == (100, 2000, None, None)  # begun when an empty search_images meant the whole split
    assert decided(config(), optuna.create_study(directions=["minimize"] * 3)) == (100, 300, 30_000, None)
