"""The few operations that an integer spiking network is made of, for each kind of machine.

`plain` is torch everywhere; `onednn` has the convolutions in int8 and `fused` the rest in one pass over memory each.
Activations are (N, H, W, C) with N = time steps x images, spikes are uint8; all give the same bits.
"""

import warnings
from functools import cache

import torch

from sviT_models.kernels.plain import Plain


def kernels_for(device: torch.device, fast: bool = True) -> Plain:
    """The fastest kernels for a device; plain torch, and one warning per process, where the compiled are missing."""
    if device.type != "cpu" or not fast:
        return Plain(device)
    from sviT_models.kernels.fast import Fast, available

    if available():
        return Fast()
    _say_so()
    return Plain(device)


@cache
def _say_so() -> None:
    warnings.warn(
        "this installation of torch has no int8 convolutions, or numba is missing: "
        "evaluations give the same results, but take several times as long",
        stacklevel=3,
    )
