"""Optuna's NSGA-II (Deb et al. 2002) with the baselines as its first parents."""

from __future__ import annotations

from typing import Any

from optuna.samplers import NSGAIISampler

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS = {
    "population": Option(20, "designs per generation", low=2),
    "crossover": Option(0.9, "probability of crossing two parents", low=0.0, high=1.0),
    "swapping": Option(0.5, "probability that a dimension comes from the second parent", low=0.0, high=1.0),
}


class Sampler(PerTrial):
    """Optuna's NSGAIISampler."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        chosen = read("nsga2", options, OPTIONS)
        super().__init__(
            problem,
            seed,
            lambda s: NSGAIISampler(
                population_size=chosen["population"],
                crossover_prob=chosen["crossover"],
                swapping_prob=chosen["swapping"],
                seed=s,
            ),
            problem.space.distributions(),
        )
