"""Several attributes of a trial in one write: one append to the journal, one transaction in a database.

Optuna's storages write every attribute by itself, which costs a lock or a commit each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import Trial


def keep(trial: Trial, said: Mapping[str, Any]) -> None:
    """Give a running trial its attributes, in their order and in one write.

    A kill within the write to a journal may leave the first of them.  Through a gRPC proxy they are written one by one.
    Raises UpdateFinishedTrialError for a trial that has ended.
    """
    write(trial.storage, trial._trial_id, said)
    trial._cached_frozen_trial.user_attrs.update(said)


def write(storage: BaseStorage, trial_id: int, said: Mapping[str, Any]) -> None:
    """The same for a trial by its number in the storage."""
    if isinstance(storage, JournalStorage):
        _in_journal(storage, trial_id, said)
    elif isinstance(storage, _CachedStorage):
        _in_database(storage._backend, trial_id, said)
    else:
        for key, value in said.items():
            storage.set_trial_user_attr(trial_id, key, value)


def _in_journal(storage: JournalStorage, trial_id: int, said: Mapping[str, Any]) -> None:
    with storage._thread_lock:
        head = {"op_code": JournalOperation.SET_TRIAL_USER_ATTR, "worker_id": storage._replay_result.worker_id}
        lines = [head | {"trial_id": trial_id, "user_attr": {key: value}} for key, value in said.items()]
        storage._backend.append_logs(lines)
        ended = None
        for _ in range(len(lines) + 1):  # a trial that has ended refuses each line as it is read back
            try:
                storage._sync_with_backend()
            except UpdateFinishedTrialError as error:
                ended = error
        if ended is not None:
            raise ended


def _in_database(storage: RDBStorage, trial_id: int, said: Mapping[str, Any]) -> None:
    from optuna.storages._rdb import models
    from optuna.storages._rdb.storage import _create_scoped_session

    with _create_scoped_session(storage.scoped_session) as session:
        for key, value in said.items():
            storage._set_trial_attr_without_commit(session, models.TrialUserAttributeModel, trial_id, key, value)
