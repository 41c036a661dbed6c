"""The arithmetic of the path for GPUs, on a CPU: convolutions as products of bfloat16 with sums in float32."""

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.kernels import plain
from tests.sviT_models.small import IMAGES, network


@pytest.mark.parametrize("widths", [(1, 3, 8), (4, 16, 32)])
@pytest.mark.parametrize("fused", [False, True])
def test_the_engine_on_products_of_a_gpu_computes_what_is_defined(widths, fused, monkeypatch):
    products = []

    def counted(x, packed, geometry):
        products.append(packed)
        return plain._shifted(x, packed, geometry)

    monkeypatch.setattr(plain.Plain, "conv", lambda _, x, packed, geometry: counted(x, packed, geometry))
    model = sviT_models.fuse(network()) if fused else network()
    bank = sviT_models.WeightBank(model)
    bits = np.resize(widths, len(bank.layers)).tolist()
    found = sviT_models.Engine(model, bank, threads=1, fast=False).run(IMAGES[:3], bits)
    defined = sviT_models.exact_run(model, bank, IMAGES[:3], bits)
    np.testing.assert_array_equal(found.logits, defined.logits)
    np.testing.assert_array_equal(found.spikes, defined.spikes)
    depthwise = 0 if fused else sum("dwconv" in layer or "body.2.0" in layer for layer in bank.layers)
    assert len(products) >= len(bank.layers) - depthwise


def test_bytes_and_codes_are_exact_in_bfloat16():
    """8 significant bits hold 0 to 256, and products of two of them, at most 2^16, are exact in float32."""
    everything = torch.arange(-128, 257)
    assert torch.equal(everything.to(torch.bfloat16).to(torch.int64), everything)
    assert int(torch.tensor(257).to(torch.bfloat16)) != 257
