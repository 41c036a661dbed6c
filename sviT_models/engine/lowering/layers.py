"""Weight layers: over integers, over the sums of the layer before, over numbers that become integers."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from sviT_models.engine.arithmetic import IMAGE_FRACTION
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.forms import Form, Group, is_batch, is_steps, parts_of, positions
from sviT_models.engine.lowering.state import Lowering, axis_of
from sviT_models.engine.program import Depthwise, HandOver, Layer, Map, Raise
from sviT_models.engine.static_rules import LARGEST_ACTIVATION, LARGEST_NUMBER, takes_sums
from sviT_models.engine.values import BYTES, PLANES, Integers, Kind, Number, Value, Weighted
from sviT_models.graph.graph import Node


def waits(node: Node, given: Value) -> bool:
    """Whether a padding is left to the layer behind it: one of zeros, on sums that zeros leave as they are."""
    kind = given.kind
    return isinstance(kind, Weighted) and kind.unshifted and not node.attributes["value"] and len(node.shape) == 4


def border_of(lowering: Lowering, pad: str) -> int:
    """Width of the border that a padding node adds all around; -1 for any other."""
    node = lowering.graph.by_name[pad]
    sides = node.attributes["sides"]
    return int(sides[0]) if len(sides) == 4 and len(set(sides)) == 1 else -1


def as_map(lowering: Lowering, node: Node, value: Value) -> tuple[Value, Map, Group]:
    """A layer's input with channels last behind its positions, how it is seen, and the parts in front of them."""
    axes = value.form.axes
    channels, places = (axes[-1], axes[:-1]) if node.op == "linear" else (axes[1], axes[2:])
    inside = tuple(part for axis in places for part in axis) if node.op != "linear" else ()
    memory = value.form.memory
    inner = (*inside, *channels)
    lead = tuple(part for part in memory if part not in inner)
    steps = tuple(part for part in lead if is_steps(part))
    lead = (*steps, *(part for part in lead if part not in steps))
    value = lowering.stored(value, (*lead, *inner))
    if node.op == "linear":  # positions behind the batch are rows
        rows = positions(part for part in lead if not any(map(is_batch, lead[lead.index(part) :])))
        return value, Map(bool(steps), rows, 1, positions(channels)), lead
    height, width = (positions(axis) for axis in ((*places, ()) if len(places) == 1 else places))
    return value, Map(bool(steps), height, width, positions(channels)), lead


def mapped(node: Node, lead: Group, batch: Group, channels: Group) -> Form:
    """The form of a node that gives a map: some parts, then its positions, then channels."""
    rows = [parts_of(axis) for axis in node.shape[2:]]
    return Form((*lead, *(part for axis in rows for part in axis), *channels), (batch, channels, *rows))


def layer(lowering: Lowering, node: Node, given: Value) -> Value:
    """A layer over integers, over the sums of the layer before, or over numbers, which become integers."""
    kind: Kind = given.kind
    if isinstance(kind, Weighted):
        made = lowering.graph.parameters[node.parameters["weight"]].shape[0]
        channels = positions(given.form.axes[kind.axis])
        if takes_sums(node, channels, made, kind.unshifted):
            return depthwise(lowering, node, given)
        given = handed_over(lowering, lowering.settled(given))
    geometry = _geometry(node, lowering.graph.parameters[node.parameters["weight"]])
    if geometry is None:
        return lowering.general(node, given)
    given = raised(lowering, given)
    kind = given.kind
    assert isinstance(kind, Integers)
    given, seen, lead = as_map(lowering, node, given)
    if node.op == "linear":
        features = parts_of(node.shape[-1])
        form = Form((*lead, *features), (*given.form.axes[:-1], features))
    else:
        form = mapped(node, lead, given.form.axes[0], parts_of(node.shape[1]))
    weighted = Weighted((*kind.layers, node.layer), axis_of(node), "bias" not in node.parameters)
    return lowering.emit(Layer(node.name, (given,), weighted, form, node.layer, geometry, seen))


def handed_over(lowering: Lowering, given: Value) -> Value:
    """Sums as the 24-bit integers that the next layer sees."""
    assert isinstance(given.kind, Weighted)
    key = given.source, ("handed over", given.norms)
    if key not in lowering.made:
        kind = Integers(-LARGEST_ACTIVATION, LARGEST_ACTIVATION - 1, None, PLANES, given.kind.layers)
        name = f"{given.source}:handed" + (f"{len(lowering.made)}" if given.norms else "")
        lowering.made[key] = lowering.emit(HandOver(name, (given,), kind, given.form))
    return replace(lowering.made[key], form=given.form)


def raised(lowering: Lowering, given: Value) -> Value:
    """Integers as bytes; numbers become integers in 24 bits behind the point."""
    kind = given.kind
    if isinstance(kind, Integers) and kind.stored in (BYTES, PLANES):
        return given
    if isinstance(kind, Number):
        kind = Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION)
    assert isinstance(kind, Integers)
    key = given.source, ("raised", given.norms, type(given.kind))
    if key not in lowering.made:
        name = f"{given.source}:raised{len(lowering.made)}"
        lowering.made[key] = lowering.emit(Raise(name, (given,), replace(kind, stored=PLANES), given.form))
    return replace(lowering.made[key], form=given.form, kind=replace(kind, stored=PLANES))


def depthwise(lowering: Lowering, node: Node, given: Value) -> Value:
    """A depthwise layer over sums; one of 3x3 with a border of one, of its own or of a `pad`, is zero-padded."""
    assert isinstance(given.kind, Weighted)
    a, weight = node.attributes, lowering.graph.parameters[node.parameters["weight"]]
    border = a["padding"][0] + (border_of(lowering, given.pad) if given.pad else 0)
    geometry = _geometry(node, weight)
    if geometry is None or weight.shape[2:] != (3, 3) or geometry.stride != 1 or border != 1:
        return lowering.general(node, lowering.settled(given))
    before = lowering.operation(given.source).form
    lead = before.memory[: len(before.memory) - sum(len(axis) for axis in before.axes[1:])]
    made = given.form.axes[1]
    form = mapped(node, lead, given.form.axes[0], made)
    kind = Weighted((*given.kind.layers, node.layer), 1)
    height, width = (positions(axis) for axis in form.axes[2:])
    seen = Map(any(map(is_steps, lead)), height, width, positions(made))
    return lowering.emit(Depthwise(node.name, (given,), kind, form, node.layer, seen))


def _geometry(node: Node, weight: Tensor) -> Geometry | None:
    """How a kernel moves where it is square, or a linear layer's; None for others."""
    if node.op == "linear":
        return Geometry()
    a = node.attributes
    if len(set(weight.shape[2:])) > 1 or (weight.ndim == 3 and weight.shape[2] > 1):
        return None
    if any(d != 1 for d in a["dilation"]) or len(set(a["stride"])) > 1 or len(set(a["padding"])) > 1:
        return None
    if len(a["stride"]) == 1 and (a["padding"][0] or a["stride"][0] != 1):
        return None
    return Geometry(a["stride"][0], a["padding"][0], a["groups"])
