"""Checkpoints in and out: official files, shipped weights, state dictionaries; never a pickle.

`files`, `shipped`, `state_dict` and `weights` are used from outside.
"""
