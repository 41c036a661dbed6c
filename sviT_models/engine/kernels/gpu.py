"""The operations on a CUDA device: those of `Plain`, with the neurons in one pass that numba compiles.

numba needs NVIDIA's compiler libraries (`pip install numba-cuda[cu12]`); without them `kernels_for` takes `Plain`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import cuda
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import Affine
from sviT_models.engine.kernel_protocol import Fired
from sviT_models.engine.kernels.plain import Plain
from sviT_models.engine.number_formats import GUARD, Rescale, State, bounds

THREADS = 256  # of a block
GUARDED = 2.0**GUARD
HALVED = 0.5 / GUARDED


def neurons(exact: Any) -> Any:
    """The kernel: leaky integrate and fire over all steps, of rest + gain * sums + shift; one thread per neuron.

    `exact` has products and sums that are rounded one by one, dmul_rn, dadd_rn (float64) and fmul_rn,
    fadd_rn, fsub_rn (float32), as a compiler for this target may contract a product and a sum into one
    rounding. Arrays are flat behind the steps: sums (T or 1, n), rest and kept (T or 1, n) or empty, spikes (T, n)
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


@cuda.jit
def neurons_fixed(sums, multiplier, offset, share, clip, rest, scale, v_clip, threshold, spikes, kept, counts):
    """Leaky integrate and fire over all steps on integers, one thread per neuron; docs/integer-network.md defines it.

    Arrays as for `neurons`, `rest` and `kept` int32; multiplier, offset and share are (channels,), `clip` is the range
    of a membrane input, `scale` what takes it to the step of the potential's and half of the last place where that
    rounds, `v_clip` the range of a potential; `threshold` is twice the neuron's, in steps of the input. Everything is
    an integer below 2^53 in float64, so that contracted products and sums are exact too.
    """
    i = cuda.grid(1)
    n = spikes.shape[1]
    inside = i < n
    c = i % multiplier.shape[0]
    v = 0.0
    x = 0.0
    for t in range(spikes.shape[0]):
        fires = 0
        if inside:
            if t < sums.shape[0]:
                x = np.float64(math.floor((np.float64(sums[t, i]) * multiplier[c] + offset[c]) * share[c]))
                if rest.shape[0] > 0:
                    x += rest[t if rest.shape[0] > 1 else 0, i]
                x = clip[0] if x < clip[0] else clip[1] if x > clip[1] else x
                if kept.shape[0] > 0:
                    kept[t, i] = np.int32(x)
                x = np.float64(math.floor(x * scale[0] + scale[1]))
            u = v * GUARDED + x
            fires = 1 if u >= threshold else 0
            spikes[t, i] = fires
            v = np.float64(math.floor(u * HALVED + 0.5))
            v = v_clip[0] if v < v_clip[0] else v_clip[1] if v > v_clip[1] else v
            if fires == 1:
                v = 0.0
        together = cuda.syncthreads_count(fires)
        if cuda.threadIdx.x == 0:
            cuda.atomic.add(counts, t, together)


class Gpu(Plain):
    """Operations on CUDA tensors; same results as `Plain`. `kernel` is that of its neurons."""

    kernel: Any

    def __init__(self, device: torch.device, exact: Any) -> None:
        super().__init__(device)
        object.__setattr__(self, "kernel", neurons(exact))

    def fire(
        self, sums: Tensor, affine: Affine, rest: Tensor | None, threshold: float, steps: int, keep: bool
    ) -> Fired[Tensor]:
        """See Kernels."""
        constants = self._arrays(*affine)

        def launch(blocks: int, sums: Any, rest: Any, *written: Any) -> None:
            self.kernel[blocks, THREADS](sums, *constants, rest, np.float32(threshold), *written)

        return self._launched(launch, sums, rest, steps, keep, torch.float32)

    def fire_fixed(
        self, sums: Tensor, rule: Rescale, rest: Tensor | None, state: State, steps: int, keep: bool
    ) -> Fired[Tensor]:
        """See Kernels."""
        multiplier, offset, share, *ends = rule.factors(sums.shape[-1])
        clip, v_clip = np.array(ends), np.array(bounds(state.bits), float)
        left = state.input_fraction - rule.fraction
        scale = np.array([2.0**left, 0.5 if left < 0 else 0.0])
        constants = self._arrays(multiplier, offset, share, clip)
        scales = self._arrays(scale, v_clip)
        threshold = state.threshold * 2.0 * GUARDED

        def launch(blocks: int, sums: Any, rest: Any, *written: Any) -> None:
            neurons_fixed[blocks, THREADS](sums, *constants, rest, *scales, threshold, *written)

        return self._launched(launch, sums, rest, steps, keep, torch.int32)

    def _arrays(self, *parts: NDArray[np.float64]) -> list[Any]:
        return [_array(torch.from_numpy(part).to(self.device)) for part in parts]

    def _launched(
        self, launch: Callable[..., None], sums: Tensor, rest: Tensor | None, steps: int, keep: bool, kind: torch.dtype
    ) -> Fired[Tensor]:
        """Spikes, counts and kept inputs of `launch(blocks, sums, rest, spikes, kept, counts)`."""
        if len(sums) == 1 and rest is not None and len(rest) > 1:
            sums = sums.expand(steps, *sums.shape[1:])
        given, *shape = sums.shape
        spikes = torch.empty(steps, *shape, dtype=torch.uint8, device=sums.device)
        kept = torch.empty(given if keep else 0, *shape, dtype=kind, device=sums.device)
        counts = torch.zeros(steps, dtype=torch.uint64, device=sums.device)
        rest = torch.empty(0, *shape, dtype=kind, device=sums.device) if rest is None else rest
        streams = [_array(x.contiguous().flatten(1)) for x in (sums, rest, spikes, kept)]
        launch(-(-streams[2].shape[1] // THREADS), *streams, _array(counts))
        return Fired(spikes, counts.cpu().numpy().astype(np.int64), kept if keep else None)


def _array(x: Tensor) -> Any:
    return cuda.as_cuda_array(x) if x.is_cuda else x.numpy()


def compiled(device: torch.device) -> Gpu | None:
    """The operations with compiled neurons, or None where numba cannot compile for this device."""
    try:
        from numba.cuda import libdevice

        kernels = Gpu(device, libdevice)
        kernels.fire(torch.ones(1, 1, 1, device=device), Affine(np.ones(1), np.zeros(1)), None, 1.0, 1, False)
    except Exception:  # numba raises its own kinds for a missing compiler, a driver too old or a device unknown to it
        return None
    return kernels
