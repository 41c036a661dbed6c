"""How well the surrogate predicted what was then measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.number_text import tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed, style
from reports.plots.description import Chart, Line, Marker, Points, drop_axis, intervals
from reports.run import Z95, FinishedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Predicted against measured"


@dataclass(frozen=True)
class Prediction:
    """Predictions made before the measurement, drops in pp.

    `r2` is the coefficient of determination, `rank` Spearman's correlation, `bias` the mean of measured minus
    predicted; `coverage` the share of measurements inside the 95 % interval of the prediction, whose variance is that
    of the prediction plus that of the measurement.  r2 and rank are NaN with fewer than three designs.
    """

    ids: tuple[str, ...]
    predicted: tuple[float, ...]
    sd: tuple[float, ...]
    measured: tuple[float, ...]
    measured_sd: tuple[float, ...]
    r2: float
    rank: float
    bias: float
    coverage: float


def record(run: FinishedRun) -> Prediction | None:
    """Predictions against measurements; None when the run has no predictions.csv."""
    if run.predictions is None:
        return None
    rows = [r for r in run.predictions if not np.isnan([r.predicted, r.sd, r.measured]).any()]
    by_id = {d.id: d for d in run.designs}
    noise = np.array([(by_id[r.id].drop_high - by_id[r.id].drop_low) / (2 * Z95) for r in rows])
    predicted, sd, measured = (np.array([getattr(r, name) for r in rows]) for name in ("predicted", "sd", "measured"))
    error = measured - predicted
    enough = len(rows) >= 3 and np.ptp(measured) > 0 and np.ptp(predicted) > 0
    ranks = np.corrcoef(pd.Series(predicted).rank(), pd.Series(measured).rank())[0, 1] if enough else np.nan
    return Prediction(
        ids=tuple(r.id for r in rows),
        predicted=tuple(predicted.tolist()),
        sd=tuple(sd.tolist()),
        measured=tuple(measured.tolist()),
        measured_sd=tuple(noise.tolist()),
        r2=float(1 - (error**2).sum() / ((measured - measured.mean()) ** 2).sum()) if enough else float("nan"),
        rank=float(ranks),
        bias=float(error.mean()) if len(error) else float("nan"),
        coverage=float((np.abs(error) <= Z95 * np.hypot(sd, noise)).mean()) if len(error) else float("nan"),
    )


def draw(r: Prediction | None) -> Drawing:
    """A scatter with the line of perfect prediction."""
    if r is None or not r.ids:
        return Drawing(
            html.not_measured(
                "how well a surrogate predicts",
                "A search whose strategy has a surrogate (`strategy: posterior`) writes predictions.csv.",
            )
        )
    right = "their width is right"
    verdict = right if 0.9 <= r.coverage <= 0.99 else "they are too narrow" if r.coverage < 0.9 else "they are too wide"
    body = html.join(
        html.text(
            f"{len(r.ids)} designs were predicted before they were measured: R² = {tidy(r.r2)}, Spearman "
            f"{tidy(r.rank)}, mean error {tidy(r.bias)} pp; {tidy(100 * r.coverage, 0)} % of the measurements lie "
            f"inside the 95 % intervals ({verdict}). On the line, the prediction is exact.",
            "lead",
        ),
        html.plot("prediction", 430, "Measured drop against predicted drop"),
    )
    caption = "Measured against predicted accuracy drop with 95 % intervals; on the line the prediction is exact."
    return Drawing(
        body, {"prediction": interactive.plot(chart(r))}, {"prediction": StaticFigure(caption, lambda: figure(r))}
    )


def _limits(r: Prediction) -> tuple[float, float]:
    values = np.array([*r.predicted, *r.measured])
    return float(min(values.min(), 0.0)), float(values.max())


def chart(r: Prediction) -> Chart:
    """Measured against predicted drop on square-root axes, with the line of perfect prediction."""
    low, high = _limits(r)
    x, y = np.array(r.predicted), np.array(r.measured)
    across, along = Z95 * np.array(r.sd), Z95 * np.array(r.measured_sd)
    points = Points(
        x=r.predicted,
        y=r.measured,
        marker=Marker("accent", size=6),
        ids=r.ids,
        x_interval=intervals((x - across).tolist(), (x + across).tolist()),
        y_interval=intervals((y - along).tolist(), (y + along).tolist()),
        interval_colour="faint",
    )
    return Chart(
        (Line([low, high], [low, high], "muted"), points),
        x=drop_axis([low, high], "predicted drop [pp]"),
        y=drop_axis([low, high], "measured drop [pp]"),
        title=f"R² = {r.r2:.2f}, {100 * r.coverage:.0f} % inside the 95 % interval",
    )


def figure(r: Prediction) -> Figure:
    """The scatter for slides and print, as wide as it is high."""
    made, axes = style.new(height=4.2)
    printed.draw(axes, chart(r))
    axes.set_aspect("equal", adjustable="box")
    return made
