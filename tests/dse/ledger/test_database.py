"""The relational storage reads and writes what Optuna's own does; each trial written by one is read by the other."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from dse.ledger import database
from dse.ledger.attributes import Said, write
from dse.ledger.database import Database


@contextmanager
def both(url: str) -> Iterator[tuple[optuna.Study, optuna.Study]]:
    """One study through the tool's storage and through Optuna's."""
    ours, theirs = Database(url), RDBStorage(url)
    name = "both"
    yield (
        optuna.create_study(study_name=name, storage=ours, directions=["minimize"] * 2),
        optuna.load_study(study_name=name, storage=theirs),
    )
    for storage in (ours, theirs):
        storage.remove_session()
        storage.engine.dispose()


@pytest.fixture
def studies(tmp_path):
    with both(f"sqlite:///{tmp_path}/s.db") as found:
        yield found


def fill(theirs):
    """Trials of all kinds, written by Optuna."""
    dice, choice = np.random.default_rng(5), CategoricalDistribution(("a", 2, None))
    for number in range(12):
        values = [float(dice.choice([math.inf, -math.inf, dice.normal()])) for _ in range(2)]
        trial = create_trial(
            values=values,
            params={"z": int(dice.integers(5)), "a": float(dice.random()), "c": choice.choices[number % 3]},
            distributions={"z": IntDistribution(0, 9), "a": FloatDistribution(0, 1), "c": choice},
            user_attrs={"text": "ü\n'", "list": [1, None, {"k": 0.1}], f"own-{number}": number},
            system_attrs={"limit": 0.5},
            intermediate_values={0: math.nan, 3: math.inf, 1: 0.25},
        )
        theirs.add_trial(trial)
    theirs.ask()
    theirs.enqueue_trial({"z": 1})
    theirs.tell(theirs.ask().number, state=TrialState.FAIL)
    return 12 + 2


def check_that_both_are_one(ours, theirs):
    """The laws of this file for one pair of studies, on whatever database."""
    count = fill(theirs)
    assert len(ours.get_trials()) == count
    assert sorted_attributes(ours) == sorted_attributes(theirs)
    lease = create_trial(state=TrialState.RUNNING, user_attrs={"lease": {"n": 1}}, system_attrs={"s": 2})
    key = ours._storage.create_new_trial(ours._study_id, lease)
    assert ours._storage.get_trial_number_from_id(key) == count
    write(ours._storage, key, Said({"levels": [1, 2]}))
    write(ours._storage, key, Said({"lease": 2}, {"limit": -1.5}, TrialState.COMPLETE, [math.inf, 0.1]))
    last = theirs._storage.get_trial(key)
    assert (last.number, last.state, last.values) == (count, TrialState.COMPLETE, [math.inf, 0.1])
    assert last.user_attrs == {"lease": 2, "levels": [1, 2]}
    assert last.datetime_start <= last.datetime_complete
    assert sorted_attributes(ours) == sorted_attributes(theirs)
    for said in (Said({"late": 1}), Said({"late": 1}, state=TrialState.FAIL)):
        with pytest.raises(UpdateFinishedTrialError):
            write(ours._storage, key, said)
        with pytest.raises(KeyError):
            write(ours._storage, key + 1000, said)
    assert "late" not in theirs._storage.get_trial(key).user_attrs
    with pytest.raises(KeyError):
        ours._storage.create_new_trial(ours._study_id + 1000, lease)
    with pytest.raises(KeyError):
        ours._storage.get_trial(key + 1000)


def sorted_attributes(study):
    """All that is in the trials; the order of attributes means nothing."""
    out = []
    for trial in study.get_trials(deepcopy=False):
        said = {
            k: v for k, v in vars(trial).items() if k not in ("_user_attrs", "_system_attrs", "_intermediate_values")
        }
        maps = [trial.user_attrs, trial.system_attrs, trial.intermediate_values]
        out.append((repr(said), *(repr(sorted(each.items())) for each in maps)))
    return out


def test_what_one_writes_the_other_reads(studies):
    check_that_both_are_one(*studies)


def test_of_many_trials_the_study_is_named_instead_of_each(studies, monkeypatch):
    monkeypatch.setattr(database, "LISTED", 1)
    check_that_both_are_one(*studies)


def test_a_look_reads_what_is_new_or_was_under_way(studies):
    ours, theirs = studies
    first, second, third = (theirs.ask() for _ in range(3))
    seen = ours._storage._backend._get_trials(ours._study_id, None, {first._trial_id}, second._trial_id)
    assert [trial._trial_id for trial in seen] == [first._trial_id, third._trial_id]
    states = (TrialState.COMPLETE,)
    assert ours._storage._backend._get_trials(ours._study_id, states, set(), -1) == []
