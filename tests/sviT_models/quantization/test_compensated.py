import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sviT_models.quantization.compensated import BLOCK, compensated, damped, descend, fitted_scale, spread
from sviT_models.quantization.quantizers import Nearest, round_codes


def problem(seed: int, rows: int = 3, inputs: int = 4, groups: int = 1):
    """Weights, their nearest 3-bit codes and scales, and the second moments of correlated inputs."""
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy(rng.normal(size=(groups, rows, inputs)))
    mixed = torch.from_numpy(rng.normal(size=(groups, 40, inputs)) @ rng.normal(size=(inputs, inputs)))
    scale = weight.abs().amax(2) / 3
    return weight, three(weight / scale[:, :, None]), scale, mixed.mT @ mixed / 40


def three(scaled: torch.Tensor) -> torch.Tensor:
    return round_codes(scaled, 3)


def output_error(error, moment):
    """Expected squared output error e H e^T of every output channel."""
    return ((error @ moment) * error).sum(2)


def errors(codes, weight, scale, moment):
    return output_error(codes * scale[:, :, None] - weight, moment)


def best_of_all(weight, scale, moment):
    """The least output error (R,) of all 7^n roundings."""
    grid = torch.tensor(list(itertools.product(range(-3, 4), repeat=weight.shape[2])), dtype=torch.float64)
    return torch.stack(
        [
            errors(grid[None], w[None, None], s[None, None], moment).min()
            for w, s in zip(weight[0], scale[0], strict=True)
        ]
    )


def test_the_output_error_is_the_mean_over_the_inputs():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(50, 4)))
    e = torch.from_numpy(rng.normal(size=(1, 2, 4)))
    expected = (e[0] @ x.T).square().mean(1)  # outputs of both channels, mean over 50 inputs
    torch.testing.assert_close(output_error(e, (x.T @ x / 50)[None])[0], expected)


@pytest.mark.parametrize("seed", range(8))
def test_against_all_roundings_of_a_tiny_matrix(seed):
    weight, nearest, scale, moment = problem(seed)
    moment = damped(moment)
    codes = nearest
    for _ in range(6):
        codes = descend(codes, weight, scale, moment, three)
    best, found = best_of_all(weight, scale, moment), errors(codes, weight, scale, moment)[0]
    assert (found >= best - 1e-12).all()
    assert (found <= errors(nearest, weight, scale, moment)[0] + 1e-12).all()


def test_most_of_what_can_be_gained_over_the_nearest_codes_is():
    gained = possible = by_gptq = 0.0
    for seed in range(30):
        weight, nearest, scale, moment = problem(seed)
        moment = damped(moment)
        codes = nearest
        for _ in range(6):
            codes = descend(codes, weight, scale, moment, three)
        start, best = errors(nearest, weight, scale, moment).sum(), best_of_all(weight, scale, moment).sum()
        gained += float(start - errors(codes, weight, scale, moment).sum())
        by_gptq += float(start - errors(spread(weight, scale, moment, three), weight, scale, moment).sum())
        possible += float(start - best)
    assert gained > 0.6 * possible
    assert by_gptq > 0.3 * possible


@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([1, 5, BLOCK + 7]))
@settings(max_examples=15)
def test_no_sweep_and_no_fitted_scale_raises_the_error(seed, groups, inputs):
    weight, codes, scale, moment = problem(seed, inputs=inputs, groups=groups)
    moment = damped(moment)
    before = errors(codes, weight, scale, moment)
    swept = descend(codes, weight, scale, moment, three)
    after = errors(swept, weight, scale, moment)
    fitted = errors(swept, weight, fitted_scale(swept, weight, scale, moment, False), moment)
    slack = 1e-9 * (1 + before)
    assert (after <= before + slack).all()
    assert (fitted <= after + slack).all()


