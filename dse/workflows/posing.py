"""The search problem of what was prepared, and the table of what was measured for it."""

from __future__ import annotations

import pandas as pd

from dse.evaluation.costs import Costing
from dse.evaluation.prepare import goals
from dse.exploration.build_problem import build_problem
from dse.exploration.study import evaluated
from dse.problem.problem import Problem
from dse.problem.shared_error import SharedError
from dse.results import tables
from dse.workflows.search_values import Precision, Prepared


def posed(prepared: Prepared, precision: Precision) -> tuple[Problem, Costing]:
    """The search problem with its baselines, and the costs of its designs.

    prepared   what `prepare` gave
    precision  what `precision_study` gave
    """
    experiment, costing = prepared.experiment, prepared.experiment.costing()
    shared = SharedError.of(prepared.chaos, prepared.evaluator.images)
    wanted = goals(prepared.config, experiment.space)
    return build_problem(experiment, costing, precision.fisher, wanted, precision.distances, shared), costing


def measured_so_far(prepared: Prepared, problem: Problem, costing: Costing, expected: pd.DataFrame) -> pd.DataFrame:
    """The table results.csv of all designs that workers of the study have measured.

    prepared  what `prepare` gave
    problem   the search problem
    costing   the costs of its designs
    expected  what the model of all measurements says of them
    """
    experiment = prepared.experiment
    reference = experiment.network.float_design, prepared.evaluator.float
    weights = experiment.networks.map(lambda network: network.weights)
    return tables.results_table(problem, costing, evaluated(prepared.study), reference, weights, expected)
