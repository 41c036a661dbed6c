"""One look for every static figure, and axes that both kinds of figure share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from reports.number_text import scale

INK, MUTED, FAINT, ACCENT, WARN, SECOND = "#1d2530", "#667180", "#c3cad3", "#0b5fa5", "#c2410c", "#00806a"
# Okabe and Ito, Color Universal Design (2008): told apart with every common colour vision; black left out
CATEGORIES = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#999999",
    "#7a5195",
    "#f0e442",
    "#3b3b3b",
)
TEXT_WIDTH = 7.0  # inch
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "#e4e8ed",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "text.color": INK,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "svit-dse",
}


def new(rows: int = 1, columns: int = 1, height: float = 3.2, **options: Any) -> tuple[Figure, Any]:
    """An empty figure of the text's width, `height` inches high, and its axes."""
    figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")  # not pyplot's, which would keep it
    return figure, figure.subplots(rows, columns, **options)


def styled() -> Any:
    """The context in which figures are drawn and saved."""
    return matplotlib.rc_context(RC)


def root(drop: ArrayLike) -> NDArray[np.float64]:
    """Signed square root: small drops stay apart, large ones stay on the page."""
    values = np.asarray(drop, dtype=float)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def square(value: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `root`."""
    values = np.asarray(value, dtype=float)
    return np.asarray(np.sign(values) * values**2)


def drop_ticks(low: float, high: float) -> list[float]:
    """Round drops between two values that are well apart on the square-root axis."""
    steps = [0.0, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 100]
    if high < 2:
        steps = [0.0, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2]
    steps = [-s for s in reversed(steps) if 0 < s <= -low] + [s for s in steps if s <= high]
    apart = 0.045 * (float(root(high)) - float(root(low)))
    kept: list[float] = []
    for s in sorted(steps, key=abs):
        if all(abs(float(root(s)) - float(root(k))) >= apart for k in kept):
            kept.append(s)
    return sorted(kept)


def log_ticks(low: float, high: float) -> list[float]:
    """Round positions on a logarithmic axis: 1, 2, 5 per decade, finer where the range is small."""
    ratio = high / low
    digits = (1.0, 2.0, 5.0) if ratio > 6 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    if ratio < 1.6:
        digits = tuple(np.round(np.arange(1, 10, 0.1), 1))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [d * 10.0**e for e in decades for d in digits if low <= d * 10.0**e <= high]
    return ticks[:: max(1, len(ticks) // 7)]


def units_axis(values: Sequence[float], unit: str) -> tuple[float, str, list[float], list[str]]:
    """For a logarithmic axis over positive values: factor, prefixed unit, tick positions (unscaled) and their texts."""
    low, high = min(values) * 0.92, max(values) * 1.1
    factor, prefixed = scale(math.sqrt(low * high), unit)
    ticks = log_ticks(low, high)
    return (
        factor,
        prefixed,
        ticks,
        [f"{t / factor:,.4g}" for t in ticks],
    )


def set_cost_ticks(axes: Axes, ticks: Sequence[float], texts: Sequence[str]) -> None:
    """Put ticks on a logarithmic cost axis, those inside its limits."""
    low, high = axes.get_xlim()
    inside = [(t, s) for t, s in zip(ticks, texts, strict=True) if low <= t <= high]
    axes.set_xticks([t for t, _ in inside], [s for _, s in inside])
    axes.minorticks_off()


def drop_axis(axes: Axes, low: float, high: float) -> None:
    """Make the vertical axis a square-root axis of drops."""
    axes.set_yscale("function", functions=(root, square))
    ticks = drop_ticks(low, high)
    axes.set_yticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    axes.minorticks_off()
    span = float(root(high)) - float(root(low))
    axes.set_ylim(float(square(root(low) - 0.06 * span)), float(square(root(high) + 0.06 * span)))
    axes.set_ylabel("accuracy drop [pp]")
