"""Attention without softmax: products of spikes, whose sums are integers."""

from torch import Tensor


def by_head(x: Tensor, heads: int) -> Tensor:
    """(..., C, N) -> (..., heads, C / heads, N)."""
    return x.unflatten(-2, (heads, -1))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Q (K^T V), all (..., channels of a head, N) -> (..., channels of a head of v, N).

    Without softmax the product may be taken in any order; this one is linear in the number of tokens N.
    """
    pairs = v @ k.transpose(-1, -2)  # (..., d of v, d of k): for spikes, the tokens where both channels fire
    return pairs @ q


def spiking_self_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, scale: float) -> Tensor:
    """Q (K^T V) times `scale`, head by head, all (..., C, N): Zhou et al., "Spikformer", ICLR 2023."""
    mixed = attend(by_head(q, heads), by_head(k, heads), by_head(v, heads))  # (..., heads, C / heads, N)
    return mixed.flatten(-3, -2) * scale
