"""Which trial a worker measures next, so that no design is measured twice and no budget is passed.

A trial is created with its worker's lease in one write, so that the order of numbers is the order of claims: of two
that want the same, the lower number has it.  A worker proposes when every lower trial has its proposal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from dse.arrays import IntArray
from dse.exploration.tally import Tally
from dse.ledger import proposals
from dse.ledger.attributes import keep
from dse.ledger.leases import LEASE, LONGEST_PAUSE, LOST, VOID, WITHDRAWN, Renewal, Watch, give_up, new_lease, pauses
from dse.ledger.proposals import AGAIN, DESIGN, FOR, LEVELS, ORIGIN, TURN, View
from dse.problem.problem import Problem
from dse.strategies.base.sampler import Strategy
from dse.strategies.base.seeding import PerTrial

TURN_PAUSE = 0.05  # s between two looks of a worker that is next to propose


@dataclass(frozen=True)
class Wanted:
    """A given design: what its trial says, and the lost trial that it repeats."""

    said: dict[str, Any]
    again: int | None = None


@dataclass(frozen=True)
class Claim:
    """A trial that this worker measures: its trial, what it is, what seeds its random numbers, the trials with lower
    numbers as this worker read them, and the renewal of its lease, already running."""

    trial: Trial
    levels: IntArray
    origin: str
    turn: int
    lower: list[FrozenTrial]
    renewal: Renewal


@dataclass(frozen=True)
class Claims:
    """Claims trials of a study for one worker; `finished` keeps trials as samplers read them, `tally` what they say."""

    problem: Problem
    strategy: str
    sampler: Strategy
    watch: Watch = field(default_factory=Watch)
    finished: dict[int, FrozenTrial] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def wanted(self, trials: Sequence[FrozenTrial]) -> Wanted | None:
        """What comes before new proposals: lost trials again, then baselines that are missing."""
        if (lost := self.tally.to_repeat(trials)) is not None:
            told = lost.user_attrs
            return Wanted({key: told[key] for key in (ORIGIN, DESIGN, FOR, LEVELS) if key in told}, lost.number)
        present = self.tally.origins_among(trials)
        for baseline in self.problem.baselines:
            if baseline.origin not in present:
                return Wanted(dict(proposals.said(baseline.levels, self.problem.space, baseline.origin)))
        return None

    def view(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> View:
        """The study as the sampler reads it, with these trials."""
        return View(study, self.problem.space, self.finished, trials)

    def bury(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> bool:
        """Give up the trials of dead workers, to be proposed again; whether there were any."""
        dead = self.watch.dead(trials)
        for trial in dead:
            give_up(study, trial._trial_id, LOST)
        return bool(dead)

    def claim(self, study: optuna.Study, budget: int, wanted: Wanted | None) -> Claim | None:
        """A trial for this worker, with a given design or the strategy's next; None where another was before it."""
        lease = new_lease()
        said = {} if wanted is None else dict(wanted.said)
        if wanted is not None and wanted.again is not None:
            said[AGAIN] = wanted.again
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={LEASE: lease, **said})
        study._thread_local.cached_all_trials = None
        trial_id = study._storage.create_new_trial(study._study_id, template)
        renewal = Renewal(study, trial_id, lease)
        renewal.__enter__()
        try:
            found = self._settled(study, trial_id, budget, wanted)
        except optuna.exceptions.UpdateFinishedTrialError:
            found = None  # another worker took this one for dead while it made its proposal
        except BaseException:
            renewal.__exit__(None, None, None)
            give_up(study, trial_id, LOST)
            raise
        if found is None:
            renewal.__exit__(None, None, None)
            give_up(study, trial_id, WITHDRAWN)
            return None
        return Claim(*found, renewal)

    def _settled(
        self, study: optuna.Study, trial_id: int, budget: int, wanted: Wanted | None
    ) -> tuple[Trial, IntArray, str, int, list[FrozenTrial]] | None:
        found = self._when(study, trial_id, lambda t: LEVELS not in t.user_attrs)
        lower = [] if found is None else found[0]
        if found is None or self.tally.counted_among(lower) >= budget or _taken(wanted, lower):
            return None
        turn = self.tally.turn(lower)
        if turn != len(lower):
            study._storage.set_trial_user_attr(trial_id, TURN, turn)
        trial = Trial(self.view(study, found[1]), trial_id)
        said = wanted.said if wanted else proposals.said(self._proposed(trial), self.problem.space, self.strategy)
        if wanted is None:
            keep(trial, said)
        elif isinstance(self.sampler, PerTrial):
            _ = trial.relative_params  # NSGA-II numbers generations there, see `seeding.seed_trial`
        same = [t for t in self.tally.open(lower) if t.user_attrs.get(DESIGN) == said[DESIGN]]
        if any(t.state == TrialState.RUNNING for t in same):  # another measures it: its result will do
            found = self._when(study, trial_id, lambda t: t.user_attrs.get(DESIGN) == said[DESIGN])
            if found is None:
                return None
        return trial, np.array(said[LEVELS], dtype=np.int64), str(said[ORIGIN]), turn, found[0]

    def _when(
        self, study: optuna.Study, trial_id: int, blocks: Any
    ) -> tuple[list[FrozenTrial], list[FrozenTrial]] | None:
        """The trials below a given one, and all, once no running one below blocks; None where it was given up."""
        wait = pauses()
        while True:
            trials = study.get_trials(deepcopy=False)
            at = next(at for at in range(len(trials) - 1, -1, -1) if trials[at]._trial_id == trial_id)
            if trials[at].state != TrialState.RUNNING:
                return None
            lower = trials[:at]
            below = self.tally.open(lower)
            before = [t for t in below if t.state == TrialState.RUNNING and blocks(t)]
            if not before:
                return lower, trials
            if self.bury(study, below):
                continue
            if LEVELS in before[0].user_attrs:
                next(wait)  # for an evaluation
            else:
                time.sleep(min(TURN_PAUSE * len(before), LONGEST_PAUSE))  # for a turn: who is next looks often

    def _proposed(self, trial: Trial) -> IntArray:
        """The strategy's next design, levels (D,)."""
        space, found = self.problem.space, dict(trial.relative_params)
        for name, distribution in space.distributions().items():
            if name not in found:
                if not isinstance(distribution, IntDistribution):
                    raise TypeError(f"{name}: designs are made of integer levels, not of {distribution}")
                frozen = trial._cached_frozen_trial
                found[name] = self.sampler.sample_independent(trial.study, frozen, name, distribution)
        return space.levels(found)


def _taken(wanted: Wanted | None, lower: Sequence[FrozenTrial]) -> bool:
    """Whether a lower trial is the one that is wanted."""
    if wanted is None:
        return False
    if wanted.again is not None:
        return any(t.user_attrs.get(AGAIN) == wanted.again and t.user_attrs.get(VOID) != WITHDRAWN for t in lower)
    return any(same_proposal(t, wanted.said) for t in lower)


def same_proposal(trial: FrozenTrial, said: Mapping[str, Any]) -> bool:
    """Whether a trial that counts, or failed by itself, is the given design that `said` names."""
    told = trial.user_attrs
    return VOID not in told and all(told.get(key) == said.get(key) for key in (ORIGIN, FOR))
