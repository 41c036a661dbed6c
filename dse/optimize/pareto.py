"""Pareto sets on plain arrays; every objective is minimised."""

from __future__ import annotations

import heapq

import moocore
import numpy as np
from numpy.typing import ArrayLike

from dse.arrays import BoolArray, FloatArray, IntArray


def _points(points: ArrayLike) -> FloatArray:
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"objective values have shape {array.shape}; expected (designs, objectives)")
    if np.isnan(array).any():
        raise ValueError("objective values contain NaN; leave such designs out")
    return array


def is_nondominated(points: ArrayLike) -> BoolArray:
    """Which points no other point dominates, (N, M) -> (N,).

    A point dominates another if it is nowhere worse and somewhere better; equal points do not dominate each other.
    Raises ValueError for NaN.
    """
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(moocore.is_nondominated(array, keep_weakly=True), dtype=np.bool_)


def ranks(points: ArrayLike) -> IntArray:
    """Non-domination rank of every point, (N, M) -> (N,): 0 for the front, 1 for the front without rank 0, ..."""
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    return np.asarray(moocore.pareto_rank(array), dtype=np.int64)


def _inside(points: FloatArray, reference: FloatArray) -> FloatArray:
    """The points that dominate part of the box below the reference."""
    return points[(points < reference).all(axis=1)]


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume dominated by the points (N, M) inside the box below `reference` (M,); 0 without points."""
    reference = np.asarray(reference, dtype=np.float64)
    array = _inside(_points(points), reference)
    return float(moocore.hypervolume(array, ref=reference)) if len(array) else 0.0


def improvements(candidates: ArrayLike, front: ArrayLike, reference: ArrayLike) -> FloatArray:
    """Hypervolume that each candidate (C, M) alone would add to the front (N, M) -> (C,); 0 where it is dominated.

    What a candidate adds is its own box less what the front, pushed up to the candidate, covers of it.
    """
    reference = np.asarray(reference, dtype=np.float64)
    new, old = _points(candidates), _inside(_points(front), reference)
    old = old[is_nondominated(old)]
    gain = np.prod(np.maximum(reference - new, 0.0), axis=1)
    if not len(old):
        return np.asarray(gain)
    covered = np.all(old[None] <= new[:, None], axis=2)  # (C, N)
    gain[np.any(covered, axis=1)] = 0.0
    for i in np.flatnonzero(gain > 0):
        gain[i] -= moocore.hypervolume(np.maximum(old, new[i]), ref=reference)
    return np.asarray(np.maximum(gain, 0.0))


def best_batch(candidates: ArrayLike, front: ArrayLike, reference: ArrayLike, count: int) -> IntArray:
    """Indexes of up to `count` candidates that together add most hypervolume, chosen one after the other.

    Each choice is the best given those before; candidates that add nothing are left out. What a candidate adds can
    only shrink as others join, so a stale value is an upper bound and few have to be recomputed.
    """
    new, grown = _points(candidates), _points(front)
    heap = [(-float(gain), i) for i, gain in enumerate(improvements(new, grown, reference)) if gain > 0]
    heapq.heapify(heap)
    chosen: list[int] = []
    current = {i: 0 for _, i in heap}  # how many choices a stored gain already accounts for
    while heap and len(chosen) < count:
        _, i = heapq.heappop(heap)
        if current[i] == len(chosen):
            chosen.append(i)
            grown = np.vstack([grown, new[i]])
            continue
        fresh = float(improvements(new[i : i + 1], grown, reference)[0])
        current[i] = len(chosen)
        if fresh > 0:
            heapq.heappush(heap, (-fresh, i))
    return np.asarray(chosen, dtype=np.int64)
