class ModelError(ValueError):
    """A mistake in what the user asked of a network; the message is one line and says what would do."""
