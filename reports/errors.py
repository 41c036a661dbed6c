"""What goes wrong with a run directory that somebody hands in."""


class ReportError(ValueError):
    """A run directory that cannot be read as one; the message is one line naming file, key, value and remedy."""
