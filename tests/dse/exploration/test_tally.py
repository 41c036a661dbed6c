"""What is read once per trial is what reading all trials every time gives."""

import random

import pytest
from optuna.trial import TrialState, create_trial

from dse.exploration.tally import Tally

ENDED = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def invented(dice, number):
    state = dice.choice([*ENDED, TrialState.RUNNING])
    said = {"origin": dice.choice("abc"), "design": dice.choice("uvw"), "levels": [0]}
    if state == TrialState.FAIL:
        said |= dice.choice([{}, {"void": "lost"}, {"void": "withdrawn"}])
        if dice.random() < 0.3:
            del said["levels"]
    if number and dice.random() < 0.4:
        said["again"] = dice.randrange(number)
    values = [0.0, 1.0, 0.0] if state == TrialState.COMPLETE else None
    trial = create_trial(state=state, values=values, user_attrs=said)
    trial.number = number
    return trial


def read_anew(trials):
    """What a tally says, from all trials at once."""
    counts = [t for t in trials if "void" not in t.user_attrs]
    again = {
        t.user_attrs["again"] for t in trials if "again" in t.user_attrs and t.user_attrs.get("void") != "withdrawn"
    }
    lost = [t for t in trials if t.user_attrs.get("void") == "lost" and "levels" in t.user_attrs]
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    return {
        "finished": sum(t.state in ENDED[:2] for t in trials),
        "counted": sum(t.state in (*ENDED[:2], TrialState.RUNNING) for t in trials),
        "turn": len(counts),
        "to_repeat": next((t.number for t in lost if t.number not in again), None),
        "origins": {t.user_attrs["origin"] for t in [*counts, *(trials[number] for number in again)]},
        "measured": {d: next((t.number for t in complete if t.user_attrs["design"] == d), None) for d in "uvw"},
    }


def number_of(trial):
    return None if trial is None else trial.number


@pytest.mark.parametrize("seed", range(20))
def test_a_tally_that_follows_a_study_is_one_that_reads_it_whole(seed):
    dice, tally, trials = random.Random(seed), Tally(), []
    for _ in range(30):
        trials += [invented(dice, len(trials) + more) for more in range(dice.randrange(3))]
        if (under_way := [t.number for t in trials if t.state == TrialState.RUNNING]) and dice.random() < 0.7:
            number = dice.choice(under_way)
            ended = invented(dice, number)
            if ended.state != TrialState.RUNNING:
                trials[number] = ended
        assert read_anew(trials) == {
            "finished": tally.finished_among(trials),
            "counted": tally.counted_among(trials),
            "turn": tally.turn(trials),
            "to_repeat": number_of(tally.to_repeat(trials)),
            "origins": tally.origins_among(trials),
            "measured": {d: number_of(tally.measured_among(trials, d)) for d in "uvw"},
        }
    assert 0 < tally.settled <= len(trials)
