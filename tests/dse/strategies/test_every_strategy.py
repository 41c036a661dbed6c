import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from dse import strategies
from dse.errors import ConfigError
from dse.strategies.base.history import read
from dse.strategies.base.seeding import seed_trial
from dse.strategies.guided import guided_design
from dse.surrogate.link import Link, fit_link
from dse.surrogate.prior import prior_harm
from tests.dse.problems import every_design, random_problem, uniform_baselines

WIDTHS = [(2, 3, 4, 6, 8)] * 6
ALL = strategies.names()


def drop_of(problem, levels):
    """True drop in points: the prior's harm itself, scaled so that the narrowest design loses 40 points."""
    harm = prior_harm(problem.space, problem.whole.scores)
    rows = np.arange(len(harm))
    return float(40 * harm[rows, levels].sum() / harm[:, 0].sum())


def finish(study, problem, trial, rng, noise=0.1):
    levels = problem.space.levels(trial.params)
    drop = drop_of(problem, levels) + noise * rng.normal()
    record = {"drop": drop, "drop_stderr": noise, "nll_delta": drop / 30, "kl": 0.1, "logit_distance": 1.0}
    for name, value in (record | {"images": 1000, "changed": 0.1}).items():
        trial.set_user_attr(name, value)
    study.tell(trial, [drop, *problem.costs(levels[None])[0]])


def run(strategy, problem, trials, seed=0, study=None, **options):
    sampler = strategies.load(strategy)(problem, seed, **options)
    study = study or optuna.create_study(directions=["minimize"] * 3)
    study.sampler = sampler
    space = problem.space.distributions()
    while len(study.trials) < trials:
        number = len(study.trials)
        if number < len(problem.baselines):
            trial = seed_trial(study, problem.space.params(problem.baselines[number].levels), space)
        else:
            trial = study.ask(space)
        finish(study, problem, trial, np.random.default_rng([99, trial.number]))
    return study


def proposals(study):
    return [tuple(t.params.values()) for t in study.trials]


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_the_registry_lists_files_and_helps_with_typing_errors():
    assert {"guided", "nsga2", "tpe", "random"} <= set(ALL)
    with pytest.raises(ConfigError, match="no strategy 'nsga3'; did you mean 'nsga2'"):
        strategies.load("nsga3")


@pytest.mark.parametrize("name", ALL)
def test_options_are_documented_and_checked(name):
    problem = random_problem(0, WIDTHS)
    assert len(strategies.summary(name)) > 20
    with pytest.raises(ConfigError, match=rf"search.options.populatoin: {name} has no such option"):
        strategies.load(name)(problem, 0, populatoin=3)
    for key, option in strategies.option_table(name).items():
        with pytest.raises(ConfigError, match=rf"search.options.{key} of {name} is \[\]"):
            strategies.load(name)(problem, 0, **{key: []})
        if option.low is not None:
            with pytest.raises(ConfigError, match="expected at least"):
                strategies.load(name)(problem, 0, **{key: type(option.default)(option.low - 1)})


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_search_and_a_resumed_one_goes_on_the_same_way(name):
    problem = random_problem(1, WIDTHS)
    problem = random_problem(1, WIDTHS, baselines=uniform_baselines(problem))
    trials = 10 if name == "gp" else 16  # an ask of its model, after ten designs, costs a second
    whole = run(name, problem, trials)
    again = run(name, problem, trials)
    assert proposals(whole) == proposals(again)
    resumed = run(name, problem, trials, study=run(name, problem, 9))
    assert proposals(resumed) == proposals(whole)


def test_the_gaussian_processes_propose_the_same_design_when_a_search_is_resumed():
    problem = random_problem(1, WIDTHS[:3])
    whole = run("gp", problem, 5, startup=4)
    assert proposals(run("gp", problem, 5, startup=4, study=run("gp", problem, 4, startup=4))) == proposals(whole)


@pytest.mark.parametrize("name", ["random", "nsga2", "tpe", "gp"])
def test_other_seeds_give_other_designs(name):
    problem = random_problem(1, WIDTHS)
    assert proposals(run(name, problem, 4)) != proposals(run(name, problem, 4, seed=1))


@pytest.mark.parametrize("name", sorted(set(ALL) - {"random", "nsga2", "tpe", "gp"}))
def test_our_own_strategies_propose_every_design_once_before_they_repeat_any(name):
    problem = random_problem(2, [(2, 4, 8), (2, 8), (3, 8)])  # 12 designs
    study = run(name, problem, 12)
    assert len(set(proposals(study))) == 12
    assert len(run(name, problem, 14, study=study).trials) == 14  # a space used up is no reason to fail


@pytest.mark.parametrize("name", ALL)
def test_odd_spaces_and_unknown_scores_work(name):
    for widths in ([(2, 4, 8)], [(4,), (2, 3)], [(2, 3, 8), (4,), (2, 8), (1, 2)]):
        problem = random_problem(3, widths)
        run(name, problem, 5)
        unknown = np.full_like(problem.whole.scores, np.nan)
        run(name, random_problem(3, widths, harms=unknown), 5)


