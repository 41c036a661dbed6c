"""Bit widths that several parts of the cost models agree on."""

from __future__ import annotations

FLOAT = 32
"""The width that stands for float32: of weights, and of what is computed with them."""
WIDEST_INTEGER = 16
WEIGHT_WIDTHS = (*range(1, WIDEST_INTEGER + 1), FLOAT)
"""Weight widths that have a cost [bit]."""
IMAGE_BITS = 8
"""An element of the input image; also of a multi-bit input whose width a layer table does not state."""
ACTIVATION_BITS = 16
"""What passes between two convolutions without a neuron in between, as the shipped examples assume."""
