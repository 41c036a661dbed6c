"""Checkpoints in and out: official files, shipped weights, state dictionaries; never a pickle.

`files`, `shipped` and `state_dict` are used from outside.
"""
