"""The search: its problem posed, the loop (ask the strategy, evaluate the design, tell the study), its best design.

From outside: `build_problem`, `study` (opened and read), `loop`, `best_design`, `expected_drop`.
"""
