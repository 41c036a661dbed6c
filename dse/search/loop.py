"""The search loop: baselines first, then ask -> evaluate -> tell; everything it knows is in the Optuna study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from dse.arrays import IntArray
from dse.errors import EvaluationError
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.measurement import Evaluation, Partial, from_record
from dse.problem.design import Design
from dse.problem.problem import Problem
from dse.search.study import finished, quiet_optuna
from dse.strategies.base.sampler import Strategy
from dse.strategies.base.seeding import seed_trial

FAILURES_IN_A_ROW = 10
# of an evaluation, what a trial keeps for the samplers
MEASURED = (
    "drop",
    "drop_stderr",
    "changed",
    "nll_delta",
    "nll_stderr",
    "drop_nll_correlation",
    "kl",
    "logit_distance",
    "images",
)


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
        """Evaluate until `budget` trials are finished; returns the reason for stopping.

        Joins whatever the study holds: finished designs are not evaluated again, baselines that are missing come
        first. Raises EvaluationError after ten failures in a row.
        """
        with quiet_optuna():
            study.sampler = self.sampler
            self._recall(study)
            return self._loop(study, budget, on_step)

    def measure(self, study: optuna.Study, levels: IntArray, origin: str) -> None:
        """Evaluate one given design, levels (D,), and record where it comes from; a failure is a failed trial."""
        with quiet_optuna():
            study.sampler = self.sampler
            self._recall(study)
            trial = self._seeded(study, levels, origin)
            while trial.user_attrs["origin"] != origin:  # a killed process left that one waiting
                self._try(study, trial)
                trial = self._asked(study)
            self._try(study, trial)

    def _seeded(self, study: optuna.Study, levels: IntArray, origin: str) -> Trial:
        """A trial of a given design; design and origin are part of the proposal, which any process may take up."""
        space = self.problem.space
        said = {"design": space.design(levels).id, "origin": origin}
        return self._marked(seed_trial(study, space.params(levels), space.distributions(), said))

    def _asked(self, study: optuna.Study) -> Trial:
        """A proposal that waits, else a new one of the strategy."""
        return self._marked(study.ask(self.problem.space.distributions()))

    def _marked(self, trial: Trial) -> Trial:
        """The trial, as one of the strategy where it says nothing else of itself."""
        if "origin" not in trial.user_attrs:
            trial.set_user_attr("origin", self.strategy)
        return trial

    def _try(self, study: optuna.Study, trial: Trial) -> Exception | None:
        try:
            self._evaluate(study, trial)
        except (EvaluationError, RuntimeError, ArithmeticError) as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}".splitlines()[0])
            study.tell(trial, state=TrialState.FAIL)
            return error
        return None

    def _recall(self, study: optuna.Study) -> None:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            design = self.problem.space.design(self.problem.space.levels(trial.params))
            self.evaluator.remember(design, from_record(trial.user_attrs["evaluation"]))

    def _next(self, study: optuna.Study) -> Trial:
        """The next trial: a baseline that the study does not hold yet, else whatever the strategy proposes."""
        present = {t.user_attrs.get("origin") for t in study.get_trials(deepcopy=False)}
        for baseline in self.problem.baselines:
            if baseline.origin not in present:
                return self._seeded(study, baseline.levels, baseline.origin)
        return self._asked(study)

    def _loop(self, study: optuna.Study, budget: int, on_step: Callable[[Step], None] | None) -> str:
        failures = 0
        while finished(study) < budget:
            trial = self._next(study)
            error = self._try(study, trial)
            failures = failures + 1 if error else 0
            if failures >= FAILURES_IN_A_ROW:
                raise EvaluationError(f"{failures} evaluations in a row failed; the last: {error}") from error
            if on_step is not None:
                on_step(self._step(study, budget, trial))
            if reason := self.sampler.stop_reason(study):
                return reason
        return f"budget of {budget} evaluations used"

    def _evaluate(self, study: optuna.Study, trial: Trial) -> None:
        design = self.problem.space.design(self.problem.space.levels(trial.params))
        trial.set_user_attr("design", design.id)
        again = self.evaluator.known(design) is not None
        before = self.evaluator.images_run, self.evaluator.seconds
        self._predict(study, trial)
        evaluation = self.evaluator(design, self._cut(study, trial))
        self._record(trial, design, evaluation)
        trial.set_user_attr("images_run", self.evaluator.images_run - before[0])
        trial.set_user_attr("seconds", self.evaluator.seconds - before[1])
        trial.set_user_attr("repeat", again)
        values = self.quantities(design, evaluation)
        if "predicted_energy_j" in trial.user_attrs:
            trial.set_user_attr("measured_energy_j", values["energy_j"])
        for column, limit in self.problem.budgets.items():
            if column in values:
                trial.set_constraint(f"{column}<={limit:g}", values[column] - limit)
        if evaluation.complete:
            study.tell(trial, [values[name] for name in self.problem.objectives])
        else:
            study.tell(trial, state=TrialState.PRUNED)

    def _predict(self, study: optuna.Study, trial: Trial) -> None:
        """Record what the strategy expects of its own proposal before it is measured, where it can say."""
        if trial.user_attrs["origin"] != self.strategy:
            return
        if (drop := self.sampler.predicted(study, trial)) is not None:
            trial.set_user_attr("predicted", drop[0])
            trial.set_user_attr("predicted_sd", drop[1])
        if (energy := self.sampler.predicted_energy(study, trial)) is not None:
            trial.set_user_attr("predicted_energy_j", energy)

    def _cut(self, study: optuna.Study, trial: Trial) -> Callable[[Partial], bool] | None:
        if not self.sampler.cuts or trial.user_attrs["origin"] != self.strategy:
            return None
        return lambda partial: self.sampler.should_cut(study, trial, partial)

    @staticmethod
    def _record(trial: Trial, design: Design, evaluation: Evaluation) -> None:
        trial.set_user_attr("evaluation", evaluation.record())
        for name in MEASURED:
            trial.set_user_attr(name, getattr(evaluation, name))

    def _step(self, study: optuna.Study, budget: int, trial: Trial) -> Step:
        trials = study.get_trials(deepcopy=False)
        feasible = [t for t in trials if t.state == TrialState.COMPLETE and all(c <= 0 for c in t.constraints.values())]
        best = min(feasible, key=lambda t: t.values[1], default=None)
        return Step(finished(study), budget, self.evaluator.images_per_second, best, trials[trial.number])
