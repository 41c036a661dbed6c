"""What a search needs beyond a valid file, checked before any image runs; `check` and `search` ask the same."""

from __future__ import annotations

from dse.config.quantities import Quantity
from dse.config.schema import Config
from dse.evaluation.experiment import Experiment
from dse.evaluation.prepare import goals
from dse.exploration.best_design import check_budgets
from dse.exploration.build_problem import cost_problem
from dse.strategies import load, option_table
from dse.strategies.base.options import read as read_options


def check_search(config: Config, experiment: Experiment) -> dict[Quantity, tuple[float, float]]:
    """The least and greatest reachable value of every budgeted cost, once everything that can be refused has been.

    config      the configuration
    experiment  what it names, loaded

    Raises ConfigError for an unknown strategy or option and for constraints that the space does not have, ModelError
    for images of verification that the data set does not have, InfeasibleError for budgets that no design can keep.
    """
    search = config.search
    load(search.strategy)
    read_options(search.strategy, search.options, option_table(search.strategy))
    experiment.source.for_verification()
    costing = experiment.costing()
    problem = cost_problem(experiment, costing, goals(config, experiment.space))
    return check_budgets(costing, problem)
