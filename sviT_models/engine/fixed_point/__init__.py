"""The network with membranes and activations in fixed point: ranges, plans, and a batch through it.

From outside: `plan`, `plan_cache`; the rest belongs to the engine.
"""
