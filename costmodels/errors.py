"""What a user's mistake raises, and what an extrapolation warns of."""


class CostError(ValueError):
    """A mistake in a hardware file, a layer table or an argument; the message is one line for the user."""


class ExtrapolationWarning(UserWarning):
    """A memory outside the measured grid was costed by the closed form."""
