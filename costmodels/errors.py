"""The exception of user mistakes and the warning of extrapolations."""


class CostError(ValueError):
    """A mistake in a hardware file, a layer table or an argument; the message is one line for the user."""


class ExtrapolationWarning(UserWarning):
    """A memory lies outside the CACTI grid; its energy, leakage, area and cycle are extrapolated."""
