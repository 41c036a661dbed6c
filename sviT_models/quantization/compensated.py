"""Error-compensating rounding: codes that keep a layer's outputs, not each of its weights.

With inputs of second moments H, the expected squared error of an output channel is e H eᵀ, where e is the error of its
weights. Rounding one weight therefore asks for changes in the others. `descend` starts from the nearest codes and
changes one weight at a time while that helps (coordinate descent, as in Behdin et al., "QuantEase", 2023); `spread`
fixes one column after the other and spreads its error over those still free (Frantar et al., "GPTQ", ICLR 2023, after
Hassibi and Stork, "Second order derivatives for network pruning: Optimal Brain Surgeon", NeurIPS 1992).

Everything is float64: weights, codes and errors (G, R, n), scales (G, R), moments (G, n, n), with G groups of R output
channels that see the same n inputs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from sviT_models.quantization.quantizers import Nearest

DAMPING = 0.01  # of the mean of H's diagonal, added to it: inputs that hardly occur keep nearly their nearest code
SWEEPS = 6
BLOCK = 128  # columns between updates of all others, so that the work is in matrix products

Rounding = Callable[[Tensor], Tensor]  # weights divided by their scale -> codes, both as floats


def damped(moment: Tensor) -> Tensor:
    """H with a share of its mean diagonal added to its diagonal, so that it has an inverse.

    A group whose inputs are all zero gets the identity, under which the nearest codes are the best.
    """
    power = moment.diagonal(dim1=1, dim2=2).mean(1)
    share = torch.where(power > 0, DAMPING * power, 1.0)
    return moment + torch.eye(moment.shape[1], dtype=moment.dtype) * share[:, None, None]


def descend(codes: Tensor, weight: Tensor, scale: Tensor, moment: Tensor, rounding: Rounding) -> Tensor:
    """One sweep over the columns: each code becomes the best there is while all others stay.

    The error is a parabola in each code, so its best value is the code nearest to the vertex, and no step can raise
    the output error.
    """
    codes = codes.clone()
    slope = (codes * scale[:, :, None] - weight) @ moment  # half the gradient
    curvature = moment.diagonal(dim1=1, dim2=2)[:, None] * scale[:, :, None]  # (G, R, n)
    for start in range(0, codes.shape[2], BLOCK):
        block = slice(start, start + BLOCK)
        inner = moment[:, block, block]
        local, new = (part[:, :, block].clone(memory_format=torch.contiguous_format) for part in (slope, codes))
        swept = _compiled() if isinstance(rounding, Nearest) else None
        if isinstance(rounding, Nearest) and swept is not None:
            parts = (new, local, curvature[:, :, block], scale, inner)
            swept(*(part.contiguous().numpy() for part in parts), float(rounding.top), rounding.odd)
        else:
            for j in range(new.shape[2]):
                best = rounding(new[:, :, j] - local[:, :, j] / curvature[:, :, start + j])
                change = (best - new[:, :, j]) * scale
                new[:, :, j] = best
                local += change[:, :, None] * inner[:, None, j]
        slope += ((new - codes[:, :, block]) * scale[:, :, None]) @ moment[:, block]
        codes[:, :, block] = new
    return codes


@cache
def _compiled() -> Callable[..., None] | None:
    """The sweep over one block as machine code; None without numba."""
    if importlib.util.find_spec("numba") is None:
        return None
    from sviT_models.quantization.descent import sweep

    return sweep


def fitted_scale(codes: Tensor, weight: Tensor, scale: Tensor, moment: Tensor, shared: bool) -> Tensor:
    """The scales with the least output error for given codes, <w, c> / <c, c> in the metric H; one if `shared`.

    Channels whose codes give no positive scale keep the one they have.
    """
    seen = codes @ moment
    along, power = (seen * weight).sum(2), (seen * codes).sum(2)
    if shared:
        along, power = along.sum().expand_as(along), power.sum().expand_as(power)
    fitted = along / torch.where(power > 0, power, 1.0)
    return torch.where((power > 0) & (fitted > 0), fitted, scale)


def compensated(
    weight: Tensor,
    codes: Tensor,
    scale: Tensor,
    moment: Tensor,
    rounding: Rounding,
    *,
    shared: bool = False,
    fixed: bool = False,
) -> tuple[Tensor, Tensor]:
    """Codes and scales reached from the given ones by sweeps of `descend`; their output error is never larger.

    `shared` keeps one scale for all rows, `fixed` keeps the scales as they are (powers of two).
    """
    moment = damped(moment)
    for _ in range(SWEEPS):
        if not fixed:
            scale = fitted_scale(codes, weight, scale, moment, shared)
        before = codes
        codes = descend(codes, weight, scale, moment, rounding)
        if torch.equal(codes, before):
            break
    return codes, scale


def spread(weight: Tensor, scale: Tensor, moment: Tensor, rounding: Rounding) -> Tensor:
    """Codes by GPTQ: columns by falling power of their input, the error of each spread over the later ones."""
    moment = damped(moment)
    order = moment.diagonal(dim1=1, dim2=2).sum(0).argsort(descending=True)
    inverse = torch.linalg.inv(moment[:, order][:, :, order])
    upper = torch.linalg.cholesky((inverse + inverse.mT) / 2, upper=True)  # (G, n, n)
    free = weight[:, :, order].clone()
    codes = torch.empty_like(free)
    for start in range(0, free.shape[2], BLOCK):
        stop = min(start + BLOCK, free.shape[2])
        errors = torch.empty_like(free[:, :, start:stop])
        for j in range(start, stop):
            codes[:, :, j] = rounding(free[:, :, j] / scale)
            error = (free[:, :, j] - codes[:, :, j] * scale) / upper[:, None, j, j]
            free[:, :, j:stop] -= error[:, :, None] * upper[:, None, j, j:stop]
            errors[:, :, j - start] = error
        free[:, :, stop:] -= errors @ upper[:, start:stop, stop:]
    return codes[:, :, order.argsort()]
