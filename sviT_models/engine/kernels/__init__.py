"""The few operations that an integer spiking network is made of, for each kind of machine.

`plain` is torch everywhere; `cpu` has the convolutions in int8, and the rest in one pass over memory each, compiled in
`cpu_passes` and `fixed_point_passes`; `gpu` compiles the neurons for CUDA.
Activations are (N, H, W, C) with N = time steps x images, spikes are uint8; all give the same bits.
"""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from typing import Any

import torch

from sviT_models.engine.kernel_protocol import Kernels
from sviT_models.engine.kernels import int8_convolutions
from sviT_models.engine.kernels.plain import Plain


def kernels_for(device: torch.device, fast: bool = True) -> Kernels[Any, Any]:
    """The fastest kernels for a device; plain torch, and one warning per process, where the compiled are missing."""
    if not fast or device.type not in ("cpu", "cuda"):
        return Plain(device)
    if device.type == "cuda":
        if importlib.util.find_spec("numba") is not None:
            from sviT_models.engine.kernels.gpu import compiled

            if found := compiled(device):
                return found
        _say_so("numba cannot compile for this GPU (pip install numba-cuda[cu12])")
        return Plain(device)
    if int8_convolutions.available():
        from sviT_models.engine.kernels.cpu import Fast

        return Fast()
    _say_so("this installation of torch has no int8 convolutions, or numba is missing")
    return Plain(device)


@cache
def _say_so(why: str) -> None:
    warnings.warn(f"{why}: evaluations give the same results, but take several times as long", stacklevel=3)
