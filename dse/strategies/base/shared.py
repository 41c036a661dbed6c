"""What workers tell each other of their models, in attributes of the study, so that none repeats another's work."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

PREFIX = "surrogate:"


@dataclass(frozen=True)
class Shared(MutableMapping[str, Any]):
    """JSON values by name, read from the storage when they are asked for; the last one written stays."""

    study: optuna.Study

    def __getitem__(self, name: str) -> Any:
        return self.study.user_attrs[PREFIX + name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.study.set_user_attr(PREFIX + name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("attributes of a study stay")

    def __iter__(self) -> Iterator[str]:
        return (key.removeprefix(PREFIX) for key in self.study.user_attrs if key.startswith(PREFIX))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def shared_of(study: optuna.Study) -> Shared | None:
    """What the workers of a study share; None where no other one measures."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return Shared(study) if len(running) > 1 else None