@pytest.mark.parametrize("change", [-1, 1])
def test_in_the_end_no_change_of_a_single_code_helps(change):
    weight, codes, scale, moment = problem(3, rows=5, inputs=12)
    moment = damped(moment)
    for _ in range(50):
        codes = descend(codes, weight, scale, moment, three)
    found = errors(codes, weight, scale, moment)
    for j in range(12):
        other = codes.clone()
        other[:, :, j] = (other[:, :, j] + change).clamp(-3, 3)
        assert (errors(other, weight, scale, moment) >= found - 1e-12).all()


def test_blocks_give_what_single_columns_would():
    """The same sweep, with the slope worked out afresh for every column."""
    weight, codes, scale, moment = problem(5, rows=2, inputs=BLOCK + 9)
    moment = damped(moment)
    expected = codes.clone()
    for j in range(weight.shape[2]):
        slope = ((expected * scale[:, :, None] - weight) @ moment)[:, :, j]
        expected[:, :, j] = three(expected[:, :, j] - slope / (moment[:, None, j, j] * scale))
    assert torch.equal(descend(codes, weight, scale, moment, three), expected)


def test_gptq_against_the_textbook_recursion():
    """Hassibi and Stork's update, with the inverse of what is left worked out afresh after every column."""
    weight, _, scale, moment = problem(11, rows=4, inputs=BLOCK + 3)
    order = damped(moment)[0].diagonal().argsort(descending=True)
    h, free = damped(moment)[0][order][:, order], weight[0][:, order].clone()
    expected = torch.empty_like(free)
    for j in range(len(h)):
        inverse = torch.linalg.inv(h[j:, j:])
        expected[:, j] = three(free[:, j] / scale[0])
        error = (free[:, j] - expected[:, j] * scale[0]) / inverse[0, 0]
        free[:, j:] -= error[:, None] * inverse[0]
    assert torch.equal(spread(weight, scale, moment, three)[0], expected[:, order.argsort()])


def test_with_independent_inputs_the_nearest_codes_stay():
    weight, nearest, scale, _ = problem(1, inputs=6)
    moment = torch.diag(torch.rand(6, dtype=torch.float64) + 0.1)[None]
    codes, same = compensated(weight, nearest, scale, moment, three, fixed=True)
    assert torch.equal(codes, nearest)
    assert torch.equal(same, scale)


def test_a_group_that_never_sees_anything_keeps_its_nearest_codes():
    weight, nearest, scale, moment = problem(2, groups=2)
    moment[1] = 0.0
    codes, _ = compensated(weight, nearest, scale, moment, three, fixed=True)
    assert torch.equal(codes[1], nearest[1])


def test_a_shared_scale_stays_shared():
    weight, _, scale, moment = problem(4, rows=6)
    scale = scale.amax().expand_as(scale)
    start = three(weight / scale[:, :, None])
    codes, fitted = compensated(weight, start, scale, moment, three, shared=True)
    assert len(fitted.unique()) == 1
    assert errors(codes, weight, fitted, damped(moment)).sum() <= errors(start, weight, scale, damped(moment)).sum()


@settings(max_examples=30)
@given(
    st.integers(0, 2**16),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 2 * BLOCK),
    st.sampled_from([1, 2, 3, 6]),
)
def test_the_compiled_sweep_is_the_plain_one(seed, groups, rows, columns, bits):
    """The same rounding as a plain function takes the way without compiled code: the same codes, bit for bit."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(groups, rows, columns, generator=generator, dtype=torch.float64)
    inputs = torch.randn(groups, columns, columns + 3, generator=generator, dtype=torch.float64)
    moment = damped(inputs @ inputs.mT)
    scale = torch.rand(groups, rows, generator=generator, dtype=torch.float64) + 0.1
    for two_bit in ("four", "ternary"):
        nearest = Nearest(bits, two_bit)
        codes = nearest(weight / scale[:, :, None])
        found = descend(codes, weight, scale, moment, nearest)
        assert torch.equal(found, descend(codes, weight, scale, moment, lambda scaled, n=nearest: n(scaled)))
