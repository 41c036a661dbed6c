"""Layers of neurons in a plan: their state, and how their input gets into its format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sviT_models.engine.fixed_point.emission import sizes_of
from sviT_models.engine.fixed_point.formats import bits_of
from sviT_models.engine.fixed_point.plan import Firing, Format
from sviT_models.engine.fixed_point.sums import Sums
from sviT_models.engine.number_formats import Rescale, bounds, state_of
from sviT_models.engine.program import Fire, General, Operation
from sviT_models.engine.values import Integers as Counted
from sviT_models.graph.graph import TIME
from sviT_models.graph.neurons import IntegerLaw, Law

if TYPE_CHECKING:
    from sviT_models.engine.fixed_point.planner import Planner


def fire(planner: Planner, operation: Fire) -> None:
    """Neurons over sums, over the numbers of a stream, or over integers."""
    (given,) = operation.inputs
    key, own = planner.streams.key(given), planner.program.by_name[given.source]
    seen: Sums | Format
    if not isinstance(given.kind, Counted) and key not in planner.streams.name_of and planner.streams.sums(own):
        source, seen = planner.plan.tensors[given.source], planner.seen(given)
    else:
        source, seen = planner.number(given)
        seen = replace(seen, fraction=None) if isinstance(given.kind, Counted) else seen
    has_steps = any(part.size == TIME for part in given.form.memory[:1])
    neurons(planner, operation, source, seen, planner.program.graph.time_steps if has_steps else 1)


def neurons(planner: Planner, operation: Fire | General, source: str, seen: Sums | Format, steps: int) -> None:
    """A layer of neurons over the first so many steps of a tensor."""
    law: Law = operation.node.attributes["law"] if isinstance(operation, General) else operation.law
    path = operation.node.path if isinstance(operation, General) else operation.path
    rule: Rescale | None
    sizes = sizes_of(planner.program, operation.form.memory)
    if isinstance(law, IntegerLaw):
        given = planner.of_numbers(operation.name, seen) if isinstance(seen, Format) else seen
        given = replace(given, gain=given.gain * law.gain, shift=given.shift * law.gain)
        tensor, rule = to_neurons(planner, operation, source, given, Format(0, law.levels, 1.0, 0))
        planner.plan.firing[operation.name] = Firing(rule, None)
        output = planner.emission.levels(path, tensor, law.levels, sizes, emitted(planner, path, operation))
        planner.give(operation, Format(0, law.levels, 1 / law.divisor), output)
        return
    bits = planner.design.state_bits[path]
    state = state_of(law, bits, planner.fraction(planner.design.ranges.states[path], bits))
    planner.plan.states[path] = state
    if isinstance(seen, Format) and seen.fraction is not None:
        tensor, rule, left = source, None, state.input_fraction - seen.fraction
    else:
        given, left = planner.of_numbers(operation.name, seen) if isinstance(seen, Format) else seen, 0
        form = Format(*bounds(state.input_bits), 2.0**-state.input_fraction, state.input_fraction)
        tensor, rule = to_neurons(planner, operation, source, given, form)
    planner.plan.firing[operation.name] = Firing(rule, state, left)
    output = planner.emission.fire(path, tensor, steps, left, sizes, emitted(planner, path, operation))
    planner.give(operation, Format(0, 1, 1.0), output)


def emitted(planner: Planner, path: str, operation: Operation) -> str:
    """What the spikes of a layer of neurons are called: after the layer where it is called once."""
    calls = [node for node in planner.program.graph.of("neuron") if node.path == path]
    return f"{path if len(calls) == 1 else operation.name}:spikes"


def to_neurons(planner: Planner, operation: Operation, source: str, given: Sums, form: Format) -> tuple[str, Rescale]:
    """Sums in the format of their neurons."""
    name, rule = planner.rule(operation.name, given, form, bits_of(form))
    return planner.emission.rescale(name, source, f"{operation.name}:input"), rule
