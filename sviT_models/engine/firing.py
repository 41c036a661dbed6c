"""Layers of neurons in the network with float32 potentials."""

from __future__ import annotations

from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import Fire
from sviT_models.engine.run import Deferred, Pending, Run, dtype_of
from sviT_models.engine.values import Integers
from sviT_models.graph.neurons import Law, SpikingLaw

ROW = 4096  # elements, at most, that neurons without channels of their own are taken together


COMMON = SpikingLaw().tau, True, ">=", "zero", False  # the neurons of most published networks


def fire(run: Run, operation: Fire) -> Array:
    """Spikes (T, ...), or levels."""
    (given,) = operation.inputs
    entry, law = run.held[given.source], operation.law
    if isinstance(entry, Deferred) or (operation.keep == "sums" and isinstance(entry, Pending)):
        run.sums(given)
        entry = run.held[given.source]
    if not is_common(law):
        return other_law(run, operation)
    assert isinstance(law, SpikingLaw)
    sums, rest = entry, None
    if isinstance(entry, Pending):
        affine, sums, rest = run.affine(entry, given), entry.sums, entry.rest
    else:
        sums = run.shaped(entry, given.form)
        channels = row_of(sums.shape[1])
        sums = run.kernels.plain_sums(sums.reshape(len(sums), -1, 1, 1, channels))
        affine = run.constants.flat(given, channels)
    keep = operation.keep == "number" and isinstance(entry, Pending)
    spikes, counts, kept = run.kernels.fire(sums, affine, rest, law.threshold, run.steps, keep)
    if kept is not None:
        run.held[given.source] = kept
    run.spikes[operation.path] = run.spikes.get(operation.path, 0) + counts
    return spikes


def is_common(law: Law) -> bool:
    """Whether neurons are the ones that the kernels have a pass for."""
    if not isinstance(law, SpikingLaw):
        return False
    return (law.tau, law.decay_input, law.fires_at, law.reset, law.delayed) == COMMON


def other_law(run: Run, operation: Fire) -> Array:
    """Neurons of any law."""
    (given,) = operation.inputs
    numbers = run.number(given)
    if operation.keep == "number" and not isinstance(given.kind, Integers):
        run.held[given.source] = numbers
    x = run.kernels.tensor(run.shaped(numbers, given.form)).float()
    law = operation.law
    if isinstance(law, SpikingLaw):
        out = law.fire(x.expand(run.steps, -1))
        counts = out.count_nonzero(dim=1)
    else:
        out = (law.fire(x).double() * law.divisor).round()
        counts = out.reshape(1, -1).count_nonzero(dim=1)
    run.spikes[operation.path] = run.spikes.get(operation.path, 0) + counts.numpy(force=True)
    return run.kernels.array(out.to(dtype_of(operation.kind)).contiguous())


def row_of(elements: int) -> int:
    """The largest divisor of a number of elements that is at most `ROW`."""
    return next(size for size in range(min(ROW, elements), 0, -1) if elements % size == 0)
