"""What a study's trials say together, each ended one read once, so that a look at a study costs what is new in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from dse.ledger.leases import LOST, VOID, WITHDRAWN
from dse.ledger.proposals import AGAIN, DESIGN, LEVELS, ORIGIN, counts


@dataclass
class Tally:
    """What the ended trials say, up to the first that has not ended; those behind it are read at every look.

    settled: how many they are; finished: complete or cut short; counted: without VOID; origins: of those;
    lost: of dead workers and with a proposal, by number; repeated: numbers of lost trials whose design another trial
    measures; measured: complete trials by design.
    """

    settled: int = 0
    finished: int = 0
    counted: int = 0
    origins: set[str | None] = field(default_factory=set)
    lost: dict[int, FrozenTrial] = field(default_factory=dict)
    repeated: set[int | None] = field(default_factory=set)
    measured: dict[str, FrozenTrial] = field(default_factory=dict)

    def open(self, trials: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
        """The trials from the first that has not ended on; those before it are taken in.

        trials: of one study from its first on, as read now.
        """
        while self.settled < len(trials) and trials[self.settled].state.is_finished():
            self._take(trials[self.settled])
            self.settled += 1
        return trials[self.settled :]

    def _take(self, trial: FrozenTrial) -> None:
        said = trial.user_attrs
        self.finished += trial.state != TrialState.FAIL
        if VOID not in said:
            self.counted += 1
            self.origins.add(said.get(ORIGIN))
        if said.get(VOID) == LOST and LEVELS in said:
            self.lost[trial.number] = trial
        if AGAIN in said and said.get(VOID) != WITHDRAWN:
            self.repeated.add(said[AGAIN])
        if trial.state == TrialState.COMPLETE and DESIGN in said:
            self.measured.setdefault(said[DESIGN], trial)

    def finished_among(self, trials: Sequence[FrozenTrial]) -> int:
        """Trials that used up budget."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return sum((t.state in ended for t in self.open(trials)), self.finished)

    def counted_among(self, trials: Sequence[FrozenTrial]) -> int:
        """Trials that take up budget: finished, cut short, or under way."""
        return sum(map(counts, self.open(trials)), self.finished)

    def turn(self, trials: Sequence[FrozenTrial]) -> int:
        """The place of the next trial among those that stand for an evaluation."""
        return sum((VOID not in t.user_attrs for t in self.open(trials)), self.counted)

    def to_repeat(self, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """The first trial of a dead worker whose design nobody else measures."""
        repeated = self.repeated | set(self._repeated(trials))
        behind = [t for t in self.open(trials) if t.user_attrs.get(VOID) == LOST and LEVELS in t.user_attrs]
        return next((t for t in (*self.lost.values(), *behind) if t.number not in repeated), None)

    def origins_among(self, trials: Sequence[FrozenTrial]) -> set[str | None]:
        """Origins of the trials that stand for an evaluation, and of lost ones that another trial repeats."""
        repeated = self.repeated | set(self._repeated(trials))
        behind = {t.user_attrs.get(ORIGIN) for t in self.open(trials) if VOID not in t.user_attrs}
        taken = {trials[number].user_attrs.get(ORIGIN) for number in repeated if number is not None}
        return self.origins | behind | taken

    def measured_among(self, trials: Sequence[FrozenTrial], design: str) -> FrozenTrial | None:
        """The first complete trial of a design."""
        if (known := self.measured.get(design)) is not None:
            return known
        behind = (t for t in self.open(trials) if t.state == TrialState.COMPLETE)
        return next((t for t in behind if t.user_attrs.get(DESIGN) == design), None)

    def _repeated(self, trials: Sequence[FrozenTrial]) -> Iterator[int]:
        for trial in self.open(trials):
            if AGAIN in trial.user_attrs and trial.user_attrs.get(VOID) != WITHDRAWN:
                yield trial.user_attrs[AGAIN]
