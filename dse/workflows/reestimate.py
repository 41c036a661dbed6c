"""Batch norms of a design of a run, estimated again and kept beside the run like a fine-tuned design."""

from __future__ import annotations

from pathlib import Path

import sviT_models
from dse.evaluation.loading import load_at_most
from dse.progress import Advance, quiet
from dse.workflows.evaluate import of_run
from dse.workflows.finetune import Finetuned, keep


def reestimated(run: Path, design: str, count: int | None = None, advance: Advance = quiet) -> Finetuned:
    """A design whose norms have the statistics of its own sums on unlabelled validation images.

    `count` images, or as many as the run calibrated with.  Before and after are measured with integers on the
    verification images, paired.  Raises ConfigError and ModelError for a design that the run does not have and for one
    without integer weights.
    """
    bench, chosen = of_run(run, design, advance)
    images = load_at_most(bench.config, "validation", count or bench.config.data.calibration_images)
    found = sviT_models.reestimate(
        bench.model, bench.bank, chosen.weight_bits, images.images, time_steps=chosen.time_steps
    )
    return keep(run, bench, chosen, found.weights, "reestimated", images, {"dead_channels": found.dead})
