"""Fixed-point membranes against a loop over Python integers, and the formats against brute force."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.engine import number_formats
from sviT_models.engine.fixed_point import operations
from sviT_models.engine.fixed_point.firing import spikes_of
from sviT_models.engine.kernels import kernels_for
from sviT_models.errors import ModelError
from sviT_models.graph.neurons import SpikingLaw
from tests.sviT_models.small import IMAGES, network

GUARD = 4


def neuron(inputs, bits, threshold):
    """Potentials and spikes of one neuron by the definition: exact halves as fractions, one rounding per step.

    Inputs count in 16ths of the potential's last place.
    """
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    v, potentials, spikes = 0, [], []
    for x in inputs:
        half = (Fraction(v) + Fraction(x, 2**GUARD)) / 2  # v + (x - v) / 2: the leak of tau = 2
        if half >= threshold:
            v = 0
            spikes.append(1)
        else:
            v = min(max((half + Fraction(1, 2)).__floor__(), low), high)  # ties up, then saturation
            spikes.append(0)
        potentials.append(v)
    return potentials, spikes


@given(
    bits=st.integers(4, 16),
    fraction=st.integers(0, 15),
    left=st.integers(0, 3),
    inputs=st.lists(st.integers(-(2**21), 2**21), min_size=1, max_size=8),
)
def test_every_implementation_is_the_loop(bits, fraction, left, inputs):
    threshold = 2 ** min(fraction, bits - 1)
    _, wanted = neuron([x << left for x in inputs], bits, threshold)
    state = number_formats.State(bits, fraction, threshold)
    x = np.array(inputs).reshape(-1, 1, 1, 1, 1)  # (T, B, H, W, C) and (T, N, C, H, W) alike
    assert operations.fire(x, as_json(state), left, len(inputs)).flatten().tolist() == wanted
    driven = torch.from_numpy(x).reshape(-1, 1).double()
    assert spikes_of(driven, state, left, len(inputs)).flatten().tolist() == wanted
    one = np.ones(1, np.int64)
    rule = number_formats.Rescale(one, 0 * one, 0 * one, -(2**30), 2**30, state.input_fraction - left)
    for fast in (True, False):
        kernels = kernels_for(torch.device("cpu"), fast)
        given_ = kernels.array(torch.from_numpy(x).double())
        spikes, counts, _ = kernels.fire_fixed(given_, rule, None, state, len(inputs), False)
        assert spikes.flatten().tolist() == wanted
        assert counts.tolist() == wanted


def as_json(state):
    """A state as an export has it."""
    names = {"strict": state.strict, "subtract": state.subtract, "delayed": state.delayed}
    leak = {"kept": state.leak.kept, "taken": state.leak.taken, "shift": state.leak.shift}
    formats = {"bits": state.bits, "fraction": state.fraction, "threshold": state.threshold, "guard": GUARD}
    return formats | leak | names


def any_neuron(inputs, state, kept, taken):
    """The same for any law, in exact fractions; inputs count in 16ths of the potential's last place."""
    low, high = number_formats.bounds(state.bits)
    v, owed, spikes = Fraction(0), 0, []
    for x in inputs:
        v = Fraction(0) if state.delayed and not state.subtract and owed else v
        v = kept * v + taken * Fraction(x, 2**GUARD)
        v -= owed * state.threshold if state.delayed and state.subtract else 0
        owed = int(v > state.threshold or (v == state.threshold and not state.strict))
        if owed and not state.delayed:
            v = v - state.threshold if state.subtract else Fraction(0)
        v = Fraction(min(max((v + Fraction(1, 2)).__floor__(), low), high))
        spikes.append(owed)
    return spikes


LAWS = {
    "half": (SpikingLaw(), Fraction(1, 2), Fraction(1, 2)),
    "soft": (SpikingLaw(tau=1.25, reset="subtract"), 1 - Fraction(26214, 2**15), Fraction(26214, 2**15)),
    "input whole": (SpikingLaw(tau=4.0, decay_input=False), Fraction(3, 4), Fraction(1)),
    "no leak": (SpikingLaw(tau=float("inf"), decay_input=False, fires_at=">"), Fraction(1), Fraction(1)),
    "delayed": (SpikingLaw(None, 0.9, False, 1.0, ">", "subtract", True), Fraction(29491, 2**15), Fraction(1)),
    "delayed to zero": (SpikingLaw(None, 0.5, False, 1.0, ">", "zero", True), Fraction(1, 2), Fraction(1)),
}


