"""The best design under all budgets, exactly: what no sampler has to find by luck, and which budget is impossible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.config.quantities import QUANTITIES, show
from dse.evaluation.mixed import AnyCosting
from dse.optimize import integer_program
from dse.optimize.integer_program import InfeasibleError
from dse.problem.problem import Problem
from dse.search.recommend import Recommendation, cheapest
from dse.surrogate import Posterior

ROUNDS = 4  # of tightening where a quantity does not quite add up over layers


def costs_of(costing: AnyCosting, problem: Problem, levels: IntArray) -> dict[str, FloatArray]:
    """Every cost column of designs (N, D), each (N,), with the spikes of the float network."""
    return costing.of_levels(problem.space, levels)


def check_budgets(costing: AnyCosting, problem: Problem) -> None:
    """Raise InfeasibleError, naming budget and amount, where no design of the space can keep a cost budget.

    Budgets are checked one by one and then together, before anything is evaluated; the drop is not known yet.
    """
    limits = {name: limit for name, limit in problem.budgets.items() if name != "drop"}
    variants = list(_each(costing, problem))
    for budget in QUANTITIES:
        if budget.column not in limits:
            continue
        reached = []
        for variant in variants:
            levels = integer_program.best(problem.space, variant.tables[budget.column], {}, {}, sides=variant.sides)
            reached.append(float(costs_of(costing, problem, levels[None])[budget.column][0]))
        limit, least = limits[budget.column], min(reached)
        if least > limit:
            raise InfeasibleError(
                f"budgets.{budget.key}: {show(limit, budget.unit)} is impossible: the least that this space reaches is "
                f"{show(least, budget.unit)} ({show(least - limit, budget.unit)} more); raise it, or free more widths"
            )
    if len(limits) > 1:
        _together(variants, limits)


def _together(variants: list[Problem], limits: Mapping[str, float]) -> None:
    failure: InfeasibleError | None = None
    for variant in variants:
        tables = variant.tables
        try:
            integer_program.best(
                variant.space, tables["memory_bytes"], tables, limits, variant.offsets, variant.sides, gap=1e-3
            )
            return
        except InfeasibleError as error:
            failure = error
    if failure is not None and set(limits) <= {"memory_bytes", "energy_j", "power_w"}:  # those that add up
        raise InfeasibleError(f"budgets: {failure}")


def best_under_budgets(costing: AnyCosting, problem: Problem, posterior: Posterior) -> Recommendation:
    """The least memory within every budget and side constraint, the drop with 95 % confidence by the posterior.

    Solved for every form and number of time steps. Quantities that do not quite add up over layers are checked with
    the cost model and the programme is tightened by what it missed. Raises InfeasibleError when nothing is trusted to
    do it.
    """
    found: list[Recommendation] = []
    failure: InfeasibleError | None = None
    for variant in _each(costing, problem):
        try:
            found.append(_within(costing, variant, posterior, problem.budgets))
        except InfeasibleError as error:
            failure = error
    if not found:
        assert failure is not None
        raise failure
    memory = costs_of(costing, problem, np.array([r.levels for r in found]))["memory_bytes"]
    return min(zip(memory, found, strict=True), key=lambda pair: (pair[0], -pair[1].probability))[1]


def _within(
    costing: AnyCosting, variant: Problem, posterior: Posterior, budgets: Mapping[str, float]
) -> Recommendation:
    limits = dict(budgets)
    for _ in range(ROUNDS):
        answer = cheapest(variant, posterior, sides=variant.sides, budgets=limits)
        real = costs_of(costing, variant, answer.levels[None])
        over = {name: float(real[name][0]) / limit for name, limit in budgets.items() if name != "drop"}
        if all(ratio <= 1.0 for ratio in over.values()):
            return answer
        limits |= {name: limits[name] / (1.001 * ratio) for name, ratio in over.items() if ratio > 1.0}
    names = ", ".join(name for name, ratio in over.items() if ratio > 1.0)
    raise InfeasibleError(f"no design within {names} and the other budgets was found")


def _each(costing: AnyCosting, problem: Problem) -> Iterator[Problem]:
    """The problem in every form at every number of time steps, with a table for every quantity that has a budget."""
    space = problem.space
    for (place, form), steps in product(enumerate(space.variants or [""]), space.step_choices):
        known = costing.tables(space, steps, form)
        tables, offsets = dict(known[0]), dict(known[1])
        choice = {"time_steps": steps, "form": place}
        pinned = tuple((d.name, choice[d.kind]) for d in space.dimensions if d.kind in choice)
        widest = space.with_steps(space.sizes - 1, steps)
        if form:
            widest = space.with_form(widest, form)
        for column in problem.budgets:
            if column not in tables and column != "drop":
                tables[column], offsets[column] = _one_at_a_time(costing, problem, widest, column)
        yield replace(problem, tables=tables, offsets=offsets, sides=replace(problem.sides, pinned=pinned))


def _one_at_a_time(costing: AnyCosting, problem: Problem, start: IntArray, column: str) -> tuple[FloatArray, float]:
    """What each choice changes beside `start` (D,), as a table (D, B), and the value of all lowest entries' offset."""
    sizes = problem.space.sizes
    table = np.full((len(sizes), int(sizes.max())), np.inf)
    places = [(d, b) for d, size in enumerate(sizes) for b in range(int(size))]
    levels = np.repeat(start[None], len(places), axis=0)
    for row, (d, b) in zip(levels, places, strict=True):
        row[d] = b
    base = float(costs_of(costing, problem, start[None])[column][0])
    values = costs_of(costing, problem, levels)[column]
    for (d, b), value in zip(places, values, strict=True):
        table[d, b] = value - base
    return table, base
