"""One look for every figure on paper: sizes, fonts and colours."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

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
COLOURS = {  # by the names of the page's CSS variables
    "ink": INK,
    "muted": MUTED,
    "faint": FAINT,
    "accent": ACCENT,
    "warn": WARN,
    "second": SECOND,
    "paper": "white",
    "rule": "#e9ecf0",
    "none": "none",
    **{f"c{i}": colour for i, colour in enumerate(CATEGORIES)},
}
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
    "text.parse_math": False,  # names from outside may hold dollars
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


def styled() -> AbstractContextManager[None]:
    """The context in which figures are drawn and saved."""
    context: AbstractContextManager[None] = matplotlib.rc_context(RC)
    return context
