"""From the summed harm of a design to its drop: a curve that starts flat or steep, may turn steeper, and saturates.

    z    = h^(1/norm)                                        harm in points, from the sum h over layers
    u    = z^early (1 + (z / knee)^2)^((late - early) / 2)   slope `early` below the knee, `late` above, in logarithms
    drop = cap (1 - exp(-u / cap))

With early = late = 1 every point of harm costs a point until the drop nears chance. A network that is right with a wide
margin loses nothing at first (early > 1); one that breaks at some point has late > early.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.arrays import FloatArray

HIGHEST_LOG = 60.0  # of u: far beyond any cap, far below overflow


@dataclass(frozen=True)
class Curve:
    """The curve's parameters, scalars or arrays that broadcast with the harms.

    cap: points that can be lost; early, late: slopes of log u over log z; knee: harm between them, in points; norm: of
    the sum over layers.
    """

    cap: FloatArray
    early: FloatArray
    late: FloatArray
    knee: FloatArray
    norm: float = 1.0

    @property
    def first(self) -> Curve:
        """The first of many curves."""
        cap, early, late, knee = (np.asarray(x).ravel()[0] for x in (self.cap, self.early, self.late, self.knee))
        return Curve(cap, early, late, knee, self.norm)

    def __call__(self, summed: FloatArray) -> FloatArray:
        """Drop in points of summed harms h, any shape."""
        return self.at(summed).drop

    def at(self, summed: FloatArray) -> Point:
        """Drop of summed harms h and its derivatives, all of the same shape."""
        log_z = np.log(np.maximum(summed, 1e-300)) / self.norm
        square = np.exp(2 * np.minimum(log_z - np.log(self.knee), HIGHEST_LOG))
        beyond = 0.5 * np.log1p(square)
        u = np.exp(np.minimum(self.early * log_z + (self.late - self.early) * beyond, HIGHEST_LOG))
        left = np.exp(-u / self.cap)
        steepness = self.early + (self.late - self.early) * square / (1 + square)
        return Point(
            log_z=log_z,
            drop=np.asarray(self.cap * -np.expm1(-u / self.cap)),
            by_harm=u * left * steepness / (self.norm * np.maximum(summed, 1e-300)),
            by_cap=self.cap * -np.expm1(-u / self.cap) - u * left,
            by_early=self.early * u * left * (log_z - beyond),
            by_late=self.late * u * left * beyond,
            by_knee=-(self.late - self.early) * u * left * square / (1 + square),
        )

    def harm_of(self, drop: float) -> float:
        """The summed harm h at which the drop is so many points; the curve rises everywhere, so that it is one."""
        u = -self.cap * np.log1p(-np.minimum(drop / self.cap, 0.999))
        low, high = -HIGHEST_LOG, HIGHEST_LOG
        for _ in range(80):
            log_z = 0.5 * (low + high)
            beyond = 0.5 * np.log1p(np.exp(2 * (log_z - np.log(self.knee))))
            over = self.early * log_z + (self.late - self.early) * beyond > np.log(max(float(u), 1e-300))
            low, high = (low, log_z) if over else (log_z, high)
        return float(np.exp(self.norm * low))


@dataclass(frozen=True)
class Point:
    """Values of a curve: log z, the drop, its derivative by h, and those by the logarithms of the parameters."""

    log_z: FloatArray
    drop: FloatArray
    by_harm: FloatArray
    by_cap: FloatArray
    by_early: FloatArray
    by_late: FloatArray
    by_knee: FloatArray
