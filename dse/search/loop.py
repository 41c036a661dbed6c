"""The search loop: baselines first, then ask -> evaluate -> tell; everything it knows is in the Optuna study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from dse.arrays import IntArray
from dse.errors import EvaluationError
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.measurement import Evaluation, Partial, from_record
from dse.ledger import proposals
from dse.ledger.attributes import keep
from dse.ledger.leases import LOST, give_up, pauses
from dse.problem.design import Design
from dse.problem.problem import Problem
from dse.search.claims import Claim, Claims, Wanted, same_proposal
from dse.search.study import finished_among, quiet_optuna
from dse.strategies.base.sampler import Strategy

FAILURES_IN_A_ROW = 10


@dataclass(frozen=True)
class Step:
    """What the progress line shows after a trial."""

    done: int
    budget: int
    images_per_second: float
    best: FrozenTrial | None
    trial: FrozenTrial | None


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
            while finished_among(trials := study.get_trials(deepcopy=False)) < budget:
                if claims.bury(study, trials):
                    continue
                same = [t.state.is_finished() for t in trials if same_proposal(t, said)]
                if any(same):
                    return
                if same or sum(map(proposals.counts, trials)) >= budget:
                    next(wait)  # another worker measures it
                elif claim := claims.claim(study, budget, claims.wanted(trials) or Wanted(said)):
                    self._try(study, claim)

    def _try(self, study: optuna.Study, claim: Claim) -> Exception | None:
        trial = claim.trial
        try:
            self._evaluate(study, claim)
        except (EvaluationError, RuntimeError, ArithmeticError) as error:
            if study._storage.get_trial(trial._trial_id).state.is_finished():
                return None  # another worker took this one for dead, and measures the design itself
            trial.set_user_attr("error", f"{type(error).__name__}: {error}".splitlines()[0])
            study.tell(trial, state=TrialState.FAIL)
            return error
        except BaseException:
            give_up(study, trial._trial_id, LOST)
            raise
        finally:
            claim.renewal.__exit__(None, None, None)
        return None

    def _recall(self, design: Design, trials: Iterable[FrozenTrial]) -> None:
        """Take over what the study says of a design that was measured."""
        if self.evaluator.known(design) is None:
            wanted = design.id  # a hash over all widths
            for trial in trials:
                if trial.state == TrialState.COMPLETE and trial.user_attrs[proposals.DESIGN] == wanted:
                    self.evaluator.remember(design, from_record(trial.user_attrs["evaluation"]))
                    return

    def _loop(self, study: optuna.Study, budget: int, on_step: Callable[[Step], None] | None) -> str:
        claims, failures, wait = Claims(self.problem, self.strategy, self.sampler), 0, pauses()
        while finished_among(trials := study.get_trials(deepcopy=False)) < budget:
            if claims.bury(study, trials):
                continue
            if sum(map(proposals.counts, trials)) >= budget:
                next(wait)  # the others measure the rest
                continue
            claim = claims.claim(study, budget, claims.wanted(trials))
            if claim is None:
                continue
            wait = pauses()
            error = self._try(study, claim)
            failures = failures + 1 if error else 0
            if failures >= FAILURES_IN_A_ROW:
                raise EvaluationError(f"{failures} evaluations in a row failed; the last: {error}") from error
            if on_step is not None:
                on_step(self._step(study, budget, claim.trial))
            if reason := self.sampler.stop_reason(study):
                return reason
        return f"budget of {budget} evaluations used"

    def _evaluate(self, study: optuna.Study, claim: Claim) -> None:
        trial, design = claim.trial, self.problem.space.design(claim.levels)
        self._recall(design, claim.lower)
        again = self.evaluator.known(design) is not None
        before = self.evaluator.images_run, self.evaluator.seconds
        expected = self._expected(study, claim)
        evaluation = self.evaluator(design, self._cut(study, claim))
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
        keep(trial, said)
        for column, limit in self.problem.budgets.items():
            if column in values:
                trial.set_constraint(f"{column}<={limit:g}", values[column] - limit)
        if evaluation.complete:
            study.tell(trial, [values[name] for name in self.problem.objectives])
        else:
            study.tell(trial, state=TrialState.PRUNED)

    def _expected(self, study: optuna.Study, claim: Claim) -> dict[str, Any]:
        """What the strategy expects of its own proposal before it is measured, where it can say."""
        trial, said = claim.trial, dict[str, Any]()
        if claim.origin != self.strategy:
            return said
        if (drop := self.sampler.predicted(study, trial)) is not None:
            said |= {"predicted": drop[0], "predicted_sd": drop[1]}
        if (energy := self.sampler.predicted_energy(study, trial)) is not None:
            said["predicted_energy_j"] = energy
        return said

    def _cut(self, study: optuna.Study, claim: Claim) -> Callable[[Partial], bool] | None:
        if not self.sampler.cuts or claim.origin != self.strategy:
            return None
        return lambda partial: self.sampler.should_cut(study, claim.trial, partial)

    def _step(self, study: optuna.Study, budget: int, trial: Trial) -> Step:
        trials = study.get_trials(deepcopy=False)
        feasible = [t for t in trials if t.state == TrialState.COMPLETE and all(c <= 0 for c in t.constraints.values())]
        best = min(feasible, key=lambda t: t.values[1], default=None)
        return Step(finished_among(trials), budget, self.evaluator.images_per_second, best, trials[trial.number])
