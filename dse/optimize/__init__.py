"""Exact optimisation of separable costs: the integer program, Lagrangian support, Pareto sets.

From outside: all three modules; arrays and spaces go in, levels come out.
"""
