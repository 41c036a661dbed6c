"""The error for a run directory that cannot be read."""


class ReportError(ValueError):
    """A run directory that cannot be read as one; the message is one line naming file, key, value and remedy."""
