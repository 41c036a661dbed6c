"""What a design is worth: accuracy and spikes as measured, costs as computed; and what a configuration names, loaded.

From outside: `prepare` (from a configuration to an `experiment`), `network`, `images`, `evaluator` with its
`measurement`, `costs`, `separable`, `one_at_a_time`, `health`, `sample_size`.
"""
