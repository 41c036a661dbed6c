"""The search loop: baselines first, then ask -> evaluate -> tell; everything it knows is in the Optuna study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.arrays import IntArray
from dse.errors import EvaluationError
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.measurement import Evaluation, Partial, from_record
from dse.exploration.claims import Claim, Claims, Wanted, same_proposal
from dse.exploration.expected_drop import Trusted, cheapest_trusted
from dse.exploration.study import quiet_optuna
from dse.exploration.tally import Tally
from dse.ledger import proposals
from dse.ledger.attributes import Said, end
from dse.ledger.leases import LOST, give_up, pauses
from dse.problem.design import Design
from dse.problem.problem import Problem
from dse.strategies.base.sampler import Strategy
from dse.surrogate import Learner, prior_of

FAILURES_IN_A_ROW = 10


def used(budget: int) -> str:
    """Why a search stops that has measured as many designs as it may."""
    return f"budget of {budget} evaluations used"


@dataclass(frozen=True)
class Step:
    """What the progress line shows after a trial; `look` finds the best design, which takes a fit of the model.

    workers: how many measure now, where all of a study are looked at together.
    """

    done: int
    budget: int
    images_per_second: float
    trial: FrozenTrial | None
    look: Callable[[], Trusted | None]
    workers: int = 1

    @cached_property
    def best(self) -> Trusted | None:
        """The cheapest design so far that is trusted to keep every budget."""
        return self.look()


@dataclass(frozen=True)
class Loop:
    """Everything a search loop works with.

    quantities: of an evaluated design everything that is minimised or limited, by column of results.csv.
    """

    problem: Problem
    evaluator: Evaluator
    quantities: Callable[[Design, Evaluation], Mapping[str, float]]
    strategy: str
    sampler: Strategy

    @cached_property
    def _learner(self) -> Learner:
        return Learner(prior_of(self.problem))

    def run(self, study: optuna.Study, budget: int, on_step: Callable[[Step], None] | None = None) -> str:
        """Evaluate until `budget` trials are finished, by this worker or others; returns the reason for stopping.

        Joins whatever the study holds: finished designs are not evaluated again; what dead workers left comes first,
        then the baselines that are missing.  Raises EvaluationError after ten failures in a row.
        """
        with quiet_optuna():
            study.sampler = self.sampler
            return self._loop(study, budget, on_step)

    def measure(self, study: optuna.Study, levels: IntArray, origin: str, budget: int) -> None:
        """Evaluate one given design, levels (D,), once whoever comes first, as the last one of `budget`."""
        with quiet_optuna():
            study.sampler = self.sampler
            claims, wait = Claims(self.problem, self.strategy, self.sampler), pauses()
            said = {**proposals.said(levels, self.problem.space, origin), proposals.FOR: budget}
            tally = claims.tally
            while tally.finished_among(trials := study.get_trials(deepcopy=False)) < budget:
                if claims.bury(study, tally.open(trials)):
                    continue
                same = [t.state.is_finished() for t in trials if same_proposal(t, said)]
                if any(same):
                    return
                if same or tally.counted_among(trials) >= budget:
                    next(wait)  # another worker measures it
                elif claim := claims.claim(study, budget, claims.wanted(trials) or Wanted(said)):
                    self._try(study, claim, tally)

    def _try(self, study: optuna.Study, claim: Claim, tally: Tally) -> Exception | None:
        trial = claim.trial
        try:
            self._evaluate(claim, tally)
        except (EvaluationError, RuntimeError, ArithmeticError) as error:
            if study._storage.get_trial(trial._trial_id).state.is_finished():
                return None  # another worker took this one for dead, and measures the design itself
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            end(trial, Said({"error": line}, state=TrialState.FAIL))
            return error
        except BaseException:
            give_up(study, trial._trial_id, LOST)
            raise
        finally:
            claim.renewal.__exit__(None, None, None)
        return None

    def _recall(self, design: Design, found: FrozenTrial | None) -> None:
        """Take over what the study says of a design that was measured."""
        if found is not None and self.evaluator.known(design) is None:
            self.evaluator.remember(design, from_record(found.user_attrs["evaluation"]))

    def _loop(self, study: optuna.Study, budget: int, on_step: Callable[[Step], None] | None) -> str:
        claims, failures, wait = Claims(self.problem, self.strategy, self.sampler), 0, pauses()
        tally, measured = claims.tally, None
        while True:
            trials = study.get_trials(deepcopy=False)
            if measured is not None:
                if on_step is not None:
                    look = partial(cheapest_trusted, claims.view(study, trials), self.problem, self._learner)
                    done, pace = tally.finished_among(trials), self.evaluator.images_per_second
                    on_step(Step(done, budget, pace, trials[measured], look))
                if reason := self.sampler.stop_reason(claims.view(study, trials)):
                    return reason
                measured = None
            if tally.finished_among(trials) >= budget:
                return used(budget)
            if claims.bury(study, tally.open(trials)):
                continue
            if tally.counted_among(trials) >= budget:
                next(wait)  # the others measure the rest
                continue
            claim = claims.claim(study, budget, claims.wanted(trials))
            if claim is None:
                continue
            wait, measured = pauses(), claim.trial.number
            error = self._try(study, claim, tally)
            failures = failures + 1 if error else 0
            if failures >= FAILURES_IN_A_ROW:
                raise EvaluationError(f"{failures} evaluations in a row failed; the last: {error}") from error

    def _evaluate(self, claim: Claim, tally: Tally) -> None:
        trial, design = claim.trial, self.problem.space.design(claim.levels)
        self._recall(design, tally.measured_among(claim.lower, design.id))
        again = self.evaluator.known(design) is not None
        before = self.evaluator.images_run, self.evaluator.seconds
        expected = self._expected(claim)
        evaluation = self.evaluator(design, self._cut(claim), turn=claim.turn)
        values = self.quantities(design, evaluation)
        said = expected | {
            "evaluation": evaluation.record(),
            "drop": evaluation.drop,
            "images_run": self.evaluator.images_run - before[0],
            "seconds": self.evaluator.seconds - before[1],
            "repeat": again,
        }
        if "predicted_energy_j" in said:
            said["measured_energy_j"] = values["energy_j"]
        limits = {f"{c}<={limit:g}": values[c] - limit for c, limit in self.problem.budgets.items() if c in values}
        objectives = [float(values[name]) for name in self.problem.objectives]
        if np.isnan([*objectives, *limits.values()]).any():
            raise EvaluationError(f"{design.id}: an objective or a limit is not a number")
        if evaluation.complete:
            end(trial, Said(said, limits, TrialState.COMPLETE, objectives))
        else:
            end(trial, Said(said, limits, TrialState.PRUNED))

    def _expected(self, claim: Claim) -> dict[str, Any]:
        """What the strategy expects of its own proposal before it is measured, where it can say."""
        trial, said = claim.trial, dict[str, Any]()
        if claim.origin != self.strategy:
            return said
        if (drop := self.sampler.predicted(trial.study, trial)) is not None:
            said |= {"predicted": drop[0], "predicted_sd": drop[1]}
        if (energy := self.sampler.predicted_energy(trial.study, trial)) is not None:
            said["predicted_energy_j"] = energy
        return said

    def _cut(self, claim: Claim) -> Callable[[Partial], bool] | None:
        if not self.sampler.cuts or claim.origin != self.strategy:
            return None
        trial = claim.trial
        return lambda partial: self.sampler.should_cut(trial.study, trial, partial)
