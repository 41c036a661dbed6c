"""The fast engine against the definition of the quantized network: the same bits, whatever the machine does."""

import subprocess
import sys
import warnings
from threading import Barrier

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.engine.arithmetic import IntegerWeight, digits
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.kernels import cpu, int8_convolutions
from sviT_models.engine.kernels.plain import Plain, conv_by_positions
from sviT_models.engine.prepared_weights import prepare
from sviT_models.engine.streamed_sums import Later
from sviT_models.engine.workers import workers
from sviT_models.errors import ModelError
from tests import goldens
from tests.sviT_models.engine.module_definition import module_definition
from tests.sviT_models.small import IMAGES, network


def equal(a, b):
    np.testing.assert_array_equal(a.logits, b.logits)
    np.testing.assert_array_equal(a.spikes, b.spikes)


@settings(max_examples=12)
@given(
    dims=st.sampled_from([(4, 6, 8, 12), (2, 4, 4, 4)]),  # tracing a network takes seconds
    steps=st.integers(1, 4),
    seed=st.integers(0, 2**16),
    batch=st.integers(1, 4),
    threads=st.integers(1, 3),
    widths=st.sampled_from([(1, 2, 3), (4, 8), (8, 16), (2, 32), (16, 32), (1, 5, 6, 7)]),
    fused=st.booleans(),
)
def test_the_engine_computes_what_is_defined(dims, steps, seed, batch, threads, widths, fused):
    model = network(dims, steps)
    model = sviT_models.fuse(model) if fused else model
    bank = sviT_models.WeightBank(model)
    bits = np.random.default_rng(seed).choice(widths, len(bank.layers)).tolist()
    images = IMAGES[:batch]
    defined = module_definition(model, bank, images, bits, time_steps=steps)
    equal(sviT_models.Engine(model, bank, threads=threads).run(images, bits, time_steps=steps), defined)
    equal(sviT_models.Engine(model, bank, threads=1, fast=False).run(images, bits, time_steps=steps), defined)


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["sdtv2_8_256", "sdtv2_8_384", "sdtv2_8_512", "sdtv2_8_768"])
def test_every_size_computes_what_is_defined(name):
    model = sviT_models.build(name, num_classes=7, time_steps=1)
    state = {k: torch.from_numpy(goldens.weight(k, tuple(t.shape))) for k, t in model.state_dict().items()}
    model.load_state_dict(state)
    bank = sviT_models.WeightBank(model.eval(), clip="max")  # quick for a hundred million weights
    bits = ([3, 8, 4] * 46)[: len(bank.layers)]
    image = torch.from_numpy(goldens.images((1, 3, 32, 32), seed=2))
    engine = sviT_models.Engine(model, bank)
    equal(engine.run(image, bits), module_definition(model, bank, image, bits))


@pytest.fixture(scope="module")
def trained():
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model.eval()
    images = sviT_models.load_data("digits", "search", count=40)
    bank = sviT_models.WeightBank(model)
    return model, bank, images, sviT_models.Engine(model, bank)


def test_any_split_and_any_number_of_threads_give_the_same_bits(trained):
    model, bank, images, engine = trained
    bits = [4] * 138
    whole = engine.run(images.images, bits)
    equal(engine.run(images.images, bits, batch_size=7), whole)
    for threads in (1, 2, 5):
        equal(sviT_models.Engine(model, bank, threads=threads).run(images.images, bits), whole)
    parts = [engine.run(part, bits) for part in images.images.split(13)]
    np.testing.assert_array_equal(np.concatenate([p.logits for p in parts]), whole.logits)
    np.testing.assert_array_equal(sum(p.spikes for p in parts), whole.spikes)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_trained_network_computes_what_is_defined(trained, steps):
    model, bank, images, engine = trained
    bits = ([2, 4, 8, 3, 6, 16] * 23)[:138]
    equal(engine.run(images.images[:6], bits, time_steps=steps),
          module_definition(model, bank, images.images[:6], bits, time_steps=steps))  # fmt: skip


@pytest.mark.parametrize("bits", [3, 8, 32])
def test_plain_torch_says_the_same_up_to_its_own_rounding(trained, bits):
    model, bank, images, engine = trained
    plain = sviT_models.fake_quantized_run(model, bank, images.images, [bits] * 138)
    exact = engine.run(images.images, [bits] * 138)
    np.testing.assert_array_equal(exact.logits.argmax(1), plain.logits.argmax(1))
    assert np.abs(exact.spikes - plain.spikes).sum() < 1e-3 * plain.spikes.sum()


