"""The design to build: the cheapest one that the surrogate trusts to keep the budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from dse.arrays import FloatArray, IntArray
from dse.optimize import integer_program, lagrangian
from dse.optimize.integer_program import FREE, InfeasibleError, Sides
from dse.problem.problem import Problem
from dse.surrogate import Model, Posterior


@dataclass(frozen=True)
class Recommendation:
    """A design, levels (D,), with its predicted drop (mean and standard deviation, points) and P(drop <= budget)."""

    levels: IntArray
    drop: float
    drop_sd: float
    probability: float


def within(posterior: Posterior, levels: IntArray, budget: float) -> FloatArray:
    """P(drop <= budget) of levels (C, D) -> (C,)."""
    mean, sd = posterior.predict(levels)
    return np.asarray(norm.cdf((budget - mean) / np.maximum(sd, 1e-9)))


def judge(posterior: Posterior, levels: IntArray, budget: float) -> Recommendation:
    """One design's prediction against a drop budget."""
    mean, sd = posterior.predict(levels[None])
    return Recommendation(levels, float(mean[0]), float(sd[0]), float(within(posterior, levels[None], budget)[0]))


def cheapest(
    problem: Problem,
    posterior: Posterior,
    minimise: str = "memory_bytes",
    confidence: float = 0.95,
    sides: Sides = FREE,
    budgets: Mapping[str, float] | None = None,
) -> Recommendation:
    """The design with the least memory (or energy) that keeps every budget, the drop with the given confidence.

    Exact for the additive part: an integer programme bounds the additive harm and the separable costs; its bound is
    moved until P(drop <= budget) of the full model, pair terms and uncertainty included, just reaches the confidence.
    Budgets on quantities without a separable table (latency, area) are not seen here. Raises InfeasibleError when no
    design keeps the budgets, or none is trusted to.
    """
    limits = dict(problem.budgets if budgets is None else budgets)
    budget = limits.pop("drop", None)
    limits = {name: limit for name, limit in limits.items() if name in problem.tables}
    objective = problem.tables[minimise]
    if budget is None:
        levels = integer_program.best(problem.space, objective, problem.tables, limits, problem.offsets, sides)
        return judge(posterior, levels, np.inf)
    table = harm_table(posterior.centre, problem)
    tables = dict(problem.tables) | {"drop": table}
    most = float(-posterior.centre.cap[0] * np.log1p(-min(budget / posterior.centre.cap[0], 0.999)))
    low, high, found = 0.05 * most, 1.5 * most, None
    for _ in range(10):
        bound = 0.5 * (low + high)
        try:
            levels = integer_program.best(
                problem.space, objective, tables, limits | {"drop": bound}, problem.offsets, sides, gap=1e-4
            )
        except InfeasibleError:
            low = bound
            continue
        answer = judge(posterior, levels, budget)
        if answer.probability >= confidence:
            low, found = bound, answer if found is None or _cost(objective, answer) < _cost(objective, found) else found
        else:
            high = bound
    if found is None:
        integer_program.best(problem.space, objective, problem.tables, limits, problem.offsets, sides)
        surest = integer_program.best(problem.space, table, problem.tables, limits, problem.offsets, sides, gap=1e-4)
        answer = judge(posterior, surest, budget)
        if answer.probability >= confidence:
            return answer
        raise InfeasibleError(
            f"drop <= {budget:g} is not trusted for any design within the other budgets: the least predicted is "
            f"{answer.drop:.2f} +- {answer.drop_sd:.2f} points, P = {answer.probability:.2f}, wanted {confidence:g}"
        )
    return found


def _cost(table: FloatArray, answer: Recommendation) -> float:
    return float(lagrangian.gather(table, answer.levels))


def harm_table(model: Model, problem: Problem) -> FloatArray:
    """Additive harm of one model, (D, B), +inf beyond a dimension's choices."""
    return np.where(lagrangian.valid(problem.space), model.tables[0], np.inf)
