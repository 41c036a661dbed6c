"""How many designs a search measures on how many images: decided once, kept in its study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

from dse.config.schema import Config
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.experiment import Experiment
from dse.evaluation.subsets import Share, resumed, shared_out
from dse.exploration.study import finished

KEPT = "images"  # attribute of the study: designs, images of each, and the budget in images


def share_of(
    config: Config, pool: int, changed: float, images: int | None, kept: Mapping[str, Any] | None = None
) -> Share:
    """Designs and images of each by a configuration.

    config   the configuration
    pool     images that designs are measured on
    changed  share of images that change their class by chaos alone
    images   the budget in images; None: no such budget
    kept     what the study keeps, whose images per design hold; None: nothing
    """
    now = shared_out(
        pool,
        whole=config.data.search_images is not None,
        changed=changed,
        budget=config.budgets.get("drop", 1.0),
        images=images,
        designs=config.search.evaluations,
    )
    return resumed(kept, now, images)


def with_images(
    config: Config, experiment: Experiment, evaluator: Evaluator, changed: float, study: optuna.Study
) -> Config:
    """The configuration with the number of designs and its budget in images, both kept in the study.

    config      the configuration
    experiment  what it names, loaded
    evaluator   has measured the float network on the pool; from here on it gives every design its images
    changed     share of images that change their class by chaos alone
    study       the study of the search; what it keeps of an earlier start holds

    Hours become images here, by the pace of the widest design on this machine, once for a study.  A study that was
    begun before studies kept this goes on with all images for every design.
    """
    search, kept, pool = config.search, study.user_attrs.get(KEPT), evaluator.images
    if kept is None and finished(study):
        kept = {"each": pool}
    images = search.images
    if search.hours is not None:
        before = None if kept is None else kept.get("budget")
        images = before or round(3600 * search.hours * evaluator.pace(experiment.widest))
    share = share_of(config, pool, changed, images, kept)
    now = share.record() | {"budget": images}
    if now != kept:
        study.set_user_attr(KEPT, now)
    evaluator.share(share.each, search.seed)
    whole = images is None and share.each == pool
    told = {"evaluations": share.designs, "images": None if whole else share.images, "hours": None}
    return config.model_copy(update={"search": search.model_copy(update=told)})


def images_text(share: Share, pool: int) -> str:
    """What every design is measured on, in a few words.

    share  designs and images of each
    pool   images that they are taken from
    """
    if share.each >= pool:
        return f"{share.designs} designs, each on all {pool:,}"
    return f"{share.designs} designs on {share.each:,} each, {share.images:,} at most, in turn from a pool of {pool:,}"