def test_a_distilled_network_has_the_mean_of_its_heads():
    config = sviT_models.ModelConfig("kd", (4, 6, 8, 12), 5, 2, distilled=True, heads=2)
    model = sviT_models.MetaSpikeFormer(config)
    state = {k: torch.from_numpy(goldens.weight(k, tuple(t.shape))) for k, t in model.state_dict().items()}
    model.load_state_dict(state)
    bank = sviT_models.WeightBank(model.eval())
    assert len(bank.layers) == 139
    bits = [4] * 139
    equal(sviT_models.Engine(model, bank).run(IMAGES, bits), module_definition(model, bank, IMAGES, bits))


def test_a_run_ends_where_its_watcher_says_so(trained):
    _, _, images, engine = trained
    seen = []
    out = engine.run(
        images.images, [4] * 138, batch_size=5, on_batch=lambda part: seen.append(len(part.logits)) or len(seen) == 3
    )
    assert seen == [5, 5, 5]
    assert len(out.logits) == 15
    equal(out, engine.run(images.images[:15], [4] * 138))


def test_a_layer_is_prepared_once_for_each_width_and_only_changes_are_prepared(trained):
    model, _, images, _ = trained
    bank = sviT_models.WeightBank(model)
    engine = sviT_models.Engine(model, bank)
    engine.run(images.images[:2], [4] * 138)
    assert bank.counts.builds == 138
    changed = [4] * 138
    changed[70] = 8
    engine.run(images.images[:2], changed)
    engine.run(images.images[:2], [4] * 138)
    assert bank.counts.builds == 139
    assert bank.counts.hits == 0  # prepared weights are not asked of the bank again


def test_prepared_weights_stay_within_their_memory(trained):
    model, bank, images, engine = trained
    limit = 400_000
    small = sviT_models.Engine(model, bank, max_bytes=limit)
    for bits in (2, 4, 8):
        equal(small.run(images.images[:4], [bits] * 138), engine.run(images.images[:4], [bits] * 138))
        assert 0 < small.nbytes <= limit


def test_mistakes_are_named(trained):
    model, bank, images, engine = trained
    with pytest.raises(ModelError, match="3 widths for 138 weight layers"):
        engine.run(images.images, [4, 4, 4])
    with pytest.raises(ModelError, match="images have shape"):
        engine.run(images.images[0], [4] * 138)
    with pytest.raises(ModelError, match="time_steps is 0; expected at least 1"):
        engine.run(images.images, [4] * 138, time_steps=0)
    with pytest.raises(ModelError, match="threads is 0"):
        sviT_models.Engine(model, bank, threads=0)
    with pytest.raises(ModelError, match="belongs to another network"):
        sviT_models.Engine(network(), bank)
    with pytest.raises(ModelError, match=r"downsample1_1\.encode_conv: .*9"):
        engine.run(images.images, [9] * 138)
    broken = images.images[:2].clone()
    broken[1, 0, 3, 3] = float("nan")
    with pytest.raises(ModelError, match="images hold NaN"):
        engine.run(broken, [4] * 138)


def test_the_callers_number_of_threads_stays(trained):
    model, bank, images, _ = trained
    before = torch.get_num_threads()
    sviT_models.Engine(model, bank, threads=before + 1).run(images.images[:3], [4] * 138)
    assert torch.get_num_threads() == before


