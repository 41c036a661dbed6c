"""What the steps of a search pass on to each other, how progress is shown, and where the study is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray

import sviT_models
from dse.config.schema import Config
from dse.evaluation.costs import Costing
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.experiment import Experiment
from dse.evaluation.measurement import Evaluation
from dse.exploration.expected_drop import Quality
from dse.exploration.loop import Loop, Step
from dse.exploration.study import open_study, quiet_optuna
from dse.exploration.together import shown_together
from dse.ledger import JOURNAL
from dse.ledger.journal import Journal
from dse.problem.problem import Problem
from dse.progress import Advance, quiet
from dse.results.manifest import Phase
from dse.results.picks_file import Picks
from dse.results.verified import Verified
from dse.surrogate import Posterior
from dse.verification import Race, Row

Watch = Callable[[], AbstractContextManager[Callable[[Step], None] | None]]


@dataclass(frozen=True)
class Listener:
    """How the progress of a search is shown: `say` takes lines, `watch` trials, `advance` parts of long steps.

    `together`: `watch` is told of all workers of the study, not of this one alone.
    """

    say: Callable[[str], None] = lambda line: None
    watch: Watch = lambda: nullcontext(None)
    advance: Advance = quiet
    together: bool = False

    @contextmanager
    def steps(self, study: optuna.Study, budget: int) -> Iterator[Callable[[Step], None] | None]:
        """What a loop tells of its own trials, while the block runs and `watch` is told as it wants."""
        with self.watch() as on_step:
            if not self.together:
                yield on_step
                return
            with shown_together(study, budget, on_step) as own:
                yield own


@dataclass(frozen=True)
class StudyStorage:
    """Where the Optuna study is stored: the journal of a run directory, a storage `url` of several workers, or memory.

    `allow_mixed` resumes a study although its inputs differ, and records that; `opened` is called when it is there for
    other workers to join.  `shares`: what is prepared is kept on this machine's disk for its other workers.
    """

    directory: Path | None = None
    url: str | None = None
    allow_mixed: bool = False
    opened: Callable[[], None] = lambda: None
    shares: bool = False

    def open(
        self, inputs: Mapping[str, Any], say: Callable[[str], None] = lambda line: None, announced: bool = True
    ) -> optuna.Study:
        """The study with what it already holds; `say` takes what was repaired.

        Not `announced`, the caller calls `opened` when other workers find in the study what they need.
        Raises ConfigError where its `inputs`, a fingerprint, were others.
        """
        if self.directory is None and self.url is None:
            with quiet_optuna():
                return optuna.create_study(directions=["minimize"] * 3)
        directory = self.directory or Path()
        directory.mkdir(parents=True, exist_ok=True)
        if self.url is None and (cut := Journal(directory / JOURNAL).cut()):
            say(f"{directory / JOURNAL}: cut off {cut} bytes of a line that was never finished; nothing else is lost")
        study = open_study(directory, inputs, url=self.url, allow_mixed=self.allow_mixed)
        if announced:
            self.opened()
        return study


@dataclass(frozen=True, eq=False)
class Prepared:
    """Network, images and chip, the study, the float network measured on the search images, and its chaos floor.

    `config` has the widths that the chip has, the number of designs and the budget in images; steps take their settings
    from it and hand values on, never the whole.
    `request` identifies the configuration as given, with all that it names, see `dse.workflows.again`.
    `needed_images` is how many unseen images a guarantee of the drop budget takes; None without such a budget.
    `shared` is what scores depend on that are kept for other workers; None where they are not.
    """

    config: Config
    experiment: Experiment
    study: optuna.Study
    evaluator: Evaluator
    chaos: sviT_models.ChaosFloor
    needed_images: int | None
    request: str
    phase: Phase
    shared: tuple[Any, ...] | None = None

    @property
    def evaluations(self) -> int:
        """Designs to evaluate, baselines included."""
        assert self.config.search.evaluations is not None
        return self.config.search.evaluations


@dataclass(frozen=True, eq=False)
class Precision:
    """How much every layer suffers from every width.

    `fisher` has `layer, bits, score`; `distances` (D, B) are one-at-a-time distances [nat], NaN where not measured.
    """

    fisher: pd.DataFrame
    distances: NDArray[np.float64] | None
    phase: Phase


@dataclass(frozen=True, eq=False)
class BaseSetting:
    """The search problem, the costs of its designs, and the loop that has measured the baselines."""

    problem: Problem
    costing: Costing
    loop: Loop
    phase: Phase


@dataclass(frozen=True, eq=False)
class Searched:
    """What the search measured: `table` is results.csv, `evaluations` its rows as measured.

    `model` is the model of all measurements; `expected` (`expected, sd` [points] by id) and `quality` follow from it.
    """

    table: pd.DataFrame
    evaluations: list[Evaluation]
    expected: pd.DataFrame
    quality: Quality
    model: Posterior
    stop_reason: str
    phase: Phase


@dataclass(frozen=True, eq=False)
class Verification:
    """The candidates (`race`) on the `unseen` images, on which `verifier` has run the float network: all rows."""

    unseen: Any
    verifier: Evaluator
    race: Race
    rows: Sequence[Row]


@dataclass(frozen=True, eq=False)
class Final:
    """The candidates on images that the search never saw (`verifier`), the picks among them, and how they fire.

    `decomposition` is what each part of the recommended design contributes; None without pick or drop budget.
    """

    verifier: Evaluator
    verified: Mapping[str, Verified]
    picks: Picks
    health: pd.DataFrame
    classes: pd.DataFrame
    decomposition: pd.DataFrame | None
    phase: Phase


SILENT = Listener()
IN_MEMORY = StudyStorage()
