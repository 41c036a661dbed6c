"""A sweep over designs against single runs, and what it costs."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.engine.fixed_point.work import FIXED as FIXED_WORK
from sviT_models.engine.sweep import evenly
from sviT_models.engine.work import WORK
from sviT_models.errors import ModelError
from tests.sviT_models.small import IMAGES, network

MODEL = network()
BANK = sviT_models.WeightBank(MODEL)
ENGINE = sviT_models.Engine(MODEL, BANK, threads=2)
LAYERS = len(BANK.layers)
FIXED = sviT_models.Engine(MODEL, sviT_models.WeightBank(MODEL, images=IMAGES), threads=2)


@settings(max_examples=10)
@given(st.integers(0, 2**16), st.integers(1, 3), st.integers(1, 4), st.sampled_from([None, 1, 4]))
def test_a_sweep_is_its_single_runs(seed, steps, count, batch):
    rng = np.random.default_rng(seed)
    designs = [[4] * LAYERS]
    for _ in range(count):
        bits = np.full(LAYERS, 4)
        changed = rng.choice(LAYERS, rng.integers(0, 4), replace=False)
        bits[changed] = rng.choice([2, 3, 8], len(changed))
        designs.append(bits.tolist())
    found = list(sviT_models.sweep(ENGINE, IMAGES, designs, time_steps=steps, batch_size=batch))
    assert len(found) == len(designs)
    for bits, swept in zip(designs, found, strict=True):
        alone = ENGINE.run(IMAGES, bits, time_steps=steps)
        np.testing.assert_array_equal(swept.logits, alone.logits)
        np.testing.assert_array_equal(swept.spikes, alone.spikes)


@settings(max_examples=8)
@given(st.integers(0, 2**16), st.integers(1, 2), st.integers(1, 4), st.sampled_from([None, 1, 4]))
def test_a_sweep_of_integer_networks_is_its_single_runs(seed, steps, count, batch):
    """Designs differ from the base in weights, in potentials, in both or in nothing."""
    rng = np.random.default_rng(seed)
    base, states = np.full(LAYERS, 4), np.full(77, 12)
    designs, widths = [base.tolist()], [states.tolist()]
    for _ in range(count):
        bits, own = base.copy(), states.copy()
        bits[rng.choice(LAYERS, rng.integers(0, 3), replace=False)] = rng.choice([2, 3, 8])
        own[rng.choice(77, rng.integers(0, 3), replace=False)] = rng.choice([4, 6, 16])
        designs.append(bits.tolist())
        widths.append(own.tolist())
    options = {"time_steps": steps, "activation_bits": 9}
    found = list(sviT_models.sweep(FIXED, IMAGES, designs, state_bits=widths, batch_size=batch, **options))
    for bits, own, swept in zip(designs, widths, found, strict=True):
        alone = FIXED.run(IMAGES, bits, state_bits=own, **options)
        np.testing.assert_array_equal(swept.logits, alone.logits)
        np.testing.assert_array_equal(swept.spikes, alone.spikes)


def test_narrower_potentials_cost_what_comes_after_them():
    names = sviT_models.lif_layers(MODEL)
    last, middle = {"lif": 4}, {"block3.0.mlp.fc2_lif": 4}
    states = [dict.fromkeys(names, 8) | own for own in ({}, {}, last, middle)]
    with pytest.MonkeyPatch.context() as patch:
        calls = counted(patch, FIXED_WORK)
        list(sviT_models.sweep(FIXED, IMAGES[:1], [[4] * LAYERS] * 4, state_bits=states))
    assert calls["head"] == 3  # the base, and the two that differ
    assert calls["block4.0.mlp.fc2_conv"] == calls["block3.0.mlp.fc2_conv"] == 2
    assert calls["block3.0.attn.proj_conv.0.body.0"] == 1


@pytest.mark.parametrize(("name", "side"), [("sdtv2_tiny", 32), ("sdtv2_8_512", 224)])
def test_one_layer_at_a_time_costs_at_most_55_forward_passes(name, side, monkeypatch):
    """Counted in multiply-accumulates of the layers that are called; shapes are those of the published networks."""
    model = network()
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model), threads=1)
    calls = counted(monkeypatch)
    designs = np.full((LAYERS + 1, LAYERS), 4)
    designs[np.arange(1, LAYERS + 1), np.arange(LAYERS)] = 8
    assert len(list(sviT_models.sweep(engine, IMAGES[:1], designs.tolist()))) == LAYERS + 1
    macs = dense_macs(name, side)
    assert set(calls) == set(macs)
    passes = sum(calls[layer] * macs[layer] for layer in macs) / sum(macs.values())
    assert 1 < passes <= 55


def counted(patch, table=WORK):
    """How often the operations of every weight layer run."""
    calls = Counter()

    def counting_work(work):
        def done(run, operation):
            calls.update(operation.layers)
            return work(run, operation)

        return done

    for kind, work in list(table.items()):
        patch.setitem(table, kind, counting_work(work))
    return calls


def dense_macs(name, side):
    """Multiply-accumulates per layer from the modules' shapes: outputs x inputs of each, found by a dry run."""
    with torch.device("meta"):
        model = sviT_models.build(name, time_steps=1)
    macs = {}

    def note(layer):
        def hook(module, _, out):
            macs[layer] = out.numel() * module.weight[0].numel()

        return hook

    for layer in sviT_models.weight_layers(model):
        model.get_submodule(layer).register_forward_hook(note(layer))
    model.eval()(torch.zeros(1, 3, side, side, device="meta"))
    return macs


def test_designs_that_equal_the_base_cost_nothing():
    with pytest.MonkeyPatch.context() as patch:
        calls = counted(patch)
        first, second = sviT_models.sweep(ENGINE, IMAGES[:1], [[4] * LAYERS] * 2)
    np.testing.assert_array_equal(first.logits, second.logits)
    assert set(calls.values()) == {1}


def test_mistakes_are_named():
    with pytest.raises(ModelError, match="at least one design"):
        sviT_models.sweep(ENGINE, IMAGES, [])
    with pytest.raises(ModelError, match="2 widths for 138 weight layers"):
        sviT_models.sweep(ENGINE, IMAGES, [[4] * LAYERS, [4, 4]])
    with pytest.raises(ModelError, match="state_bits has 1 entries for 2 designs"):
        sviT_models.sweep(FIXED, IMAGES, [[4] * LAYERS] * 2, state_bits=[8])


@given(st.integers(1, 3000), st.integers(1, 16), st.integers(1, 300))
def test_batches_keep_all_threads_busy_to_the_end(images, threads, most):
    size = evenly(images, threads, most)
    assert 1 <= size <= most
    # no more rounds than the largest batches would take, and fewer images in the longest thread if there is a choice
    assert -(-images // (size * threads)) == -(-images // (most * threads))
    assert -(-images // (size * threads)) * size <= -(-images // (most * threads)) * most
    # 1000 images in batches of 100 on 4 threads are 10 batches, so three rounds: 84 at a time are three rounds of less
    assert (evenly(1000, 4, 100), evenly(1000, 4, None)) == (84, None)
