"""The one error that this package raises for mistakes of its user."""


class ModelError(ValueError):
    """A mistake in what the user asked of a network; the message is one line and says what would do."""
