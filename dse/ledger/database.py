"""Optuna's relational storage with few statements per trial: what is written at once is one transaction, what is read
together is two statements.

Optuna's own storage loads every trial object by object, with a statement for each of its tables. The tables and what
stands in them are Optuna's: other tools read the same study.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from dse.ledger.statements import Statements, statements

RETURNS = ("postgresql", "sqlite")  # whose INSERT can give back the new row
LISTED = 100  # trials that a statement names one by one; of more it names the study
NOBODY = -1  # the key of no trial


class Database(RDBStorage):
    """A database by its URL, as Optuna's cached storage uses it; its kind is one of `statements.UPSERTS`.

    Raises as Optuna's storage does; StorageInternalError where the database does not answer.
    """

    @cached_property
    def _models(self) -> Any:
        from optuna.storages._rdb import models

        return models

    @cached_property
    def _sql(self) -> Statements:
        return statements(self.engine.name)

    @cached_property
    def _reading(self) -> Any:
        """Connections whose statements are transactions by themselves: two messages less for each look."""
        return self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One trial as it is now.  Raises KeyError where there is none."""
        if found := self._read(self._sql.one, {"trial_id": trial_id}):
            return found[0]
        raise KeyError(self._models.NOT_FOUND_MSG)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        among = sorted(key for key in included_trial_ids if key <= trial_id_greater_than) or [NOBODY]
        which = {"study_id": study_id, "among": among, "after": trial_id_greater_than}
        found = self._read(self._sql.since, which)
        return found if states is None else [trial for trial in found if trial.state in states]

    def _read(self, statement: Any, which: Mapping[str, Any]) -> list[FrozenTrial]:
        """The trials whose rows a statement gives."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._reading.connect() as connection:
                rows = connection.execute(statement, which).all()
                said: dict[int, list[Any]] = {row.trial_id: [] for row in rows}
                if not rows:
                    return []
                told = (self._sql.said, {"ids": list(said)}) if len(rows) <= LISTED else (self._sql.said_since, which)
                for piece in connection.execute(*told):
                    said.get(piece.trial_id, []).append(piece)  # of a trial that came in between, nowhere
        except SQLAlchemyError as error:
            raise StorageInternalError("the database cannot be read") from error
        return [self._frozen(row, said[row.trial_id]) for row in rows]

    def _frozen(self, row: Any, said: Sequence[Any]) -> FrozenTrial:
        """A trial from its row and from what the other tables say of it."""
        values, steps = self._models.TrialValueModel, self._models.TrialIntermediateValueModel
        kinds: dict[str, list[Any]] = {kind: [] for kind in ("user", "system", "value", "param", "step")}
        for piece in said:
            kinds[piece.kind].append(piece)
        params = sorted(kinds["param"], key=lambda piece: piece.place)
        dimensions = {piece.key: json_to_distribution(piece.text) for piece in params}
        reached = [
            values.stored_repr_to_value(piece.number, values.TrialValueType[piece.key])
            for piece in sorted(kinds["value"], key=lambda piece: piece.place)
        ]
        return FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=reached or None,
            datetime_start=_local(row.datetime_start),
            datetime_complete=_local(row.datetime_complete),
            params={piece.key: dimensions[piece.key].to_external_repr(piece.number) for piece in params},
            distributions=dimensions,
            user_attrs={piece.key: json.loads(piece.text) for piece in kinds["user"]},
            system_attrs={piece.key: json.loads(piece.text) for piece in kinds["system"]},
            intermediate_values={
                piece.place: steps.stored_repr_to_intermediate_value(
                    piece.number, steps.TrialIntermediateValueType[piece.key]
                )
                for piece in kinds["step"]
            },
            trial_id=row.trial_id,
        )

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """A trial under way with attributes and nothing else in three statements; any other trial in Optuna's way."""
        plain = template_trial is not None and template_trial.state == TrialState.RUNNING
        if template_trial is None or not plain or template_trial.params or self.engine.name not in RETURNS:
            return super()._create_new_trial(study_id, template_trial)
        from sqlalchemy.exc import OperationalError

        try:
            number, trial_id = self._claimed(study_id, template_trial)
        except OperationalError:  # a deadlock, or no answer: Optuna tries again, five times
            return super()._create_new_trial(study_id, template_trial)
        found = copy.deepcopy(template_trial)
        found.number, found._trial_id = number, trial_id
        return found

    def _claimed(self, study_id: int, template: FrozenTrial) -> tuple[int, int]:
        """Number and key of a new trial under way.  Raises KeyError where there is no such study."""
        with self.engine.begin() as connection:
            if connection.scalar(self._sql.lock, {"study_id": study_id}) is None:
                raise KeyError(self._models.NOT_FOUND_MSG)
            told = {"study": study_id, "start": _stored(template.datetime_start)}
            row = connection.execute(self._sql.claim, told).one()
            self._tell(connection, row.trial_id, template.user_attrs, template.system_attrs)
        return row.number, row.trial_id

    def say(
        self,
        trial_id: int,
        user: Mapping[str, Any],
        system: Mapping[str, Any],
        state: TrialState | None,
        values: Sequence[float] | None,
    ) -> None:
        """Give a running trial attributes and, where `state` is given, end it with the values of its objectives; all
        or nothing.

        Raises UpdateFinishedTrialError for a trial that has ended, KeyError where there is none.
        """
        with self.engine.begin() as connection:
            ended = {"trial": trial_id, "state": state, "complete": _stored(datetime.now())}
            if state is None or not connection.execute(self._sql.end, ended).rowcount:
                now = connection.scalar(self._sql.state, {"trial_id": trial_id})
                if now is None:
                    raise KeyError(self._models.NOT_FOUND_MSG)
                self.check_trial_is_updatable(trial_id, now)
            self._tell(connection, trial_id, user, system)
            if state is not None and values:
                kept = map(self._models.TrialValueModel.value_to_stored_repr, values)
                rows = [
                    {"trial_id": trial_id, "objective": objective, "value": number, "value_type": kind}
                    for objective, (number, kind) in enumerate(kept)
                ]
                connection.execute(self._sql.values, rows)

    def _tell(self, connection: Any, trial_id: int, user: Mapping[str, Any], system: Mapping[str, Any]) -> None:
        """Write attributes of a trial, over those of the same name."""
        for statement, attributes in ((self._sql.user, user), (self._sql.system, system)):
            rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(v)} for key, v in attributes.items()]
            if rows:
                connection.execute(statement, rows)


def _stored(local: datetime | None) -> datetime | None:
    """A time as the tables keep it: UTC, without saying so."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def _local(stored: datetime | None) -> datetime | None:
    """A time of the tables as Optuna's trials have it: local, without saying so."""
    return None if stored is None else stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
