"""Work that several workers share beside the trials of a search: every piece is leased, done once, and kept.

A piece is a trial of a study of its own in the same storage, with the lease of who does it; its result is one attribute
of the trial.  What a killed worker did not finish is done by another one; what is finished is never done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.ledger.attributes import Said, write
from dse.ledger.leases import GONE, LEASE, LOST, WITHDRAWN, Renewal, Watch, give_up, new_lease, pauses

PIECE, RESULT = "piece", "result"


@dataclass(frozen=True)
class Result:
    """What a piece of work gives: JSON values, and one number of them to be seen in Optuna's own tables."""

    record: Mapping[str, Any]
    value: float


@dataclass(frozen=True)
class SharedWork:
    """Pieces of work in a study that nothing else uses; `watch` is what this worker has seen of the others."""

    study: optuna.Study
    watch: Watch = field(default_factory=Watch)

    def done(self) -> dict[str, Any]:
        """The records of all results, by piece."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return {t.user_attrs[PIECE]: t.user_attrs[RESULT] for t in complete}

    def results(
        self, pieces: Sequence[str], do: Callable[[str], Result], heard: Callable[[int], None] = lambda done: None
    ) -> list[Any]:
        """The records of the results of all `pieces`, in their order, once this worker and others have done them.

        pieces: names; equal names are the same piece, also of an earlier process.  do: does a piece.  heard: takes how
        many of them are done.
        """
        wait = pauses()
        while True:
            done = self.done()
            heard(sum(piece in done for piece in pieces))
            if not (missing := [piece for piece in pieces if piece not in done]):
                return [done[piece] for piece in pieces]
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            dead = self.watch.dead(running)
            for trial in dead:
                give_up(self.study, trial._trial_id, LOST)
            taken = {t.user_attrs.get(PIECE) for t in running if t not in dead}
            if free := [piece for piece in missing if piece not in taken]:
                self._do(free[0], do)
                wait = pauses()
            else:
                next(wait)  # the others do the rest

    def _do(self, piece: str, do: Callable[[str], Result]) -> None:
        """Lease a piece and do it, unless another worker was before."""
        study, lease = self.study, new_lease()
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={LEASE: lease, PIECE: piece})
        study._thread_local.cached_all_trials = None
        trial_id = study._storage.create_new_trial(study._study_id, template)
        with Renewal(study, trial_id, lease):
            try:
                if self._is_taken(piece, study._storage.get_trial_number_from_id(trial_id)):
                    give_up(study, trial_id, WITHDRAWN)
                    return
                result = do(piece)
            except BaseException:
                give_up(study, trial_id, LOST)
                raise
        with suppress(*GONE):  # another worker took this one for dead, and does the piece itself
            said = Said({RESULT: dict(result.record)}, state=TrialState.COMPLETE, values=[result.value])
            write(study._storage, trial_id, said)

    def _is_taken(self, piece: str, number: int) -> bool:
        """Whether a trial with a lower number does the piece or has done it: the order of numbers is that of claims."""

        def takes(trial: FrozenTrial) -> bool:
            alive = trial.state in (TrialState.RUNNING, TrialState.COMPLETE)
            return trial.number < number and alive and trial.user_attrs.get(PIECE) == piece

        return any(map(takes, self.study.get_trials(deepcopy=False)))
