"""The path for GPUs, on a CPU: convolutions as products of bfloat16 with sums in float32, neurons in a simulator."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.engine.kernels import plain
from tests.sviT_models.engine.module_definition import module_definition
from tests.sviT_models.small import IMAGES, network


@pytest.mark.parametrize("widths", [(1, 3, 8), (4, 16, 32)])
@pytest.mark.parametrize("fused", [False, True])
def test_the_engine_on_products_of_a_gpu_computes_what_is_defined(widths, fused, monkeypatch):
    products = []

    def counted(x, packed, geometry):
        products.append(packed)
        return plain.conv_by_positions(x, packed, geometry)

    monkeypatch.setattr(plain.Plain, "conv", lambda _, x, packed, geometry: counted(x, packed, geometry))
    model = sviT_models.fuse(network()) if fused else network()
    bank = sviT_models.WeightBank(model)
    bits = np.resize(widths, len(bank.layers)).tolist()
    found = sviT_models.Engine(model, bank, threads=1, fast=False).run(IMAGES[:3], bits)
    defined = module_definition(model, bank, IMAGES[:3], bits)
    np.testing.assert_array_equal(found.logits, defined.logits)
    np.testing.assert_array_equal(found.spikes, defined.spikes)
    depthwise = 0 if fused else sum("dwconv" in layer or "body.2.0" in layer for layer in bank.layers)
    assert len(products) >= len(bank.layers) - depthwise


def test_bytes_and_codes_are_exact_in_bfloat16():
    """8 significant bits hold 0 to 256, and products of two of them, at most 2^16, are exact in float32."""
    everything = torch.arange(-128, 257)
    assert torch.equal(everything.to(torch.bfloat16).to(torch.int64), everything)
    assert int(torch.tensor(257).to(torch.bfloat16)) != 257


# One process, as numba decides when it is imported; its simulator runs every thread of a block in Python.
SIMULATED = """
import json, types
from sviT_models.engine.arithmetic import Affine
import numpy as np, torch
from sviT_models.engine.number_formats import GUARD, Rescale, State
from sviT_models.engine.kernels import gpu, plain

exact = types.SimpleNamespace(
    dmul_rn=lambda a, b: np.float64(a) * np.float64(b), dadd_rn=lambda a, b: np.float64(a) + np.float64(b),
    fmul_rn=lambda a, b: np.float32(a) * np.float32(b), fadd_rn=lambda a, b: np.float32(a) + np.float32(b),
    fsub_rn=lambda a, b: np.float32(a) - np.float32(b),
)
gpu.THREADS = 16
cpu = torch.device("cpu")
kernels, reference = gpu.Gpu(cpu, exact), plain.Plain(cpu)
rng = np.random.default_rng(0)
found = []
cases = (2, 2, 2, True), (1, 3, 0, True), (1, 3, 3, False), (3, 3, 1, False), (1, 2, 1, True)
for given, steps, rests, keep in cases:
    shape = 2, 1, 3, 5  # 30 neurons: the second block has idle threads
    sums = torch.from_numpy(rng.integers(-300, 300, (given, *shape))).float()
    gain, shift = rng.uniform(0.001, 0.02, 5), rng.normal(0.3, 0.3, 5)
    rest = torch.from_numpy(rng.normal(0, 0.5, (rests, *shape)).astype(np.float32)) if rests else None
    results = [k.fire(sums, Affine(gain, shift), rest, 1.0, steps, keep) for k in (kernels, reference)]
    (spikes, counts, kept), (spikes_, counts_, kept_) = results
    assert 0 < counts_.sum() < spikes_.numel()
    found.append([
        torch.equal(spikes, spikes_), counts.tolist() == counts_.tolist(),
        kept is kept_ is None or torch.equal(kept, kept_),
    ])
print(json.dumps(found))
for given, steps, rests, keep in cases:
    for bits, left in (4, -2), (8, 3), (15, 0):
        sums = torch.from_numpy(rng.integers(-3000, 3000, (given, *shape))).float()
        rule = Rescale(rng.integers(1, 2**10, 5), rng.integers(-(2**12), 2**12, 5), rng.integers(6, 9, 5), -900, 900, 6)
        state = State(bits, 6 + left - GUARD, 3 * 2**max(left, 0))
        rest = torch.from_numpy(rng.integers(-300, 300, (rests, *shape)).astype(np.int32)) if rests else None
        results = [k.fire_fixed(sums, rule, rest, state, steps, keep) for k in (kernels, reference)]
        (spikes, counts, kept), (spikes_, counts_, kept_) = results
        assert 0 < counts_.sum() < spikes_.numel(), (bits, left, counts_)
        assert torch.equal(spikes, spikes_) and counts.tolist() == counts_.tolist()
        assert kept is kept_ is None or torch.equal(kept, kept_)
print(gpu.Gpu.fire_fixed is not plain.Plain.fire_fixed)
"""


def test_the_neurons_of_a_gpu_are_those_of_plain_torch_bit_for_bit():
    simulator = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, "-c", SIMULATED], env=simulator, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    floats, integers = done.stdout.splitlines()
    assert json.loads(floats) == [[True, True, True]] * 5
    assert integers == "True"  # the fixed-point neurons had a kernel of their own, and plain torch to equal


def test_without_a_compiler_for_the_gpu_plain_torch_takes_over(monkeypatch):
    from sviT_models.engine import kernels
    from sviT_models.engine.kernels import gpu

    def broken(*_):
        raise RuntimeError("no driver")

    monkeypatch.setattr(gpu, "Gpu", broken)
    kernels._say_so.cache_clear()
    with pytest.warns(UserWarning, match="numba cannot compile for this GPU"):
        found = kernels.kernels_for(torch.device("cuda"))
    assert type(found) is plain.Plain
    kernels._say_so.cache_clear()
