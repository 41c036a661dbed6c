"""Layers of neurons in the fixed-point network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.firing import row_of
from sviT_models.engine.fixed_point.run import FixedRun, Rounded
from sviT_models.engine.number_formats import GUARD, Rescale, State
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import Fire
from sviT_models.engine.run import Deferred, Pending, dtype_of
from sviT_models.engine.values import Integers as Counted

LARGEST = 2**31


def fire(run: FixedRun, operation: Fire) -> Array:
    """Spikes (T, ...), or levels."""
    (given,) = operation.inputs
    firing, plan = run.plan.firing[operation.name], run.plan
    stream = not isinstance(given.kind, Counted) and plan.streams.key(given) in plan.streams.name_of
    entry = run.held[given.source]
    if isinstance(entry, Deferred) or (isinstance(entry, Pending) and operation.keep and not stream):
        run.sums(given)
        entry = run.held[given.source]
    if firing.state is None or not firing.state.common:
        return plain_fire(run, operation, stream)
    rule, rest, keep = firing.rule, None, False
    if isinstance(entry, Pending):
        if rule is None:
            rule, rest = plan.rounded[plan.streams.key(entry.value or given)], entry.rest
            keep = operation.keep == "number"
        if operation.keep == "sums":
            entry = run.held[given.source] = entry.computed()
        sums = entry.sums
    else:
        x = run.shaped(run.number(given), given.form)
        sums = run.kernels.plain_sums(x.reshape(len(x), -1, 1, 1, row_of(x.shape[1])))
        rule = rule or unchanged(firing.state.input_fraction - firing.left)
    spikes, counts, kept = run.kernels.fire_fixed(sums, rule, rest, firing.state, run.steps, keep)
    if kept is not None:
        run.held[given.source] = Rounded(kept)
    run.fired(operation, operation.path, spikes, counts)
    return spikes


def unchanged(fraction: int) -> Rescale:
    """The rule that leaves numbers as they are."""
    one = np.ones(1, np.int64)
    return Rescale(one, 0 * one, 0 * one, -LARGEST, LARGEST, fraction)


def plain_fire(run: FixedRun, operation: Fire, stream: bool) -> Array:
    """Neurons of any law."""
    (given,) = operation.inputs
    firing, entry = run.plan.firing[operation.name], run.held[given.source]
    if isinstance(entry, Pending) and not stream:
        x = run.kernels.tensor(run.sums(given))
    else:
        x = run.kernels.tensor(run.number(given)).double()
        x = x if firing.rule is None else x.reshape(-1, 1)
        if operation.keep == "number" and isinstance(entry, Pending):
            run.held[given.source] = Rounded(run.number(given))
    if firing.rule is not None:
        x = firing.rule.of(x)
    x = run.kernels.tensor(run.shaped(run.kernels.array(x.contiguous()), given.form))
    out = x if firing.state is None else spikes_of(x, firing.state, firing.left, run.steps)
    counts = (x.reshape(1, -1) if firing.state is None else out).count_nonzero(dim=1)
    found = run.kernels.array(out.to(dtype_of(operation.kind)).contiguous())
    run.fired(operation, operation.path, found, counts.numpy(force=True))
    return found


def spikes_of(x: Tensor, state: State, left: int, steps: int) -> Tensor:
    """Spikes (T, n) of neurons of any law, driven by integers x (T or 1, n) in float64, as docs/integer-network.md."""
    leak, guard = state.leak, 2.0**GUARD
    places = guard * 2.0**leak.shift
    low, high = -(2.0 ** (state.bits - 1)), 2.0 ** (state.bits - 1) - 1
    x = torch.floor(x * 2.0**left + (0.5 if left < 0 else 0.0)).expand(steps, *x.shape[1:])
    v, owed, found = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for current in x:
        if state.delayed and not state.subtract:
            v = v * (1 - owed)
        u = v * guard * leak.kept + current * leak.taken
        if state.delayed and state.subtract:
            u = u - owed * state.threshold * places
        owed = (u > state.threshold * places if state.strict else u >= state.threshold * places).double()
        if not state.delayed:
            u = u - owed * state.threshold * places if state.subtract else u * (1 - owed)
        v = torch.floor(u / places + 0.5).clamp(low, high)
        found.append(owed)
    return torch.stack(found)
