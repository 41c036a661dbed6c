"""Costs that add up over the dimensions of a space, as tables: what integer programs and Lagrangian fronts work on."""

from __future__ import annotations

import numpy as np

from costmodels import Designs, separable_tables
from dse.arrays import FloatArray, IntArray
from dse.evaluation.cost_widths import widths_of_levels
from dse.evaluation.costs import Costing
from dse.problem.design import PREFIXES
from dse.problem.space import Space

Tables = tuple[dict[str, FloatArray], dict[str, float]]


def additive_tables(costing: Costing, space: Space, steps: int | None = None, form: str | None = None) -> Tables:
    """Additive memory [B] and energy [J] per dimension and level, (D, B) each, and what no dimension decides.

    They hold for one form at one number of time steps, as costs of different ones do not add up; +inf beyond a
    dimension's choices. steps: by default as many as the network has; form: by default the last. The rows of the time
    steps and, with a `form`, of the form are zero; without it, the form's row holds what the widest design costs more,
    or less, in each of the others. Potentials are offset at their largest width. A pipelined data flow has no additive
    energy, as its slowest layer sets the time that leaks: dynamic energy stands in its place. Where weights stream and
    some are pinned, the energy of a design lies within `below` and `above` of `separable_tables` around their sum.
    """
    own = space.forms[list(space.forms)[-1] if form is None else form]
    steps = own.time_steps if steps is None else steps
    tables, offsets = _weight_tables(costing, own, steps)
    widest = space.with_form(space.with_steps(space.sizes - 1, steps), own.form)
    for kind in PREFIXES if form is not None else (*PREFIXES, "form"):
        _fill(costing, space, kind, widest, tables)
    callers = {quantity: table for quantity, table in tables.items() if quantity in costing.own}
    if callers:
        _fill(costing, space, "weight", widest, callers)
        known = costing.of_levels(space, widest[None])
        offsets |= {quantity: float(known[quantity][0]) for quantity in callers}
    return tables, offsets


def _weight_tables(costing: Costing, space: Space, steps: int) -> Tables:
    """The tables of one form with the rows of the weight dimensions; the others are zero."""
    workload, searched = costing.workload_of(space.layers), _searched_layers(space)
    fixed = {layer: bits for layer, bits in (space.fixed or {}).items() if layer not in searched}
    widths = sorted({b for d in space.dimensions if d.kind == "weight" for b in d.choices} | set(fixed.values()))
    uniform = np.repeat(np.array(widths)[:, None], len(workload.weight_layers), axis=1)
    widest = (space.sizes - 1)[None]
    others = {name: bits[0] for name, bits in widths_of_levels(workload, space, widest, costing.chip_bits).items()}
    options = Designs(uniform, time_steps=steps, **others)
    known = separable_tables(workload, costing.hardware, options, frame_rate=costing.frame_rate)
    row_of = {name: i for i, name in enumerate(space.layers)}
    tables: dict[str, FloatArray] = {}
    offsets: dict[str, float] = {}
    for quantity in ("memory_bytes", "energy_j"):
        source = quantity if quantity in known.tables else "dynamic_j"
        by_layer = known.tables[source]
        tables[quantity] = _by_dimension(space, by_layer, widths)
        pinned = sum(by_layer[row_of[layer], widths.index(bits)] for layer, bits in fixed.items())
        offsets[quantity] = known.offsets[source] + float(pinned)
    return tables, offsets


def _searched_layers(space: Space) -> set[str]:
    return {layer for d in space.dimensions if d.kind == "weight" for layer in d.layers}


def _by_dimension(space: Space, by_layer: FloatArray, widths: list[int]) -> FloatArray:
    """A table by layer and width as one by dimension and level, (D, B)."""
    row_of = {name: i for i, name in enumerate(space.layers)}
    out = np.full((len(space.dimensions), int(space.sizes.max())), np.inf)
    for row, d in zip(out, space.dimensions, strict=True):
        if d.kind != "weight":
            row[: len(d.choices)] = 0.0
            continue
        rows = [row_of[layer] for layer in d.layers]
        row[: len(d.choices)] = [by_layer[rows, widths.index(b)].sum() for b in d.choices]
    return out


def _fill(costing: Costing, space: Space, kind: str, widest: IntArray, tables: dict[str, FloatArray]) -> None:
    """Fill the rows of one kind with what each choice costs more than the largest, beside the widest design (D,)."""
    for i, d in enumerate(space.dimensions):
        if d.kind != kind:
            continue
        levels = np.repeat(widest[None], len(d.choices), axis=0)
        levels[:, i] = np.arange(len(d.choices))
        costs = costing.of_levels(space, levels)
        for quantity, table in tables.items():
            table[i, : len(d.choices)] = costs[quantity] - costs[quantity][-1]
