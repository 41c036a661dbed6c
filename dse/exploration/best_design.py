"""The best design under all budgets by integer programming, and which budget is impossible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from dse.arrays import FloatArray, IntArray
from dse.config.quantities import QUANTITIES, Quantity, show
from dse.evaluation.costs import Costing
from dse.optimize import integer_program
from dse.optimize.integer_program import InfeasibleError, Limit
from dse.optimize.lagrangian import gather
from dse.problem.constraints import FREE, Sides
from dse.problem.problem import Part, Problem
from dse.surrogate import Posterior

BISECTIONS = 12  # of the bound on the additive harm
ROUNDS = 4  # of tightening where a quantity does not quite add up over layers


@dataclass(frozen=True)
class Recommendation:
    """A design, levels (D,), with its predicted drop (mean and standard deviation, points) and P(drop <= budget)."""

    levels: IntArray
    drop: float
    drop_sd: float
    probability: float


def chance_within(posterior: Posterior, levels: IntArray, budget: float) -> FloatArray:
    """P(drop <= budget) of levels (C, D) by the posterior, (C,); the budget is in percentage points."""
    return within(*posterior.predict(levels), budget)


def within(mean: FloatArray | float, sd: FloatArray | float, budget: float) -> FloatArray:
    """P(drop <= budget) of normal drops with these means and standard deviations; all in percentage points."""
    return np.asarray(ndtr((budget - np.asarray(mean)) / np.maximum(sd, 1e-9)))


def judge(posterior: Posterior, levels: IntArray, budget: float) -> Recommendation:
    """One design's prediction against a drop budget."""
    mean, sd = posterior.predict(levels[None])
    return Recommendation(
        levels, float(mean[0]), float(sd[0]), float(chance_within(posterior, levels[None], budget)[0])
    )


def costs_of(costing: Costing, problem: Problem, levels: IntArray) -> dict[str, FloatArray]:
    """Every cost column of designs (N, D), each (N,), with the spikes of the float network."""
    return costing.of_levels(problem.space, levels)


def check_budgets(costing: Costing, problem: Problem) -> dict[Quantity, tuple[float, float]]:
    """The least and the greatest value of every budgeted cost that designs of the space reach, in its own unit.

    Raises InfeasibleError, naming budget and amount, where no design can keep a cost budget. Budgets are checked one by
    one and then together, before anything is evaluated; the drop is not known yet.
    """
    limits = {name: limit for name, limit in problem.budgets.items() if name != "drop"}
    parts = [_with_budgets(costing, problem, part) for part in problem.parts]
    reached = {}
    for budget in QUANTITIES:
        if budget.column not in limits:
            continue
        ends = []
        for part in parts:
            sides, table = replace(problem.sides, pinned=part.pinned), part.tables[budget.column]
            for sign in (1, -1):
                levels = integer_program.best(problem.space, sign * table, {}, sides)
                ends.append(float(costs_of(costing, problem, levels[None])[budget.column][0]))
        limit, least = limits[budget.column], min(ends)
        if least > limit:
            raise InfeasibleError(
                f"budgets.{budget.key}: {show(limit, budget.unit)} is impossible: the least that this space reaches is "
                f"{show(least, budget.unit)} ({show(least - limit, budget.unit)} more); raise it, or free more widths"
            )
        reached[budget] = least, max(ends)
    if len(limits) > 1:
        _check_together(parts, limits, problem.sides)
    return reached


def _check_together(parts: list[Part], limits: Mapping[str, float], sides: Sides) -> None:
    failure: InfeasibleError | None = None
    for part in parts:
        own = replace(sides, pinned=part.pinned)
        try:
            integer_program.best(part.space, part.tables["memory_bytes"], _limits(part, limits), own, gap=1e-3)
            return
        except InfeasibleError as error:
            failure = error
    if failure is not None and set(limits) <= {"memory_bytes", "energy_j", "power_w"}:  # those that add up
        raise InfeasibleError(f"budgets: {failure}")


def best_under_budgets(costing: Costing, problem: Problem, posterior: Posterior) -> Recommendation:
    """The least memory within every budget and side constraint, the drop with 95 % confidence by the posterior.

    Solved for every part of the space. Quantities that do not quite add up over layers are checked with the cost model
    and the program is tightened by what it missed. Raises InfeasibleError when nothing is trusted to do it.
    """
    found: list[Recommendation] = []
    failure: InfeasibleError | None = None
    for part in problem.parts:
        try:
            found.append(_best_of(costing, problem, part, posterior))
        except InfeasibleError as error:
            failure = error
    if not found:
        assert failure is not None
        raise failure
    memory = costs_of(costing, problem, np.array([r.levels for r in found]))["memory_bytes"]
    return min(zip(memory, found, strict=True), key=lambda pair: (pair[0], -pair[1].probability))[1]