@given(
    law=st.sampled_from(sorted(LAWS)),
    bits=st.integers(4, 16),
    inputs=st.lists(st.integers(-(2**21), 2**21), min_size=1, max_size=8),
)
def test_neurons_of_any_law_are_the_loop(law, bits, inputs):
    made, kept, taken = LAWS[law]
    state = number_formats.state_of(made, bits, bits - 2)
    wanted = any_neuron(inputs, state, kept, taken)
    x = np.array(inputs).reshape(-1, 1)
    assert operations.fire(x, as_json(state), 0, len(inputs)).flatten().tolist() == wanted
    assert spikes_of(torch.from_numpy(x).double(), state, 0, len(inputs)).flatten().tolist() == wanted
    # an input is never clipped to effect
    low, high = number_formats.bounds(state.input_bits)
    assert operations.fire(x.clip(low, high), as_json(state), 0, len(inputs)).flatten().tolist() == wanted


def test_shares_are_binary_fractions_where_they_can_be():
    assert number_formats.leak_of(SpikingLaw()) == number_formats.Leak(1, 1, 1)
    assert number_formats.leak_of(SpikingLaw(tau=4.0, decay_input=False)) == number_formats.Leak(3, 4, 2)
    assert number_formats.leak_of(SpikingLaw(tau=float("inf"), decay_input=False)) == number_formats.Leak(1, 1, 0)
    with pytest.raises(ModelError, match="nothing in 15 bits"):
        number_formats.leak_of(SpikingLaw(tau=1e9))
    with pytest.raises(ModelError, match="nothing in 15 bits"):
        number_formats.leak_of(SpikingLaw(tau=float(2**17)))


def test_saturation_leak_and_reset_by_hand():
    # 4 bits: -8 to 7; inputs in 16ths
    # -400/16 = -25: -12.5 -> -12, held at -8;  -8 / 2 = -4;  -2;  -1;  -0.5 -> 0 (ties up)
    assert neuron([-400, 0, 0, 0, 0], 4, 4) == ([-8, -4, -2, -1, 0], [0] * 5)
    # 8 every step: 4 >= 4 fires and leaves nothing behind, so the next step fires again; 7.9 stays at 3.97 -> 4
    assert neuron([128, 128, 127, 0], 4, 4) == ([0, 0, 4, 2], [1, 1, 0, 0])
    state = as_json(number_formats.State(4, 2, 4))
    # what a wider state would have kept is gone: after -25 with 4 bits, 12.1 is enough for a spike, with 8 bits not
    again = np.array([-400, 257, 0]).reshape(-1, 1)
    assert operations.fire(again, state, 0, 3).flatten().tolist() == neuron(again.flatten().tolist(), 4, 4)[1]
    assert neuron([-400, 257], 4, 4)[1] == [0, 1]
    assert neuron([-400, 257], 8, 4)[1] == [0, 0]


@given(st.integers(4, 15), st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=12))
def test_a_silent_neuron_is_within_one_place_of_the_real_one(bits, currents):
    """Every step adds at most half a place, and the leak halves what is there: 1/2 + 1/4 + ... < 1."""
    fraction = bits - 2  # range +-2
    inputs = [round(x * 2 ** (fraction + GUARD)) for x in currents]
    potentials, spikes = neuron(inputs, bits, 2**fraction)
    real = Fraction(0)
    for x, v in zip(inputs, potentials, strict=True):
        real = (real + Fraction(x, 2 ** (fraction + GUARD))) / 2
        assert abs(real - Fraction(v, 2**fraction)) < Fraction(1, 2**fraction)
    assert not any(spikes)


def test_error_falls_with_every_bit():
    rng = np.random.default_rng(7)
    quiet, loud = np.clip(rng.normal(0, 0.5, (300, 6)), -0.9, 0.9), rng.normal(0.3, 0.8, (300, 6))
    errors, missed = [], []
    for bits in range(4, 17):
        scale = 2 ** (bits - 2)  # range +-2

        def both(row, bits=bits, scale=scale):
            found, spikes = neuron(np.rint(row * scale * 2**GUARD).astype(int).tolist(), bits, scale)
            v, wanted, fired = 0.0, [], []
            for x in row:
                v = (v + x) / 2
                fired.append(int(v >= 1))
                v = 0.0 if v >= 1 else v
                wanted.append(v)
            return np.square(np.array(found) / scale - wanted).sum(), sum(map(int.__ne__, spikes, fired))

        errors.append(sum(both(row)[0] for row in quiet))
        missed.append(sum(both(row)[1] for row in loud))
    assert all(narrower > wider for narrower, wider in pairwise(errors))
    # two bits more are a quarter of the step, so a sixteenth of the squared error
    assert [a / c for a, c in zip(errors, errors[2:], strict=False)] == pytest.approx([16] * 11, rel=0.2)
    assert sum(missed[:4]) > sum(missed[4:8]) >= sum(missed[8:12]) >= missed[-1]
    assert missed[-1] == 0


