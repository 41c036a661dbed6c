"""A proposal as a trial keeps it: the levels in one attribute, whose presence says that the proposal is whole.

One attribute instead of a parameter for every dimension keeps the number of writes per trial independent of the size of
the network.  Optuna's own samplers read parameters: `View` shows them a study whose trials have them.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.arrays import IntArray
from dse.problem.space import Space

LEVELS, ORIGIN, DESIGN = "levels", "origin", "design"
TURN = "turn"  # its place among the trials that count, where that is not its number
FOR = "budget"  # of the search whose last evaluation it is
AGAIN = "again"  # the number of the lost trial that it repeats


class Proposed(Protocol):
    """What `optuna.Trial` and `FrozenTrial` have in common here."""

    @property
    def number(self) -> int:
        """The trial's number."""

    @property
    def params(self) -> dict[str, Any]:
        """Optuna's parameters."""

    @property
    def user_attrs(self) -> dict[str, Any]:
        """What the tool keeps with a trial."""


def levels_of(trial: Proposed, space: Space) -> IntArray:
    """The levels (D,) of a trial, kept in one attribute or, by a plain `study.ask`, as parameters."""
    kept = trial.user_attrs.get(LEVELS)
    return space.levels(trial.params) if kept is None else np.array(kept, dtype=np.int64)


def has_levels(trial: FrozenTrial, width: int) -> bool:
    """Whether a trial's proposal is whole; `width` is the number of parameters of a plain trial."""
    return LEVELS in trial.user_attrs or len(trial.params) == width


def turn_of(trial: Proposed) -> int:
    """What seeds a trial's random numbers: its place among those that count, the same after a kill and a resume."""
    return int(trial.user_attrs.get(TURN, trial.number))


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial takes up budget: finished, cut short, or under way."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def said(levels: IntArray, space: Space, origin: str) -> Mapping[str, Any]:
    """The attributes of a proposal; the levels come last, so that what has levels has the others."""
    design = space.design(levels).id
    return {ORIGIN: origin, DESIGN: design, LEVELS: [int(level) for level in levels]}


class View(optuna.Study):
    """A study as Optuna's samplers read it: every proposal's levels as parameters.

    finished: trials that another view of the same study has made already, by number; filled.  trials: all that is
    there to be read, as it was when the view was made, so that what follows from one proposal follows from one state.
    """

    def __init__(
        self, study: optuna.Study, space: Space, finished: dict[int, FrozenTrial], trials: Sequence[FrozenTrial]
    ) -> None:
        self.__dict__.update(study.__dict__)
        self._space, self._dimensions = space, space.distributions()
        self._finished, self._given = finished, trials

    @cached_property
    def _trials(self) -> list[FrozenTrial]:
        return [self._with_parameters(trial, self._finished) for trial in self._given]

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        found = [t for t in self._trials if states is None or t.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _with_parameters(self, trial: FrozenTrial, finished: dict[int, FrozenTrial]) -> FrozenTrial:
        if LEVELS not in trial.user_attrs:
            return trial
        if (known := finished.get(trial.number)) is not None:
            return known
        full = copy.copy(trial)
        full.params = self._space.params(trial.user_attrs[LEVELS])
        full.distributions = self._dimensions
        if trial.state.is_finished():
            finished[trial.number] = full
        return full
