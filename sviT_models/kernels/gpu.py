"""The operations on a CUDA device: those of `Plain`, with the neurons in one pass that numba compiles.

numba needs NVIDIA's compiler libraries (`pip install numba-cuda[cu12]`); without them `kernels_for` takes `Plain`.
"""

from typing import Any

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from sviT_models.kernels.plain import Plain

THREADS = 256  # of a block


def neurons(exact: Any) -> Any:
    """The kernel: leaky integrate and fire over all steps, of rest + gain * sums + shift; one thread per neuron.

    `exact` has products and sums that are rounded one by one, dmul_rn, dadd_rn (float64) and fmul_rn,
    fadd_rn, fsub_rn (float32), as a compiler for this target may contract a product and a sum into one
    rounding.  Arrays are flat behind the steps: sums (T or 1, n), rest and kept (T or 1, n) or empty, spikes (T, n)
    uint8, counts (T,) uint64; gain and shift are (channels,), channels last.
    """
    dmul, dadd = exact.dmul_rn, exact.dadd_rn
    fmul, fadd, fsub = exact.fmul_rn, exact.fadd_rn, exact.fsub_rn

    @cuda.jit
    def fire(sums, gain, shift, rest, threshold, spikes, kept, counts):
        i = cuda.grid(1)
        n = spikes.shape[1]
        inside = i < n
        c = i % gain.shape[0]
        v = np.float32(0)
        x = np.float32(0)
        for t in range(spikes.shape[0]):
            fires = 0
            if inside:
                if t < sums.shape[0]:
                    x = np.float32(dadd(dmul(gain[c], np.float64(sums[t, i])), shift[c]))
                    if rest.shape[0] > 0:
                        x = fadd(rest[t if rest.shape[0] > 1 else 0, i], x)
                    if kept.shape[0] > 0:
                        kept[t, i] = x
                v = fadd(v, fmul(fsub(x, v), np.float32(0.5)))
                fires = 1 if v >= threshold else 0
                spikes[t, i] = fires
                if fires == 1:
                    v = np.float32(0)
            together = cuda.syncthreads_count(fires)
            if cuda.threadIdx.x == 0:
                cuda.atomic.add(counts, t, together)

    return fire


class Gpu(Plain):
    """Operations on CUDA tensors; same results as `Plain`."""

    def __init__(self, device: torch.device, exact: Any) -> None:
        super().__init__(device)
        object.__setattr__(self, "_kernel", neurons(exact))

    def fire(
        self,
        sums: Tensor,
        gain: np.ndarray,
        shift: np.ndarray,
        rest: Tensor | None,
        threshold: float,
        steps: int,
        keep: bool,
    ) -> tuple[Tensor, np.ndarray, Tensor | None]:
        """See Plain."""
        if len(sums) == 1 and rest is not None and len(rest) > 1:
            sums = sums.expand(steps, *sums.shape[1:])
        given, *shape = sums.shape
        spikes = torch.empty(steps, *shape, dtype=torch.uint8, device=sums.device)
        kept = torch.empty(given if keep else 0, *shape, device=sums.device)
        counts = torch.zeros(steps, dtype=torch.uint64, device=sums.device)
        rest = torch.empty(0, *shape, device=sums.device) if rest is None else rest
        scale, offset = (torch.from_numpy(part).to(sums.device) for part in (gain, shift))
        streams = [_array(x.contiguous().flatten(1)) for x in (sums, rest, spikes, kept)]
        blocks = -(-streams[2].shape[1] // THREADS)
        self._kernel[blocks, THREADS](
            streams[0], _array(scale), _array(offset), streams[1], np.float32(threshold), *streams[2:], _array(counts)
        )
        return spikes, counts.cpu().numpy().astype(np.int64), kept if keep else None


def _array(x: Tensor) -> Any:
    return cuda.as_cuda_array(x) if x.is_cuda else x.numpy()


def compiled(device: torch.device) -> Gpu | None:
    """The operations with compiled neurons, or None where numba cannot compile for this device."""
    try:
        from numba.cuda import libdevice

        kernels = Gpu(device, libdevice)
        kernels.fire(torch.ones(1, 1, 1, device=device), np.ones(1), np.zeros(1), None, 1.0, 1, False)
    except Exception:  # numba raises its own kinds for a missing compiler, a driver too old or a device unknown to it
        return None
    return kernels
