"""Checkpoints in and out: official files, shipped weights, state dictionaries; never a pickle."""
