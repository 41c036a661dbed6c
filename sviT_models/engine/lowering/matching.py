"""What a program recognises over several nodes: attention as one operation, what is used again, what is not used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sviT_models.engine.convolution import EXACT_FLOAT32
from sviT_models.engine.forms import Form, Group, identified, is_batch, is_time_part, positions
from sviT_models.engine.program import Depthwise, Fire, General, HandOver, Operation
from sviT_models.engine.values import BYTES, Integers, Value
from sviT_models.graph.graph import Graph


def attentions(graph: Graph) -> dict[str, str]:
    """Products of matrices whose one operand is a product of matrices that nothing else takes, with that one."""
    found = {}
    for node in graph.of("matmul"):
        inner = [graph.by_name[name] for name in node.inputs if graph.by_name[name].op == "matmul"]
        if len(inner) == 1 and len(graph.consumers[inner[0].name]) == 1 and inner[0].name not in found:
            found[node.name] = inner[0].name
    return found


@dataclass(frozen=True)
class Attention:
    """The values q, k and v with the orders of memory that `Attend` takes, and the form of its result."""

    values: tuple[Value, Value, Value]
    orders: tuple[Group, Group, Group]
    form: Form
    heads: int
    lead: Group
    tokens: tuple[Group, Group]


def attention(
    operands: Sequence[Value], first: Value, second: Value, inner_first: bool, steps: int
) -> Attention | None:
    """Q (K^T V) in the product of `first` and `second`, one of which (`inner_first`) is that of two `operands`.

    The order of the products does not matter, as they are exact. None where operands or sums are too large.
    """
    a, b = operands
    third = second if inner_first else first
    k, other = (b, a) if inner_first else (a, b)
    values = k, other, third
    if not all(isinstance(v.kind, Integers) and v.kind.stored == BYTES for v in values):
        return None
    lead = [(i, i) for i in range(len(k.form.axes) - 2)]
    if any(len(v.form.axes) != len(k.form.axes) for v in values):
        return None
    own, joined = (-1, -2) if inner_first else (-2, -1)  # the axis of k that the third contracts, and its axis there
    shared = (-2, -1) if inner_first else (-1, -2)  # what k and the other contract
    forms = _identified(k.form, other.form, third.form, [*lead, shared], [*lead, (own, joined)])
    if forms is None:
        return None
    fk = forms[0]
    inside, outside = fk.axes[shared[0]], fk.axes[own]  # parts contracted first, and then
    channels_first = bool(inside) and inside[-1] is fk.memory[-1]
    return _arranged(values, forms, (inside, outside), channels_first, inner_first, steps)


def _identified(
    k: Form, other: Form, third: Form, with_other: list[tuple[int, int]], with_third: list[tuple[int, int]]
) -> tuple[Form, Form, Form] | None:
    for _ in range(2):  # the second time for parts that the first has split
        pair = identified(k, other, with_other)
        if pair is None:
            return None
        k, other = pair
        pair = identified(k, third, with_third)
        if pair is None:
            return None
        k, third = pair
    return k, other, third


def _arranged(
    values: tuple[Value, Value, Value],
    forms: tuple[Form, Form, Form],
    contracted: tuple[Group, Group],
    channels_first: bool,
    inner_first: bool,
    steps: int,
) -> Attention | None:
    (fk, fo, ft), (k, other, third) = forms, values
    leading = [part for axis in fk.axes[:-2] for part in axis]
    lead = tuple(part for part in leading if is_time_part(part) or is_batch(part))  # what is left are heads
    heads = tuple(part for part in leading if part not in lead)
    free_other = fo.axes[-2] if inner_first else fo.axes[-1]
    free_third = ft.axes[-1] if inner_first else ft.axes[-2]
    if channels_first:  # q k^T, then v
        q, v, width, tokens, q_tokens, v_width = other, third, contracted[0], contracted[1], free_other, free_third
        fq, fv = fo, ft
    else:  # k^T v, then q
        q, v, width, tokens, q_tokens, v_width = third, other, contracted[1], contracted[0], free_third, free_other
        fq, fv = ft, fo
    axes = (*fk.axes[:-2], free_other, free_third) if inner_first else (*fk.axes[:-2], free_third, free_other)
    bounds = [value.kind.high for value in (q, k, v) if isinstance(value.kind, Integers)]
    count = math.prod(part.length(steps, 1) for part in tokens)
    largest = bounds[0] * bounds[1] * bounds[2] * count * positions(width)
    if largest >= EXACT_FLOAT32:
        return None
    seen = (*lead, *tokens, *heads)
    orders = (*lead, *q_tokens, *heads, *width), (*seen, *width), (*seen, *v_width)
    renamed = replace(q, form=fq), replace(k, form=fk), replace(v, form=fv)
    form = Form((*lead, *q_tokens, *heads, *v_width), axes)
    return Attention(renamed, orders, form, positions(heads), lead, (q_tokens, tokens))


def kept(operations: Sequence[Operation], output: Value) -> list[Operation]:
    """The operations that the output depends on, and neurons that say whether their input is needed again."""
    needed, found = {output.source}, []
    later: dict[str, list[tuple[Operation, Value]]] = {}
    for operation in reversed(operations):
        if operation.name not in needed and not isinstance(operation, Fire):
            continue
        if isinstance(operation, Fire):
            (given,) = operation.inputs
            operation = replace(operation, keep=_again(given, later.get(given.source, [])))
        for given in operation.inputs:
            needed.add(given.source)
            later.setdefault(given.source, []).append((operation, given))
        found.append(operation)
    return found[::-1]


def _again(given: Value, uses: Sequence[tuple[Operation, Value]]) -> str:
    """How a neuron layer's input is needed after it."""
    if not uses:
        return ""
    for operation, value in uses:
        unfinished = isinstance(operation, HandOver | Depthwise) or (isinstance(operation, General) and operation.sums)
        if unfinished or value.norms != given.norms:
            return "sums"
    return "number"
