"""The Optuna study of a search: opened or joined, and read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.errors import ConfigError
from dse.ledger.storage import open_storage, spoken

STUDY_NAME = "svit-dse"
DIMENSIONS = "dimensions"  # attribute of a study: the choices of every searched dimension by its name, for other tools
MEANINGS = ("space", "objectives")  # what the levels and values of a stored trial stand for


def open_study(
    run_dir: Path,
    fingerprint: Mapping[str, Any],
    *,
    url: str | None = None,
    name: str = STUDY_NAME,
    allow_mixed: bool = False,
) -> optuna.Study:
    """Create the study of a run, or join the one that is there.

    `fingerprint` says what the measurements depend on (checkpoint, data, space, quantization, hardware, version).
    Raises ConfigError when the stored fingerprint differs, with the difference, unless `allow_mixed`, which records
    the override in the study; what the stored numbers stand for, space and objectives, may not differ at all. Of
    workers that begin a study at once with different inputs, those of one are the study's, and the others are refused.
    """
    study = _created(run_dir, url, name)
    stored = study.user_attrs.get("fingerprint")
    if stored is None:
        stored = _begun(study, fingerprint)
    changed = [k for k in sorted(set(stored) | set(fingerprint)) if stored.get(k) != fingerprint.get(k)]
    if not changed:
        return study
    shown = "; ".join(f"{k} was {_short(stored.get(k))} and is {_short(fingerprint.get(k))}" for k in changed)
    if lost := [k for k in MEANINGS if k in changed]:
        raise ConfigError(
            f"{run_dir}: this study was made with other inputs: {shown}; its numbers stand for other designs where "
            f"{' and '.join(lost)} differ: take another --out"
        )
    if not allow_mixed:
        raise ConfigError(
            f"{run_dir}: this study was made with other inputs: {shown}; take another --out, or --allow-mixed"
        )
    overrides = [*study.user_attrs.get("mixed", []), shown]
    study.set_user_attr("mixed", overrides)
    study.set_user_attr("fingerprint", dict(fingerprint))
    return study


def _begun(study: optuna.Study, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a study that says none yet: those of whoever comes first, which all others find.

    An attribute of a study keeps the last writer's value. A trial is made whole and in an order that all workers see,
    so that each brings its inputs as a trial beside the study, and the first trial's are taken.
    """
    brought = beside(study, "inputs")
    kept = optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={"fingerprint": dict(fingerprint)})
    brought.add_trial(kept)
    first = min(brought.get_trials(deepcopy=False), key=lambda trial: trial.number)
    inputs: dict[str, Any] = first.user_attrs["fingerprint"]
    study.set_user_attr("fingerprint", inputs)
    return inputs


def beside(study: optuna.Study, name: str) -> optuna.Study:
    """The study `name` of a search in the storage of its study, new or as it is."""
    with quiet_optuna():
        return optuna.create_study(study_name=f"{study.study_name}-{name}", storage=study._storage, load_if_exists=True)


def _created(run_dir: Path, url: str | None, name: str) -> optuna.Study:
    """The study in its storage, new or as it is.  Raises ConfigError for a storage that cannot be opened."""
    with quiet_optuna(), spoken(url):
        return optuna.create_study(
            study_name=name, storage=open_storage(run_dir, url), directions=["minimize"] * 3, load_if_exists=True
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna without its log lines and its notices about experimental features."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def finished(study: optuna.Study) -> int:
    """Trials that used up budget: complete or cut short, each as one; failed ones have a limit of their own."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return len(ended)


def evaluated(study: optuna.Study) -> list[FrozenTrial]:
    """Complete trials in order, each design once (its first evaluation)."""
    first: dict[str, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        first.setdefault(trial.user_attrs["design"], trial)
    return list(first.values())
