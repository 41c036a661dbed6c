"""Models of the drop at given parameters, many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.shared_error import SharedError
from dse.surrogate.prior import LARGEST_LOG, Layout, Prior


@dataclass(frozen=True)
class Model:
    """S parameter sets: tables (S, D, B) of additive harm in points, pair weights, link."""

    prior: Prior
    tables: FloatArray
    inside: FloatArray  # (S, K)
    following: FloatArray  # (S, K - 1)
    everywhere: FloatArray  # (S,)
    cap: FloatArray  # (S,)
    offset: FloatArray  # (S,) of the drop on unseen images

    @staticmethod
    def of(prior: Prior, parameters: FloatArray, excess: FloatArray | float = 0.0) -> Model:
        """Parameter vectors (S, P) as models; `excess` (D, B) is added to the logarithms."""
        at = Layout(prior)
        shift = parameters[:, at.scale, None, None] + parameters[:, at.slope, None, None] * prior.position
        log = prior.log_harm + excess + shift
        live = prior.column >= 0
        log[:, live] += parameters[:, : at.entries]
        return Model(
            prior,
            np.exp(np.minimum(log, LARGEST_LOG)),
            parameters[:, at.inside],
            parameters[:, at.following],
            parameters[:, at.everywhere],
            np.exp(parameters[:, at.cap]),
            parameters[:, [at.offset, at.nll_offset]] @ (prior.shared_error or SharedError.none()).unseen[0],
        )

    def harm(self, levels: IntArray) -> FloatArray:
        """z of levels (C, D) under every sample, (S, C)."""
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
        cap = self.cap[:, None]
        return np.asarray(self.offset[:, None] + cap * -np.expm1(-self.harm(levels) / cap))
