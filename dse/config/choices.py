"""What a configuration can choose from: forms of the network, widths of weights and of membrane potentials."""

from __future__ import annotations

from typing import Literal

Form = Literal["unfused", "fused"]
FORMS: tuple[Form, ...] = ("unfused", "fused")
WEIGHT_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32)  # bits; 32 is float
STATE_WIDTHS = (4, 16)  # least and most bits of a membrane potential, a residual stream or a sum between layers
USUAL_BITS = 16  # of residual streams and of sums between layers, where nothing else is said

ONE_FORM_PER_LAYER = (
    "search.granularity is 'layer', but the two search.forms have different layers; use module, block or "
    "stage, or one form"
)
