"""The statements of a trial in Optuna's tables, built once: what is to be read or written is given as parameters."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from optuna.trial import TrialState

UPSERTS = ("mysql", "postgresql", "sqlite")  # with a statement that writes over what is there
OPEN = (TrialState.RUNNING, TrialState.WAITING)


@dataclass(frozen=True)
class Statements:
    """Of SQLAlchemy, by what they do; parameters in brackets.

    one: the row of a trial (trial_id); since: rows of a study's trials (study_id) behind one, or among some (after,
    among); said, said_since: what five tables say of trials (ids; as `since`), as kind, key, text, number, place; lock:
    a study's row (study_id); claim: a new trial under way (study, start), gives its key and number; state: of a trial
    that nobody may end meanwhile (trial_id); end: a trial that has not ended (trial, state, complete); user, system:
    attributes, over those of the same name (trial_id, key, value_json); values: of objectives (their columns).
    """

    one: Any
    since: Any
    said: Any
    said_since: Any
    lock: Any
    claim: Any
    state: Any
    end: Any
    user: Any
    system: Any
    values: Any


def statements(dialect: str) -> Statements:
    """Those for a database of a kind, one of UPSERTS."""
    from optuna.storages._rdb import models
    from sqlalchemy import bindparam, func, insert, literal, or_, select, update

    trials, studies = models.TrialModel.__table__, models.StudyModel.__table__
    key, this = trials.c.trial_id, trials.c.trial_id == bindparam("trial_id")
    among = key.in_(bindparam("among", expanding=True))
    since = trials.c.study_id == bindparam("study_id"), or_(key > bindparam("after"), among)
    # the number of trials is read by the statement that writes: behind the study's lock, whoever had it before
    told = {"study_id": bindparam("study", type_=trials.c.study_id.type)}
    told["state"] = literal(TrialState.RUNNING, trials.c.state.type)
    told["datetime_start"] = bindparam("start", type_=trials.c.datetime_start.type)
    count = select(func.count(key), *told.values()).where(trials.c.study_id == told["study_id"])
    ended: dict[str, Any] = {"state": bindparam("state"), "datetime_complete": bindparam("complete")}
    return Statements(
        one=select(trials).where(this),
        since=select(trials).where(*since).order_by(key),
        said=_said(models, bindparam("ids", expanding=True)),
        said_since=_said(models, select(key).where(*since)),
        lock=select(studies.c.study_id).where(studies.c.study_id == bindparam("study_id")).with_for_update(),
        claim=insert(trials).from_select(["number", *told], count).returning(key, trials.c.number),
        state=select(trials.c.state).where(this).with_for_update(read=True),
        end=update(trials).where(key == bindparam("trial"), trials.c.state.in_(OPEN)).values(ended),
        user=_upsert(models.TrialUserAttributeModel.__table__, dialect),
        system=_upsert(models.TrialSystemAttributeModel.__table__, dialect),
        values=insert(models.TrialValueModel.__table__),
    )


def _said(models: Any, ids: Any) -> Any:
    """All that five tables say of some trials: kind, key, text, number, place."""
    from sqlalchemy import Float, Integer, String, Text, cast, literal_column, null, select, union_all

    kinds = {"key": String, "text": Text, "number": Float, "place": Integer}
    none: dict[str, Any] = {name: cast(null(), kind) for name, kind in kinds.items()}

    def of(kind: str, model: Any, **columns: Any) -> Any:
        told = [(none | columns)[name].label(name) for name in none]
        named: Any = literal_column(f"'{kind}'").label("kind")
        return select(model.trial_id, named, *told).where(model.trial_id.in_(ids))

    user, system, values = models.TrialUserAttributeModel, models.TrialSystemAttributeModel, models.TrialValueModel
    params, steps = models.TrialParamModel, models.TrialIntermediateValueModel
    meant, reached = cast(values.value_type, String), cast(steps.intermediate_value_type, String)
    chosen = {"text": params.distribution_json, "number": params.param_value, "place": params.param_id}
    return union_all(
        of("user", user, key=user.key, text=user.value_json),
        of("system", system, key=system.key, text=system.value_json),
        of("value", values, key=meant, number=values.value, place=values.objective),
        of("param", params, key=params.param_name, **chosen),
        of("step", steps, key=reached, number=steps.intermediate_value, place=steps.step),
    )


def _upsert(table: Any, dialect: str) -> Any:
    """A statement that writes rows of attributes, over those of the same name."""
    found = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    if dialect == "mysql":
        return found.on_duplicate_key_update(value_json=found.inserted.value_json)
    return found.on_conflict_do_update(
        index_elements=[table.c.trial_id, table.c.key], set_={"value_json": found.excluded.value_json}
    )
