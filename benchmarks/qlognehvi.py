"""BoTorch's qLogNEHVI as a strategy for benchmarks/search.py; needs `pip install botorch optuna-integration`.

    OMP_NUM_THREADS=1 python benchmarks/search.py --part simulator --budgets 40 60 --strategies benchmarks/qlognehvi.py

One Gaussian process per objective (BoTorch's SingleTaskGP with its defaults), the expected gain of hypervolume over the
noisy front (Ament et al. 2023, Unexpected improvements to expected improvement for Bayesian optimization), widths as
real numbers that Optuna rounds. The corner of the hypervolume is that of the benchmark: 10 points, memory and energy
of the widest design. It does not know that two objectives are computed exactly, nor any score of a layer.
"""

from __future__ import annotations

from typing import Any

import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Normalize, Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import SumMarginalLogLikelihood
from optuna_integration import BoTorchSampler
from torch import Tensor

from dse.problem.problem import Problem
from dse.strategies.base.seeding import PerTrial

MOST_DROP = 10.0  # points
OPTIONS: dict[str, Any] = {}


class Sampler(PerTrial):
    """BoTorchSampler with qLogNEHVI."""

    def __init__(self, problem: Problem, seed: int) -> None:
        widest = problem.costs((problem.space.sizes - 1)[None])[0]
        corner = -torch.tensor([MOST_DROP, *widest], dtype=torch.float64)

        def propose(x: Tensor, values: Tensor, constraints: Any, bounds: Tensor, running: Tensor | None) -> Tensor:
            scale = corner.abs()
            goals = values / scale  # of one size, so that jitter and tolerances mean the same for all
            models = ModelListGP(
                *(
                    SingleTaskGP(
                        x,
                        goals[:, i : i + 1],
                        input_transform=Normalize(x.shape[1], bounds=bounds),
                        outcome_transform=Standardize(1),
                    )
                    for i in range(goals.shape[1])
                )
            )
            fit_gpytorch_mll(SumMarginalLogLikelihood(models.likelihood, models))
            gain = qLogNoisyExpectedHypervolumeImprovement(
                models, ref_point=corner / scale, X_baseline=x, X_pending=running, prune_baseline=True
            )
            found, _ = optimize_acqf(gain, bounds, q=1, num_restarts=4, raw_samples=128, options={"maxiter": 100})
            return found.detach()

        def make(seed: int) -> BoTorchSampler:
            return BoTorchSampler(candidates_func=propose, n_startup_trials=10, seed=seed)

        super().__init__(problem, seed, make, problem.space.distributions())
