"""Functions compiled to machine code by numba, and kept on disk between runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., None]) -> Callable[..., Any]:
    """The function as machine code, kept on disk where a directory can be written: beside it, else in the user's."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no directory
        return njit(nogil=True, error_model="numpy")(function)
