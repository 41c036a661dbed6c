"""A copy of a study for optuna-dashboard, which may change what it shows, and a server for it on this machine alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from dse.errors import ConfigError
from dse.exploration.study import DIMENSIONS, STUDY_NAME, quiet_optuna
from dse.ledger import JOURNAL
from dse.ledger.proposals import LEVELS
from dse.ledger.storage import open_storage, spoken

HOST = "127.0.0.1"
EVERY = 5.0  # s between two looks at the study
REMEDY = "type: pip install 'svit-dse[dashboard]'"


def opened(run: Path, url: str | None) -> optuna.Study:
    """The study of a run directory, or of a storage.  Raises ConfigError where there is none."""
    if url is None and not (run / JOURNAL).is_file():
        raise ConfigError(f"{run / JOURNAL}: no such file; is {run} the --out of a `svit-dse search`?")
    with quiet_optuna(), spoken(url):
        try:
            return optuna.load_study(study_name=STUDY_NAME, storage=open_storage(run, url))
        except KeyError:
            raise ConfigError(f"{run}: holds no study; begin one with `svit-dse search`") from None


class Copy:
    """A study in memory that follows another one: trials that have ended, with their widths as parameters."""

    def __init__(self, source: optuna.Study) -> None:
        self._source, self._next = source, 0
        told = source.user_attrs
        self._dimensions: Mapping[str, list[int]] = told.get(DIMENSIONS, {})
        with quiet_optuna():
            self.study = optuna.create_study(study_name=STUDY_NAME, directions=source.directions)
            self.study.set_metric_names(told.get("fingerprint", {}).get("objectives", ["drop", "cost 2", "cost 3"]))

    def follow(self) -> None:
        """Copy the trials that have ended since, up to the first that has not."""
        trials = self._source.get_trials(deepcopy=False)
        while self._next < len(trials) and trials[self._next].state.is_finished():
            self.study.add_trial(self._shown(trials[self._next]))
            self._next += 1

    def _shown(self, trial: FrozenTrial) -> FrozenTrial:
        levels, said = trial.user_attrs.get(LEVELS, ()), dict[str, Any]()
        choices = list(self._dimensions.values()) or [[*range(level + 1)] for level in levels]
        names = list(self._dimensions) or [f"dimension {number}" for number in range(len(levels))]
        if len(levels) == len(names):
            said = {name: every[level] for name, every, level in zip(names, choices, levels, strict=True)}
        kinds = dict[str, BaseDistribution]()
        if said:
            kinds |= {name: CategoricalDistribution(every) for name, every in zip(names, choices, strict=True)}
        plain = {k: v for k, v in trial.user_attrs.items() if isinstance(v, str | int | float)}
        shown = optuna.trial.create_trial(
            state=trial.state, values=trial.values, params=said, distributions=kinds, user_attrs=plain
        )
        shown.datetime_start, shown.datetime_complete = trial.datetime_start, trial.datetime_complete
        return shown


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are nobody's business."""


def served(copy: Copy, port: int) -> WSGIServer:
    """A server of optuna-dashboard on 127.0.0.1; `serve_forever` runs it.

    copy: what it shows; port: 0 takes a free one.  Raises ConfigError where optuna-dashboard is not installed or the
    port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise ConfigError(f"dashboard: the package optuna-dashboard is not installed; {REMEDY}") from None
    with quiet_optuna():
        page = wsgi(copy.study._storage)
    try:
        return make_server(HOST, port, _for_this_machine(page), _Server, _Quiet)
    except OSError as error:
        raise ConfigError(f"dashboard: --port {port}: {error.strerror}; choose another, or 0 for a free one") from None


def _for_this_machine(page: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The page, unless it is asked for by another name: a site in a browser could else read it under its own."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "").rpartition(":")[0]
        if name in (HOST, "localhost"):
            return page(environ, start)
        start("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"only for 127.0.0.1\n"]

    return answer


def following(copy: Copy, say: Callable[[str], None]) -> threading.Event:
    """Follow the study from a thread until the event is set; `say` takes why it stopped following."""
    end = threading.Event()

    def follow() -> None:
        while not end.wait(EVERY):
            try:
                copy.follow()
            except Exception as error:  # the page stays as it is
                say(f"the study is no longer followed: {type(error).__name__}")
                return

    threading.Thread(target=follow, daemon=True).start()
    return end
