"""Models of the drop at given parameters, many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.shared_error import SharedError
from dse.surrogate.drop_curve import Curve
from dse.surrogate.prior import Layout, Prior


def curve_of(parameters: FloatArray, at: Layout, norm: float) -> Curve:
    """The curves of parameter vectors (S, P), each parameter (S, 1)."""
    cap, early, late, knee = (np.exp(parameters[:, [i]]) for i in (at.cap, at.early, at.late, at.knee))
    return Curve(cap, early, late, knee, norm)


@dataclass(frozen=True)
class Model:
    """S parameter sets: tables (S, D, B) of T^norm, which add up, pair weights, curve (points at norm 1)."""

    prior: Prior
    tables: FloatArray
    inside: FloatArray  # (S, K)
    following: FloatArray  # (S, K - 1)
    everywhere: FloatArray  # (S,)
    curve: Curve  # parameters (S, 1)
    offset: FloatArray  # (S,) of the drop on unseen images

    @staticmethod
    def of(prior: Prior, parameters: FloatArray, excess: FloatArray | float = 0.0) -> Model:
        """Parameter vectors (S, P) as models; `excess` (D, B) is added to the logarithms."""
        at = Layout(prior)
        scale, slope, trust = (parameters[:, i, None, None] for i in (at.scale, at.slope, at.trust))
        log = prior.scaled + excess + scale + slope * prior.position + trust * prior.deviation[:, None]
        live = prior.column >= 0
        log[:, live] += parameters[:, : at.entries]
        return Model(
            prior,
            np.exp(np.minimum(log, prior.most_log)),
            parameters[:, at.inside],
            parameters[:, at.following],
            parameters[:, at.everywhere],
            curve_of(parameters, at, prior.hyper.norm),
            parameters[:, [at.offset, at.nll_offset]] @ (prior.shared_error or SharedError.none()).unseen[0],
        )

    def harm(self, levels: IntArray) -> FloatArray:
        """Summed harm, z^norm, of levels (C, D) under every sample, (S, C)."""
        samples, dims, most = self.tables.shape
        chosen = np.zeros((len(levels), dims, most))
        chosen[np.arange(len(levels))[:, None], np.arange(dims)[None], levels] = 1.0
        additive = self.tables.reshape(samples, -1) @ chosen.reshape(len(levels), -1).T
        roots = np.sqrt(self.tables)
        of_block = []
        for k in range(self.prior.membership.shape[1]):
            mine = np.flatnonzero(self.prior.blocks == k)
            of_block.append(roots[:, mine].reshape(samples, -1) @ chosen[:, mine].reshape(len(levels), -1).T)
        sums = np.stack(of_block, axis=-1)  # (S, C, K)
        # sums of squares minus the diagonal: each block's own T, summed for "everywhere"
        squares = sums**2
        own = np.stack(
            [
                self.tables[:, mine].reshape(samples, -1) @ chosen[:, mine].reshape(len(levels), -1).T
                for mine in (np.flatnonzero(self.prior.blocks == k) for k in range(sums.shape[-1]))
            ],
            axis=-1,
        )
        pairs = 0.5 * np.einsum("sck,sk->sc", squares - own, self.inside)
        pairs += np.einsum("sck,sk->sc", sums[..., :-1] * sums[..., 1:], self.following)
        pairs += 0.5 * (sums.sum(-1) ** 2 - additive) * self.everywhere[:, None]
        return np.asarray(np.maximum(additive + pairs, 0.1 * additive))

    def drop(self, levels: IntArray) -> FloatArray:
        """Drop of levels (C, D) under every sample, (S, C), in points."""
        return np.asarray(self.offset[:, None] + self.curve(self.harm(levels)))

    def harm_at(self, drop: float) -> float:
        """The summed harm at which the first sample loses so many points, its offset not counted."""
        return self.curve.first.harm_of(drop)
