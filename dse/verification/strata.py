"""Strata of the unseen images by the float network's margin, and the order in which strata and images are measured.

A design that loses little changes images near a border of the float network.  Sampling these more often, with the known
share of every stratum as its weight, takes fewer images for the same standard error (Neyman 1934; Cochran, Sampling
Techniques, 1977, sections 5.5 and 12.2).
"""

from __future__ import annotations

import numpy as np

from dse.arrays import FloatArray, IntArray

LEAST_IN_STRATUM = 100  # images: fewer say nothing of their own about a share of one per cent
MOST_STRATA = 8  # of right and of wrong images each; Cochran, section 5A.8: little is gained beyond six
BATCHES = 20  # of a whole verification: looks at every twentieth part of the images
LEAST_IN_BATCH = 250  # images


def strata_of(logits: FloatArray, labels: IntArray) -> IntArray:
    """The stratum of every image, (M,), from 0: images that the float network gets right by its margin, then the wrong.

    logits: (M, classes) of the float network; labels: (M,).  The margin is the distance from the label's logit to the
    largest other one; strata of right and of wrong images hold equally many each, at least LEAST_IN_STRATUM.
    """
    rows = np.arange(len(labels))
    others = np.array(logits, dtype=np.float64)
    others[rows, labels] = -np.inf
    margin = logits[rows, labels] - others.max(axis=1)
    right, out, first = logits.argmax(axis=1) == labels, np.zeros(len(labels), dtype=np.int64), 0
    for part in (np.flatnonzero(right), np.flatnonzero(~right)):
        count = int(np.clip(len(part) // LEAST_IN_STRATUM, 1, MOST_STRATA))
        order = part[np.argsort(np.abs(margin[part]), kind="stable")]
        for number, places in enumerate(np.array_split(order, count)):
            out[places] = first + number
        first += count if len(part) else 0
    return out


def first_batch(strata: IntArray) -> IntArray:
    """Positions of the first batch: from every stratum its share, at least one image, in the order of the images."""
    size, count = batch_size(len(strata)), np.bincount(strata)
    if size >= len(strata):
        return np.arange(len(strata))
    wanted = np.maximum(np.round(size * count / len(strata)).astype(int), 1)
    return np.sort(np.concatenate([np.flatnonzero(strata == h)[: wanted[h]] for h in range(len(count))]))


def batches(strata: IntArray, first: IntArray, discordance: FloatArray) -> tuple[IntArray, ...]:
    """All batches: the first as it is, then the other images so that every prefix has Neyman's shares.

    first: positions of the first batch; discordance: (H,) share of images of every stratum that change sides.  A
    stratum is sampled in proportion to its size times sqrt(discordance), until it has no images left.
    """
    left = np.setdiff1d(np.arange(len(strata)), first)
    if not len(left):
        return (first,)
    share = np.bincount(strata) * np.sqrt(discordance)
    when = np.empty(len(left))
    for h in range(len(share)):
        mine = strata[left] == h
        when[mine] = (np.arange(mine.sum()) + 0.5) / share[h]
    order = left[np.argsort(when, kind="stable")]
    size = batch_size(len(strata))
    cuts = np.arange(size, len(order) - size // 2, size)
    return (first, *(np.sort(part) for part in np.split(order, cuts)))


def batch_size(images: int) -> int:
    """Images of a batch: all of them where they do not make two."""
    return images if images < 2 * LEAST_IN_BATCH else max(LEAST_IN_BATCH, images // BATCHES)
