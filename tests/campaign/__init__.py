"""Trials that take minutes: `make campaign` runs them, `make test` does not."""
