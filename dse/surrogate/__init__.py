"""A Bayesian additive model of the accuracy drop: what a design will lose, and how sure that is.

    z^r  = sum over dimensions of T_d(level)^r + pair terms   (harm before saturation, in percentage points)
    u    = z^a (1 + (z / knee)^2)^((b - a) / 2)               (a, b near 1: `drop_curve`)
    drop = d0 + cap (1 - exp(-u / cap))                       (top-1, points; d0: see dse.problem.shared_error)
    nll  = n0 + kappa z^rho                                   (cross-entropy over the float network's, nat)

The logarithms of T have a Gaussian prior around the sensitivity scores: an error per dimension, an error of the slope
over bits, and a jitter per entry, beside an unknown common scale and slope. Pair terms are sums of sqrt(T_i T_j) inside
blocks, between neighbouring blocks and over all pairs, one weight each. All parameters are learned together from top-1
and cross-entropy of all measurements, by Gauss-Newton. The posterior is normal in the logarithms; because the mean of a
log-normal variable lies above its median, it is the mean harm that is fitted to the measurements, not the median.
How wide the errors are, the norm r and the model's own error are chosen by the evidence (`evidence`).
"""

from dse.surrogate.belief import Learner, belief
from dse.surrogate.diagnostics import Diagnostics, diagnose
from dse.surrogate.hyper import Hyper
from dse.surrogate.information import information
from dse.surrogate.learned import Learned, learned
from dse.surrogate.likelihood import Data
from dse.surrogate.model import Model
from dse.surrogate.posterior import Posterior, fit
from dse.surrogate.prior import Layout, Prior, prior_of

__all__ = [
    "Data",
    "Diagnostics",
    "Hyper",
    "Layout",
    "Learned",
    "Learner",
    "Model",
    "Posterior",
    "Prior",
    "belief",
    "diagnose",
    "fit",
    "information",
    "learned",
    "prior_of",
]
