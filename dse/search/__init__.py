"""The loop: ask the strategy, evaluate the design, tell the study; and what it expects in the end.

From outside: `build_problem`, `loop`, `best_design`, `expected_drop`.
"""
