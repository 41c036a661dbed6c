"""Exact optimisation of separable costs: the integer program, Lagrangian support, Pareto sets."""
