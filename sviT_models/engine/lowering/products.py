"""Products and sums of integers; two products in a row that are Q (K^T V) become attention."""

from __future__ import annotations

import math
from dataclasses import replace

from sviT_models.engine.forms import Form, aligned, fresh, is_batch
from sviT_models.engine.lowering import matching
from sviT_models.engine.lowering.state import BYTE, Lowering
from sviT_models.engine.program import Attend, Combine, Total
from sviT_models.engine.static_rules import product_bounds
from sviT_models.engine.values import BYTES, EXACT, PLANES, Integers, Value, with_step
from sviT_models.graph.graph import Node, sizes


def combined(lowering: Lowering, node: Node, first: Value, second: Value, kind: Integers, product: bool) -> Value:
    """Integers element by element, where the parts of one lie in memory as those of the other."""
    own = kind if product else None  # of a sum it follows from the operands
    together = aligned(first.form, second.form)
    plain = all(isinstance(v.kind, Integers) and v.kind.stored != PLANES for v in (first, second))
    if together is None or not plain:
        return lowering.general(node, first, second, kind=own)
    a, b = (replace(v, form=form) for v, form in zip((first, second), together, strict=True))
    large, small = (a, b) if len(a.form.memory) >= len(b.form.memory) else (b, a)
    if set(small.form.memory) - set(large.form.memory):
        return lowering.general(node, first, second, kind=own)
    small = lowering.stored(small, tuple(part for part in large.form.memory if part in small.form.memory))
    axes = tuple(x or y for x, y in zip(a.form.axes, b.form.axes, strict=True))
    kind = replace(kind, stored=BYTES if kind.low >= 0 and kind.high <= BYTE else EXACT)
    return lowering.emit(Combine(node.name, (large, small), kind, Form(large.form.memory, axes), product))


def product(lowering: Lowering, node: Node, first: Value, second: Value) -> Value:
    """Products of integers; two in a row that are Q (K^T V) are one operation."""
    kinds = [lowering.integers(value) for value in (first, second)]
    summed = sizes((lowering.graph.by_name[node.inputs[0]].shape[-1],), lowering.graph.time_steps, 1)[0]
    low, high = product_bounds(node, summed if node.op == "matmul" else 1, *((kind.low, kind.high) for kind in kinds))
    a, b = kinds
    known = a.step is not None and b.step is not None
    step = a.step * b.step if a.step is not None and b.step is not None else None
    kind = Integers(low, high, step, EXACT, () if known else (*a.layers, *b.layers))
    if node.op == "product":
        return combined(lowering, node, first, second, kind, True)
    if node.name in lowering.products.values():  # it waits for the product behind it
        lowering.waiting[node.name] = node, first, second
        return Value(node.name, kind, fresh(node.shape))
    if node.name in lowering.products:
        return attention(lowering, node, first, second, kind)
    return lowering.general(node, first, second, kind=kind)


def attention(lowering: Lowering, node: Node, first: Value, second: Value, kind: Integers) -> Value:
    """The second of two products in a row, as one operation where it is Q (K^T V) of bytes."""
    inner, *operands = lowering.waiting[lowering.products[node.name]]
    found = matching.attention(operands, first, second, first.source == inner.name, lowering.graph.time_steps)
    if found is None:
        made = lowering.general(inner, *operands, kind=lowering.held[inner.name].kind)
        pair = [made if value.source == inner.name else value for value in (first, second)]
        return lowering.general(node, *pair, kind=kind)
    q, k, v = (lowering.stored(value, order) for value, order in zip(found.values, found.orders, strict=True))
    return lowering.emit(Attend(node.name, (q, k, v), kind, found.form, found.heads, found.lead, found.tokens))


def total(lowering: Lowering, node: Node, given: Value) -> Value:
    """Integers summed over axes; a mean has a finer unit."""
    assert isinstance(given.kind, Integers)
    axes, keep = node.attributes["axes"], node.attributes["keep"]
    parts = tuple(part for axis in axes for part in given.form.axes[axis])
    shape = tuple(lowering.graph.by_name[node.inputs[0]].shape[axis] for axis in axes)
    terms = math.prod(sizes(shape, lowering.graph.time_steps, 1))
    kind = given.kind if node.op == "sum" else with_step(given.kind, 1.0, terms)
    kind = replace(kind, low=kind.low * terms, high=kind.high * terms, stored=EXACT)
    if set(parts) - set(given.form.memory) or any(map(is_batch, parts)) or given.kind.stored == PLANES:
        return lowering.general(node, given, kind=kind)
    left = [() if i in axes else axis for i, axis in enumerate(given.form.axes)]
    form = Form(tuple(part for part in given.form.memory if part not in parts),
                tuple(left if keep else [a for i, a in enumerate(left) if i not in axes]))  # fmt: skip
    return lowering.emit(Total(node.name, (given,), kind, form, parts))
