"""What a trial says, in one write: one append to the journal, one transaction of a few statements in a database.

Optuna's storages write every attribute by itself, which costs a lock or a commit each, and in a database several
statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import Trial, TrialState

from dse.ledger.database import Database


@dataclass(frozen=True)
class Said:
    """What a running trial is to say from now on.

    user: attributes in their order; limits: how far it lies beyond each, at most 0 within; state: in which it ends, if
    it does; values: of its objectives, where it is complete.
    """

    user: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    state: TrialState | None = None
    values: Sequence[float] | None = None

    @property
    def system(self) -> dict[str, float]:
        """The limits as Optuna's constraints."""
        return {f"{_CONSTRAINTS_KEY}:{key}": float(value) for key, value in self.limits.items()}


def keep(trial: Trial, user: Mapping[str, Any]) -> None:
    """Give a running trial attributes, in their order and in one write.

    A kill within the write to a journal may leave the first of them.  Through a gRPC proxy they are written one by one.
    Raises UpdateFinishedTrialError for a trial that has ended.
    """
    write(trial.storage, trial._trial_id, Said(user))
    trial._cached_frozen_trial.user_attrs.update(user)


def end(trial: Trial, said: Said) -> None:
    """End a running trial with its last attributes, as `study.tell` does; one write, raises as `keep`."""
    assert said.state is not None
    trial._cached_frozen_trial.user_attrs.update(said.user)
    values = None if said.values is None else list(said.values)
    trial.study.sampler.after_trial(trial.study, trial._cached_frozen_trial, said.state, values)
    write(trial.storage, trial._trial_id, said)


def write(storage: BaseStorage, trial_id: int, said: Said) -> None:
    """The same for a trial by its number in the storage, without a word to the sampler."""
    if isinstance(storage, JournalStorage):
        _in_journal(storage, trial_id, said)
    elif isinstance(storage, _CachedStorage) and isinstance(storage._backend, Database):
        storage._backend.say(trial_id, said.user, said.system, said.state, said.values)
    else:
        for key, value in said.user.items():
            storage.set_trial_user_attr(trial_id, key, value)
        for key, value in said.system.items():
            storage.set_trial_system_attr(trial_id, key, value)
        if said.state is not None:
            storage.set_trial_state_values(trial_id, said.state, said.values)


def _in_journal(storage: JournalStorage, trial_id: int, said: Said) -> None:
    with storage._thread_lock:
        head = {"worker_id": storage._replay_result.worker_id, "trial_id": trial_id}
        lines: list[dict[str, Any]] = []
        for key, value in said.user.items():
            lines.append({"op_code": JournalOperation.SET_TRIAL_USER_ATTR} | head | {"user_attr": {key: value}})
        for key, value in said.system.items():
            lines.append({"op_code": JournalOperation.SET_TRIAL_SYSTEM_ATTR} | head | {"system_attr": {key: value}})
        if said.state is not None:
            told = {"state": said.state, "values": said.values, "datetime_complete": datetime.now(UTC).isoformat()}
            lines.append({"op_code": JournalOperation.SET_TRIAL_STATE_VALUES} | head | told)
        storage._backend.append_logs(lines)
        ended = None
        for _ in range(len(lines) + 1):  # a trial that has ended refuses each line as it is read back
            try:
                storage._sync_with_backend()
            except UpdateFinishedTrialError as error:
                ended = error
        if ended is not None:
            raise ended
