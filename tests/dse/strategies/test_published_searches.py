"""The published procedures on a problem whose drop is measured without noise."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from dse import strategies
from dse.optimize.lagrangian import gather
from dse.strategies.base.history import History, measurements
from dse.strategies.base.history import read as read_history
from dse.surrogate import belief, diagnose, information
from dse.surrogate.prior import prior_harm
from tests.dse.problems import random_problem

BLOCKS = ["conv.0", "conv.1", "attn.0", "attn.0", "attn.1", "attn.1"]
WIDTHS = [(2, 3, 4, 6, 8)] * 6
PROBLEM = random_problem(11, WIDTHS, BLOCKS)
HARM = prior_harm(PROBLEM.space, PROBLEM.whole.scores)
LIMIT = 1.0


def drop(levels):
    """Additive and exact: the narrowest design loses 40 points."""
    return 40 * gather(HARM, levels) / HARM[:, 0].sum()


def followed(name, most=400, **options):
    """The designs of a script in order with their drops, and its final design."""
    engine = strategies.load(name)(PROBLEM, 0, **options)
    script, visited = engine.script(), []
    try:
        levels = next(script)
        while len(visited) < most:
            visited.append((levels.copy(), float(drop(levels))))
            levels = script.send(visited[-1][1])
    except StopIteration as end:
        return visited, end.value
    raise AssertionError("the script did not end")


def memory(levels):
    return float(gather(PROBLEM.whole.tables["memory_bytes"], levels))


@pytest.mark.parametrize("name", ["qsvit", "aq4svit_greedy", "aq4svit_beam"])
def test_the_final_design_keeps_the_accuracy_constraint_and_was_measured(name):
    visited, final = followed(name)
    assert drop(final) <= LIMIT
    assert memory(final) < 0.75 * memory(PROBLEM.space.sizes - 1)
    assert any(np.array_equal(final, levels) for levels, _ in visited)


def test_qsvit_takes_its_four_steps():
    visited, final = followed("qsvit")
    widest = PROBLEM.space.sizes - 1
    # step 1: one part (here a stage: layers 0-1 or 2-5) below its widest, never below the first level that fails
    study = [x for x, _ in visited if (x[:2] == widest[:2]).all() != (x[2:] == widest[2:]).all()]
    assert len(study) >= 2
    alone = [np.arange(2, 6), np.arange(2)]  # of the other part, for stages 0-1 and 2-5
    tolerable = [min(int(x.min()) for x, d in visited if d <= LIMIT and (x[other] == 4).all()) for other in alone]
    # step 2: the base combines them and is widened until the combination holds
    base = np.repeat(tolerable, [2, 4])
    position = next(i for i, (x, _) in enumerate(visited) if np.array_equal(x, base))
    while drop(base) > LIMIT:
        base = np.minimum(base + 1, widest)
        position += 1
        assert np.array_equal(visited[position][0], base)
    # step 3 only narrows from there
    assert all((x <= base).all() for x, _ in visited[position + 1 :])
    # step 4: no part can be narrowed any more
    for part in (slice(0, 2), slice(2, 6)):
        lower = final.copy()
        lower[part] = np.maximum(lower[part] - 1, 0)
        assert np.array_equal(lower, final) or drop(lower) > LIMIT


def test_greedy_goes_from_the_network_to_stages_to_blocks():
    visited, final = followed("aq4svit_greedy")
    uniform = [len(set(x)) == 1 for x, _ in visited]
    assert uniform[0]
    first = uniform.index(False)
    # the network level ended with the first uniform design that broke the constraint
    assert visited[first - 1][1] > LIMIT
    for block in sorted(set(BLOCKS)):
        lower = final.copy()
        mine = [i for i, b in enumerate(BLOCKS) if b == block]
        assert len(set(final[mine])) == 1
        lower[mine] = np.maximum(lower[mine] - 1, 0)
        assert np.array_equal(lower, final) or drop(lower) > LIMIT


def test_a_wider_beam_visits_more_and_ends_no_worse():
    narrow, one = followed("aq4svit_beam", width=1, branches=1)
    wide, many = followed("aq4svit_beam", width=4, branches=4)
    assert len(wide) > len(narrow)
    assert memory(many) <= memory(one)


def test_amp_walks_from_the_widest_to_the_narrowest_in_order_of_sensitivity():
    visited, _ = followed("amp_greedy")
    walk = sorted((x for x, _ in visited), key=lambda x: -x.sum())
    assert (walk[0] == 4).all()
    assert (walk[-1] == 0).all()
    for wider, narrower in itertools.pairwise(walk):
        assert (wider != narrower).sum() == 1  # one flip at a time
    drops = [drop(x) for x in walk]
    assert drops == sorted(drops)
    # with exact sensitivities the measured list gives the same walk, after measuring 6 * 4 single flips
    measured, _ = followed("amp_greedy", sensitivity="measured")
    assert len(measured) == 24 + len(visited)


@pytest.mark.parametrize("name", ["aq4svit_greedy", "aq4svit_beam"])
def test_the_gate_gives_up_hopeless_candidates_only(name):
    engine = strategies.load(name)(PROBLEM, 0, drop=1.5, gate_images=100)
    bad = SimpleNamespace(images=100, total=1000, drop=9.0, drop_stderr=3.0)
    assert engine.should_cut(None, None, bad)  # 9 - 2 * 3 > 1.5
    assert not engine.should_cut(None, None, SimpleNamespace(**(vars(bad) | {"images": 99})))
    assert not engine.should_cut(None, None, SimpleNamespace(**(vars(bad) | {"drop": 7.0})))


def test_scripts_build_on_what_the_study_holds():
    engine = strategies.load("qsvit")(PROBLEM, 0)
    visited, _ = followed("qsvit")
    levels = np.array([x for x, _ in visited])
    seen, drops = levels[:5], np.array([d for _, d in visited[:5]])
    zeros = np.zeros(len(drops))
    past = History(
        seen, drops, zeros, zeros, zeros, zeros, zeros, PROBLEM.costs(seen), np.ones(len(drops), dtype=bool), levels
    )
    nxt = engine.propose(past, np.random.default_rng(0))
    assert nxt.tolist() not in levels[:5].tolist() or nxt.tolist() in levels[5:].tolist()


def posterior_study(trials=45, **options):
    from simulated_network import simulate

    from dse.strategies.base.seeding import seed_trial

    sim = simulate(1)
    problem = sim.problem
    engine = strategies.load("posterior")(problem, 0, **options)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=engine)
    for i in range(trials):
        if i < len(problem.baselines):
            params = problem.space.params(problem.baselines[i].levels)
            trial = seed_trial(study, params, problem.space.distributions())
        else:
            trial = study.ask(problem.space.distributions())
        levels = problem.space.levels(trial.params)
        m = sim.measure(levels, 1000, np.random.default_rng(i))
        for name in ("drop", "drop_stderr", "nll_delta", "nll_stderr", "changed", "images"):
            trial.set_user_attr(name, getattr(m, name))
        study.tell(trial, [m.drop, *problem.costs(levels[None])[0]])
    return sim, engine, study


def test_posterior_cuts_dominated_designs_stops_when_nothing_is_left_and_knows_itself():
    sim, engine, study = posterior_study(40)
    assert sim.share(np.array([sim.problem.space.levels(t.params) for t in study.trials])) > 0.95
    found = diagnose(belief(sim.problem, measurements(read_history(study, sim.problem))))
    assert found.additivity > 0.9
    assert found.warning is None
    assert 0.8 <= found.coverage <= 1.0
    # a design at the widest levels everywhere but one, which is 2 bits: worse than what costs as little
    worst = sim.problem.space.sizes - 1
    worst[int(sim.terms[:, 0].argmax())] = 0
    running = study.ask(sim.problem.space.distributions())
    bad = SimpleNamespace(params=sim.problem.space.params(worst), number=running.number, user_attrs={})
    early = SimpleNamespace(images=100, total=1000, drop=15.0, drop_stderr=3.0)
    assert engine.should_cut(study, bad, early)
    assert not engine.should_cut(study, bad, SimpleNamespace(**(vars(early) | {"images": 49})))
    # what the engine proposes itself is not cut on the strength of its own prediction
    fair = SimpleNamespace(images=100, total=1000, drop=1.0, drop_stderr=1.5)
    assert not engine.should_cut(study, running, fair)
    # nor is what is measured for its information
    unknown = replace(sim.problem.whole, scores=np.full(sim.terms.shape, np.nan))
    blind = replace(sim.problem, whole=unknown, parts=(), distances=None)  # good scores leave nothing to explore
    explorer, keeper = (strategies.load("posterior")(blind, 0, explore=share) for share in (1.0, 0.0))
    assert not strategies.load("posterior")(sim.problem, 0, explore=1.0)._explores(running.number, 0.0)
    assert not explorer.should_cut(study, bad, early)
    assert keeper.should_cut(study, bad, early)
    past = read_history(study, sim.problem, without=running.number)
    posterior = belief(blind, measurements(past))
    front = keeper._candidates(posterior.centre, np.random.default_rng(1))
    informative = explorer.propose(past, np.random.default_rng(2))
    step = keeper.propose(past, np.random.default_rng(2))
    gained = information(posterior, np.vstack([informative[None], step[None], front]), front)
    assert gained[0] > gained[1]
    assert gained[0] > np.quantile(gained[2:], 0.95)
    patient = strategies.load("posterior")(sim.problem, 0, stop_gain=1e-6)
    hasty = strategies.load("posterior")(sim.problem, 0, stop_gain=0.5)
    assert patient.stop_reason(study) is None
    assert "expected to add" in hasty.stop_reason(study)
    assert strategies.load("posterior")(sim.problem, 0, stop_gain=0.0).stop_reason(study) is None
