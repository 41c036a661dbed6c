"""What a user's mistake raises: one line that names file, key, value and what would do."""


class ConfigError(ValueError):
    """A mistake in a configuration, a run directory or an argument; the message is one line for the user."""


class EvaluationError(RuntimeError):
    """An evaluation that could not be carried out; the search records it as a failed trial and goes on."""


class LostStorageError(Exception):
    """The database of a search no longer answers; the message is one line without secrets."""


class InterruptedRunError(Exception):
    """A command that was interrupted and does not go on by itself when it is run again; the message says how to."""
