"""How far all workers of a study are, looked at every few seconds from a thread of one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.exploration.expected_drop import Trusted
from dse.exploration.loop import Step
from dse.exploration.tally import Tally
from dse.ledger.leases import LEASE

EVERY = 2.0  # s
Show = Callable[[Step], None]


@contextmanager
def shown_together(study: optuna.Study, budget: int, show: Show | None) -> Iterator[Show | None]:
    """Tell `show` while the block runs, and at its end, how far all workers are, whenever that has changed.

    What is yielded takes the steps of this worker's own loop, whose best design is shown from then on.
    """
    if show is None:
        yield None
        return
    end, together = threading.Event(), _Together(study, budget, show)

    def watch() -> None:
        while not end.wait(EVERY):
            try:
                together.look()
            except Exception:  # of a storage; the search meets it in its own thread
                break
        study._storage.remove_session()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield together.own
    finally:
        end.set()
        thread.join()
    together.look()


@dataclass
class _Together:
    """What was shown last: evaluations and workers, and the best design that this worker's own loop found."""

    study: optuna.Study
    budget: int
    show: Show
    last: tuple[int, int] = (-1, -1)
    best: Trusted | None = None
    tally: Tally = field(default_factory=Tally)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def own(self, step: Step) -> None:
        """Show a step of this worker's loop; its best design is found here, in the thread of the search."""
        with self.lock:
            now = replace(self._now(step.look), trial=step.trial)
            self.show(now)
            self.best = vars(now).get("best", self.best)  # where it was looked for

    def look(self) -> None:
        """Show what has changed."""
        with self.lock:
            best = self.best
            now = self._now(lambda: best)
            if (now.done, now.workers) != self.last:
                self.show(now)
            self.last = now.done, now.workers

    def _now(self, look: Callable[[], Trusted | None]) -> Step:
        trials = self.study.get_trials(deepcopy=False)
        workers, pace = _pace(trials, self.tally)
        return Step(self.tally.finished_among(trials), self.budget, pace, None, look, workers)


def _pace(trials: Sequence[FrozenTrial], tally: Tally) -> tuple[int, float]:
    """How many workers measure now, and their images per second at the speed of their last designs."""
    running = {t.user_attrs[LEASE]["worker"] for t in tally.open(trials) if _runs(t)}
    speed: dict[str, float] = {}
    for trial in reversed(trials):
        worker = trial.user_attrs.get(LEASE, {}).get("worker")
        if worker in running and worker not in speed and trial.user_attrs.get("seconds"):
            speed[worker] = trial.user_attrs["images_run"] / trial.user_attrs["seconds"]
        if len(speed) == len(running):
            break
    return len(running), sum(speed.values())


def _runs(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and LEASE in trial.user_attrs