def _best_of(costing: Costing, problem: Problem, part: Part, posterior: Posterior) -> Recommendation:
    part, limits = _with_budgets(costing, problem, part), dict(problem.budgets)
    for _ in range(ROUNDS):
        answer = cheapest(part, posterior, limits, problem.sides)
        real = costs_of(costing, problem, answer.levels[None])
        over = {name: float(real[name][0]) / limit for name, limit in problem.budgets.items() if name != "drop"}
        if all(ratio <= 1.0 for ratio in over.values()):
            return answer
        limits |= {name: limits[name] / (1.001 * ratio) for name, ratio in over.items() if ratio > 1.0}
    names = ", ".join(name for name, ratio in over.items() if ratio > 1.0)
    raise InfeasibleError(f"no design within {names} and the other budgets was found")


def cheapest(
    part: Part, posterior: Posterior, budgets: Mapping[str, float], sides: Sides = FREE, confidence: float = 0.95
) -> Recommendation:
    """The design of one part of the space with the least memory that keeps every budget, by the part's tables.

    budgets: by column; the drop [points] is kept with the given confidence. Exact for the additive part: an integer
    program bounds the additive harm and the separable costs; its bound is moved until P(drop <= budget) of the full
    model, pair terms and uncertainty included, just reaches the confidence. A budget without a table is not seen here.
    Raises InfeasibleError when no design keeps the budgets, or none is trusted to.
    """
    sides = replace(sides, pinned=part.pinned)
    costs, memory = _limits(part, budgets), part.tables["memory_bytes"]
    if "drop" not in budgets:
        levels = integer_program.best(part.space, memory, costs, sides)
        return judge(posterior, levels, np.inf)
    budget = budgets["drop"]
    harm = np.where(part.space.exists, posterior.centre.tables[0], np.inf)
    most = posterior.centre.harm_at(budget)  # additive harm at which the mean drop is the budget
    norm, found = posterior.prior.hyper.norm, None
    low, high = (
        float(np.log(most) + norm * np.log(share)) for share in (0.05, 10.0)
    )  # pair terms undo nine tenths at most
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        bound = float(np.exp(middle))
        try:
            levels = integer_program.best(part.space, memory, costs | {"drop": Limit(harm, bound)}, sides, gap=1e-4)
        except InfeasibleError:
            low = middle
            continue
        answer = judge(posterior, levels, budget)
        if answer.probability < confidence:
            high = middle
            continue
        low = middle
        if found is None or gather(memory, levels) < gather(memory, found.levels):
            found = answer
    return found or _surest(part, posterior, budgets, sides, confidence)


def _surest(
    part: Part, posterior: Posterior, budgets: Mapping[str, float], sides: Sides, confidence: float
) -> Recommendation:
    """The design with the least additive harm within the other budgets. InfeasibleError where it is not trusted."""
    costs, harm = _limits(part, budgets), np.where(part.space.exists, posterior.centre.tables[0], np.inf)
    integer_program.best(part.space, part.tables["memory_bytes"], costs, sides)
    levels = integer_program.best(part.space, harm, costs, sides, gap=1e-4)
    answer = judge(posterior, levels, budgets["drop"])
    if answer.probability >= confidence:
        return answer
    raise InfeasibleError(
        f"no design within the other budgets is predicted to meet drop <= {budgets['drop']:g} pp (best: "
        f"{answer.drop:.2f} +- {answer.drop_sd:.2f} pp, P = {answer.probability:.2f}; {confidence:g} required)"
    )


def _limits(part: Part, budgets: Mapping[str, float]) -> dict[str, Limit]:
    """The budgets that the part has tables for, with these tables."""
    known = {name: most for name, most in budgets.items() if name in part.tables}
    return {name: Limit(part.tables[name], most, part.offsets.get(name, 0.0)) for name, most in known.items()}


def _with_budgets(costing: Costing, problem: Problem, part: Part) -> Part:
    """The part with a table for every quantity that has a budget."""
    tables, offsets = dict(part.tables), dict(part.offsets)
    widest = part.moved_in(problem.space.sizes - 1)
    for column in problem.budgets:
        if column not in tables and column != "drop":
            tables[column], offsets[column] = _one_at_a_time(costing, problem, widest, column)
    return replace(part, tables=tables, offsets=offsets)


def _one_at_a_time(costing: Costing, problem: Problem, start: IntArray, column: str) -> tuple[FloatArray, float]:
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