def test_nsga2_breeds_from_enqueued_designs():
    """With the baselines as first parents, the first children are mixtures of them (or mutants in few places)."""
    problem = random_problem(4, [(2, 3, 4, 6, 8)] * 40)
    problem = random_problem(4, [(2, 3, 4, 6, 8)] * 40, baselines=uniform_baselines(problem)[:4])
    study = run("nsga2", problem, 8, population=4)
    # Optuna numbers generations in a system attribute; the baselines are the whole of generation 0
    generations = [next(v for k, v in t.system_attrs.items() if "generation" in k) for t in study.trials]
    assert generations == [0, 0, 0, 0, 1, 1, 1, 1]
    for child in study.trials[4:]:
        from_baselines = np.isin(list(child.params.values()), [4, 3, 2, 1]).mean()
        # a random design would have the narrowest level 0, which no baseline has, in a fifth of its 40 places
        assert from_baselines > 0.9


def test_a_running_trial_is_not_proposed_to_another_worker():
    problem = random_problem(5, WIDTHS)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=strategies.load("guided")(problem, 0))
    first = study.ask(problem.space.distributions())
    second = study.ask(problem.space.distributions())
    assert first.params != second.params


def test_failed_and_cut_trials_are_not_repeated_and_cut_ones_count_as_measurements():
    problem = random_problem(5, WIDTHS)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=strategies.load("guided")(problem, 0))
    failed = study.ask(problem.space.distributions())
    study.tell(failed, state=TrialState.FAIL)
    cut = study.ask(problem.space.distributions())
    cut.set_user_attr("drop", 12.0)
    cut.set_user_attr("drop_stderr", 0.0)
    cut.set_user_attr("images", 100)
    study.tell(cut, state=TrialState.PRUNED)
    past = read(study, problem)
    assert past.drop.tolist() == [12.0]
    assert past.complete.tolist() == [False]
    assert past.stderr[0] == pytest.approx(1.0)  # one image of 100
    assert past.costs[0] == pytest.approx(problem.costs(problem.space.levels(cut.params)[None])[0])
    assert len(past.taken) == 2
    assert study.ask(problem.space.distributions()).params not in (failed.params, cut.params)


def test_guided_search_finds_the_true_front_that_its_scores_describe():
    """The prior is the truth here, so that ten designs must beat sixty random ones in hypervolume."""
    from dse.optimize.pareto import hypervolume

    problem = random_problem(6, WIDTHS)
    problem = random_problem(6, WIDTHS, baselines=uniform_baselines(problem))
    reference = [10.0, *problem.costs((problem.space.sizes - 1)[None])[0]]

    def volume(study):
        levels = [problem.space.levels(t.params) for t in study.trials]
        return hypervolume([[drop_of(problem, x), *problem.costs(x[None])[0]] for x in levels], reference)

    assert volume(run("guided", problem, 15)) > 1.1 * volume(run("random", problem, 65))


def test_the_link_recovers_the_scale_of_the_scores():
    link = Link(scale=3.0, power=0.85)
    scores = np.geomspace(0.01, 20, 12)
    fitted = fit_link(scores, link(scores), np.full(12, 0.05))
    assert fitted.power == 0.85
    assert fitted(scores) == pytest.approx(link(scores), rel=0.15)


def test_the_guided_setting_is_narrower_than_its_base_where_that_is_cheap():
    problem = random_problem(7, WIDTHS)
    levels = guided_design(problem.whole)
    harm = prior_harm(problem.space, problem.whole.scores)
    rows = np.arange(6)
    # base: the narrowest uniform level with at most 1/16 of the harm at 2 bits
    base = next(b for b in range(5) if harm[:, b].sum() <= harm[:, 0].sum() / 16)
    assert (levels <= base).all()
    assert (levels < base).any()
    assert harm[rows, levels].sum() <= 2 * harm[:, base].sum()
    # it is maximal: no further step stays inside
    for d in np.flatnonzero(levels > 0):
        assert harm[rows, levels].sum() + harm[d, levels[d] - 1] - harm[d, levels[d]] > 2 * harm[:, base].sum()


def test_prior_harm_is_relative_to_the_widest_level_and_never_rises_with_width():
    problem = random_problem(8, [(2, 3, 4, 8), (2, 8), (2, 4, 8)])
    scores = problem.whole.scores.copy()
    scores[0, 1], scores[0, 2] = scores[0, 2], scores[0, 1]  # a score that rises with width
    scores[2] = np.nan
    harm = prior_harm(problem.space, scores)
    assert np.isinf(harm[1, 2:]).all()
    for row, size in zip(harm, problem.space.sizes, strict=True):
        assert row[size - 1] == 0
        assert (np.diff(row[:size]) <= 0).all()
    assert every_design(problem.space).shape == (24, 3)
