"""What a design is worth: measured accuracy and spikes, computed costs, for a configuration.

From outside: `experiment` (all parts of a run), `evaluator`, `costs`, `separable`, `one_at_a_time`, `loading`.
"""
