"""Several workers on a simulated network: each design once, and about as good a front as one worker finds."""

import numpy as np
import optuna
import pytest
from several_workers import mean_with_bound, searched
from simulated_network import simulate

from dse.exploration.study import quiet_optuna


def test_the_bound_is_that_of_a_paired_t_test():
    # 0, 2 and 4: mean 2, standard error 2 / sqrt(3); the 95 % quantile of t with 2 degrees of freedom is 2.91999
    assert mean_with_bound(np.array([0.0, 2.0, 4.0])) == pytest.approx((2.0, 2.0 + 2.91999 * 2 / 3**0.5), rel=1e-5)


def test_four_workers_find_about_what_one_finds():
    simulation, shares = simulate(1, low_fidelity_images=0, groups=12), {}
    for workers in (1, 4):
        with quiet_optuna():
            study = optuna.create_study(directions=["minimize"] * 3)
            levels = searched(simulation, study, "posterior", 1, workers, 24)
        assert len(np.unique(levels, axis=0)) == len(levels) == 24
        shares[workers] = simulation.share(levels)
    assert shares[1] - shares[4] < 0.03  # the mean over seeds is the benchmark's: benchmarks/several_workers.py