@pytest.mark.parametrize("bits", range(4, 17))
def test_every_width_holds_its_threshold_exactly(bits):
    model = network()
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model, images=IMAGES))
    states = engine.plan(IMAGES, [8] * len(engine.layers), bits).states
    assert len(states) == 77
    for name, state in states.items():
        assert state.bits == bits
        assert state.threshold * Fraction(2) ** -state.fraction == Fraction(model.get_submodule(name).threshold)
        # one unit of potential at least stands for the threshold, and it lies inside the range or one place above it
        assert 1 <= state.threshold <= 2 ** (bits - 1)


@settings(max_examples=60)
@given(
    gain=st.floats(1e-4, 4.0),
    shift=st.floats(-8.0, 8.0),
    fraction=st.integers(0, 12),
    sums=st.lists(st.integers(-5000, 5000), min_size=1, max_size=5),
    sign=st.sampled_from([-1, 1]),
)
def test_a_multiply_shift_is_the_rounded_line(gain, shift, fraction, sums, sign):
    rule = number_formats.rescale(np.array([sign * gain]), np.array([shift]), fraction, 32, 5000, "layer")
    multiplier, offset, right = (int(part[0]) for part in (rule.multiplier, rule.offset, rule.right))
    assert abs(multiplier) < 2**15
    for s in sums:
        exact = (sign * Fraction(gain) * s + Fraction(shift)) * 2**fraction
        # half a place by rounding, and what half a unit of multiplier and of offset can do
        bound = Fraction(1, 2) + Fraction(abs(s) + 1, 2 ** (right + 1))
        assert abs(((s * multiplier + offset) >> right) - exact) <= bound + Fraction(1, 10**6)


@given(st.integers(0, 2**40), st.integers(2, 16))
def test_a_right_shift_leaves_the_width(largest, bits):
    rule = number_formats.right_shift(largest, bits)
    for x in (largest, -largest):
        y = (x + int(rule.offset[0])) >> int(rule.right[0])
        # rounding may carry into the sign, where the clipping takes one unit
        assert rule.low <= y <= rule.high + 1
        assert abs(y * Fraction(2) ** -rule.fraction - x) <= Fraction(2) ** -rule.fraction / 2
    assert rule.right[0] == 0 or largest >> int(rule.right[0] - 1) > rule.high  # no smaller shift would do


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=3), st.integers(1, 3))
def test_extremes_by_brute_force(codes, high):
    grid = np.stack(np.meshgrid(*[np.arange(-1, high + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sums = grid @ np.array(codes).T
    assert number_formats.extremes(np.array(codes), -1, high) == (sums.min(), sums.max())


@given(st.integers(-(2**30), 2**30), st.integers(-(2**30), 2**30))
def test_the_width_of_a_range(a, b):
    bits = number_formats.signed_bits(min(a, b), max(a, b))
    low, high = number_formats.bounds(bits)
    assert low <= min(a, b) <= max(a, b) <= high
    if bits > 1:
        low, high = number_formats.bounds(bits - 1)
        assert min(a, b) < low or max(a, b) > high


@settings(max_examples=30)
@given(st.integers(0, 999), st.floats(0.05, 20.0), st.integers(4, 16))
def test_a_range_is_the_best_power_of_two(seed, size, bits):
    """Against quantizing the values themselves at every candidate, with clipping as the definition counts it."""
    values = np.abs(np.random.default_rng(seed).standard_t(3, 500)) * size
    chosen = number_formats.curve(values).exponent(bits)

    def cost(e):
        return np.mean(np.maximum(values - 2.0**e, 0) ** 2) + (2.0**e / 2 ** (bits - 1)) ** 2 / 12

    assert cost(chosen) == min(cost(e) for e in number_formats.EXPONENTS)


def test_constants_that_cannot_be_are_named():
    one = np.ones(1)
    with pytest.raises(ModelError, match=r"fc1: its constants are NaN or infinite"):
        number_formats.rescale(one * np.nan, one, 4, 8, 100, "fc1")
    with pytest.raises(ModelError, match=r"fc1: gain 1e\+12 .* no variance"):
        number_formats.rescale(one * 1e12, one, 0, 8, 10**6, "fc1")
