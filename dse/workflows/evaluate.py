"""One design measured in full: accuracy with its uncertainty, classes, and the health of its neurons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import sviT_models
from dse.config.choices import WEIGHT_WIDTHS
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation.experiment import Experiment
from dse.evaluation.health import class_table, health_table
from dse.evaluation.measurement import Evaluation, share_text
from dse.evaluation.prepare import prepare
from dse.problem.design import Design, uniform
from dse.problem.widths_file import Target, one_of, parsed
from dse.progress import Advance, quiet, within


@dataclass(frozen=True)
class Measured:
    """A design on a set of images: `evaluation` beside that of the float network, `classes` and `health` tables."""

    evaluation: Evaluation
    reference: Evaluation
    classes: pd.DataFrame
    health: pd.DataFrame
    chaos: sviT_models.ChaosFloor

    def summary(self) -> list[dict[str, Any]]:
        """The figures as rows of `what`, `design` and `float`."""
        new, old = self.evaluation, self.reference
        classes = max(len(new.right), 1)
        rows = [
            ("top-1", *(share_text(e.top1, e.images) for e in (new, old))),
            (f"top-{min(5, classes)}", *(share_text(e.top5, e.images) for e in (new, old))),
            ("drop", f"{new.drop:+.2f} pp, 95 % interval {new.drop_low:+.2f} to {new.drop_high:+.2f} (paired)", ""),
            ("predictions changed", f"{new.changed:.2%}", f"{self.chaos.changed:.2%} (chaos floor)"),
            ("KL divergence", f"{new.kl:.4g} nat", f"{self.chaos.kl:.4g} nat (chaos floor)"),
            ("negative log-likelihood", f"{new.nll:.4g} nat", f"{old.nll:.4g} nat"),
            ("spikes per image", f"{sum(new.spikes):,.0f}", f"{sum(old.spikes):,.0f}"),
        ]
        return [{"what": what, "design": design, "float": reference} for what, design, reference in rows]

    def record(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "design": self.evaluation.record(),
            "float": self.reference.record(),
            "chaos": {name: getattr(self.chaos, name) for name in ("noise", "changed", "drop", "kl")},
            "classes": self.classes.to_dict("records"),
            "health": self.health.to_dict("records"),
        }


def uniform_design(
    config: Config, bits: int, time_steps: int | None = None, advance: Advance = quiet
) -> tuple[Experiment, Design]:
    """A network with one width everywhere.  Raises ConfigError for a width that does not exist."""
    if bits not in WEIGHT_WIDTHS:
        raise ConfigError(f"--bits {bits}: no such width; choose from {', '.join(map(str, WEIGHT_WIDTHS))}")
    experiment = prepare(config, advance)
    network = experiment.network
    return experiment, uniform(network.layers, bits, time_steps or network.time_steps)


def file_design(
    config: Config, path: Path, name: str | None = None, like: Design | None = None, advance: Advance = quiet
) -> tuple[Experiment, Design]:
    """The design in a file of widths, or the one of several called `name`, for the network of a configuration.

    What the file gives no widths for, and time steps, are those of the design `like`.

    Raises ConfigError for a file that does not fit the network, before that is loaded where the file shows it.
    """
    parsed(path)
    experiment = prepare(config, advance)
    targets = (Target.of(each, like) for each in experiment.costing().workloads.values())
    design = one_of(path, *targets, name=name)
    return experiment, design


def evaluated(experiment: Experiment, design: Design, split: str, count: int | None) -> Measured:
    """Measure a design on `count` images of a split (None: all of it)."""
    images = experiment.source.load(split, count)
    evaluator = experiment.evaluator(images)
    experiment.round([design])
    evaluation = evaluator(design, progress=within(experiment.advance, "images through the design"))
    both = health_table(experiment, {"float": experiment.network.float_design, "design": design})
    before, after = (part.drop(columns="id").reset_index(drop=True) for _, part in both.groupby("id", sort=False))
    health = after.assign(float_rate=before["rate"], rate_change=after["rate"] / before["rate"] - 1)
    classes = class_table(images, {"float": evaluator.float.right, "design": evaluation.right})
    return Measured(evaluation, evaluator.float, classes, health, experiment.chaos_floor())