def test_workers_do_not_start_threads_of_their_own():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        pool = workers(2)
        together = Barrier(2)

        def count(_):
            together.wait()  # one task each
            torch.ones(300, 300) @ torch.ones(300, 300)
            return torch.get_num_threads()

        assert list(pool.map(count, range(2))) == [1, 1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_without_compiled_kernels_it_says_so_once_and_gives_the_same(trained, monkeypatch):
    model, bank, images, engine = trained
    from sviT_models.engine import kernels

    monkeypatch.setattr(int8_convolutions, "available", lambda: False)
    kernels._say_so.cache_clear()
    with pytest.warns(UserWarning, match="int8 convolutions, or numba is missing"):
        slow = sviT_models.Engine(model, bank)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sviT_models.Engine(model, bank)
    assert type(slow.kernels) is Plain
    equal(slow.run(images.images[:4], [4] * 138), engine.run(images.images[:4], [4] * 138))


def test_a_missing_numba_is_noticed():
    code = """
import sys
sys.modules['numba'] = None
from sviT_models.engine.kernels.int8_convolutions import available
print(available())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@settings(max_examples=20)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 9), st.floats(0, 1), st.integers(0, 2**16)
)
def test_attention_is_its_matrix_products(images, side, heads, width, rate, seed):
    rng = np.random.default_rng(seed)
    q, k, v = (rng.random((images, side, side, heads, width)) < rate for _ in range(3))
    tokens = [x.reshape(images, side * side, heads, width).astype(np.int64) for x in (q, k, v)]
    mixed = np.einsum("nthi,nshi,nshc->nthc", *tokens)
    spikes = [torch.from_numpy(x.astype(np.uint8)) for x in tokens]
    kinds = [Plain(torch.device("cpu")), *([cpu.Fast()] if int8_convolutions.available() else [])]
    for kernels in kinds:
        np.testing.assert_array_equal(kernels.attend(*map(kernels.array, spikes), True), mixed)


def test_convolutions_that_saturate_are_noticed(monkeypatch):
    """As those of processors without VNNI: sums of two products of bytes stop at 2^15 - 1."""
    int8_convolutions.exact_convolutions.cache_clear()
    assert int8_convolutions.exact_convolutions() == int8_convolutions.exact_convolutions.__wrapped__()
    exact = int8_convolutions.convolve
    monkeypatch.setattr(int8_convolutions, "convolve", lambda *arguments: exact(*arguments).clip(-(2**20), 2**20))
    assert not int8_convolutions.exact_convolutions.__wrapped__()


def _adding_pairs_in_16_bits(x, packed, geometry):
    """A 1x1 convolution as AVX2 does it (vpmaddubsw): two products are added in 16 bits, with saturation."""
    products = x[..., None, :].astype(np.int64) * packed.digit.numpy()[:, :, 0, 0]
    pairs = products.reshape(*products.shape[:-1], -1, 2).sum(-1)
    return pairs.clip(-(2**15), 2**15 - 1).sum(-1).astype(np.float32)


def test_without_vnni_bytes_are_convolved_in_two_passes(monkeypatch):
    rng = np.random.default_rng(4)
    digit = torch.from_numpy(rng.integers(-128, 128, (6, 32, 1, 1)).astype(np.int8))
    digit[0], digit[1] = 127, -128
    packed = int8_convolutions.Packed(digit, torch.ones(6), torch.zeros(6, dtype=torch.int64), 1)
    whole = Geometry()
    monkeypatch.setattr(int8_convolutions, "_one_pass", _adding_pairs_in_16_bits)
    monkeypatch.setattr(int8_convolutions, "whole_bytes", lambda: False)
    for top in (1, 128, 129, 255):
        x = rng.integers(0, top + 1, (2, 3, 3, 32)).astype(np.uint8)
        x[0] = top
        exact = x.astype(np.int64) @ digit[:, :, 0, 0].long().numpy().T
        np.testing.assert_array_equal(int8_convolutions.convolve(x, packed, whole), exact)
        assert (_adding_pairs_in_16_bits(x, packed, whole) == exact).all() == (top <= 128)


@pytest.mark.parametrize(("bits", "passes"), [(8, 2), (7, 1), (4, 1)])
def test_without_vnni_codes_of_up_to_seven_bits_take_one_pass(monkeypatch, bits, passes):
    digit = torch.full((2, 32, 1, 1), -(2 ** (bits - 1)), dtype=torch.int8)
    digit[1] = 2 ** (bits - 1) - 1
    packed = int8_convolutions.Packed(digit, torch.ones(2), torch.zeros(2, dtype=torch.int64), 1)
    seen = []

    def counted(x, *rest):
        seen.append(x)
        return _adding_pairs_in_16_bits(x, *rest)

    monkeypatch.setattr(int8_convolutions, "_one_pass", counted)
    monkeypatch.setattr(int8_convolutions, "whole_bytes", lambda: False)
    x = np.full((1, 1, 1, 32), 255, np.uint8)
    exact = x.astype(np.int64) @ digit[:, :, 0, 0].long().numpy().T
    np.testing.assert_array_equal(int8_convolutions.convolve(x, packed, Geometry()), exact)
    assert len(seen) == passes


def test_convolutions_that_are_missing_are_noticed(monkeypatch):
    def missing(*_):
        raise AttributeError("'_OpNamespace' 'onednn' object has no attribute 'qconv_pointwise'")

    monkeypatch.setattr(int8_convolutions, "convolve", missing)
    assert not int8_convolutions.exact_convolutions.__wrapped__()


def test_kernels_compile_where_nothing_can_be_written(tmp_path):
    code = """
import numpy as np
from numba.core import caching
caching.CacheImpl._locator_classes = []  # as where neither the package nor the user has a directory
from sviT_models.engine.kernels import cpu_passes
out = np.zeros((4, 1), np.uint8)
cpu_passes.split(np.array([1], np.int32), 2**31, out)
print(out.ravel().tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1, 0, 0, 128]"  # 2^31 + 1


class Arrays(cpu.Fast):
    """The compiled passes with the convolutions of plain torch."""

    def pack(self, digit, geometry):
        return digit

    def conv(self, x, packed, geometry):
        return Plain.conv(self, torch.from_numpy(x), packed, geometry).numpy()


@settings(max_examples=40)
@given(
    images=st.integers(1, 3),
    steps=st.integers(1, 3),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.sampled_from([1, 3, 7]),
    stride=st.integers(1, 2),
    places=st.sampled_from([0, 1, 3, 4]),
    bits=st.sampled_from([4, 16]),
    strip=st.sampled_from([1, 500, 2000, 10**6]),
    seed=st.integers(0, 2**16),
)
def test_sums_by_strips_are_the_sums(images, steps, sides, kernel, stride, places, bits, strip, seed):
    raised = places > 0  # such an input has its padding already: as its bytes are raised, zero is not zero
    places = max(places, 1)
    if raised:
        sides = tuple(side + kernel - 1 for side in sides)
    rng = np.random.default_rng(seed)
    codes = torch.from_numpy(rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (5, 4, kernel, kernel)))
    weight = IntegerWeight(digits(codes), np.ones(5), np.zeros(5))
    kernels = Arrays()
    layer = prepare(kernels, weight, Geometry(stride, 0 if raised else kernel // 2), 255 if raised else 1)
    x = rng.integers(0, 256 if raised else 2, (places, steps, images, *sides, 4)).astype(np.uint8)
    values = sum(plane * 256.0**place for place, plane in enumerate(x)) - (2.0 ** (8 * places - 1) if raised else 0)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(values).flatten(0, 1).permute(0, 3, 1, 2),
        codes.double(),
        None,
        stride,
        layer.geometry.padding,
    )
    expected = expected.permute(0, 2, 3, 1).unflatten(0, (steps, images)).numpy()
    sums = Later(layer, kernels, x, raised, strip)
    assert sums.shape == expected.shape
    np.testing.assert_array_equal(sums.whole(), expected)
    seen = 0
    for start, part, offset in sums.parts():
        total = sum(plane.astype(np.float64) * 256.0**place for place, plane in enumerate(part)) - offset
        total = total.reshape(steps, -1, 5)
        positions = total.shape[1]
        assert start == seen
        np.testing.assert_array_equal(total, expected.reshape(steps, -1, 5)[:, seen : seen + positions])
        seen += positions
    assert seen == images * expected.shape[2] * expected.shape[3]


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.sampled_from([1, 3, 7]), st.integers(1, 2), st.booleans(), st.sampled_from([1, 255]))
def test_the_matrix_products_of_a_gpu_are_the_convolution(seed, kernel, stride, depthwise, largest):
    rng = np.random.default_rng(seed)
    inputs, outputs = (4, 4) if depthwise else (3, 5)
    groups = inputs if depthwise else 1
    x = torch.from_numpy(rng.integers(0, largest + 1, (2, 8, 9, inputs)).astype(np.uint8))
    weight = torch.from_numpy(rng.integers(-128, 128, (outputs, inputs // groups, kernel, kernel)).astype(np.int8))
    geometry = Geometry(stride, kernel // 2, groups)
    expected = torch.nn.functional.conv2d(
        x.permute(0, 3, 1, 2).double(), weight.double(), None, stride, kernel // 2, 1, groups
    )
    assert torch.equal(conv_by_positions(x, weight, geometry).permute(0, 3, 1, 2).double(), expected)
