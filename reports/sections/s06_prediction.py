"""How well the surrogate predicted what was then measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.number_text import tidy
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Predicted against measured"
Z95 = 1.959964


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


def record(run: Run) -> Prediction | None:
    """Predictions against measurements; None when the run has no predictions.csv."""
    table = run.predictions
    if table is None:
        return None
    table = table.dropna(subset=["predicted", "sd", "measured"])
    rows = run.results.loc[table["id"]]
    noise = ((rows["drop_high"] - rows["drop_low"]) / (2 * Z95)).to_numpy(dtype=float)
    predicted, sd, measured = (table[c].to_numpy(dtype=float) for c in ("predicted", "sd", "measured"))
    error = measured - predicted
    enough = len(table) >= 3 and np.ptp(measured) > 0 and np.ptp(predicted) > 0
    ranks = np.corrcoef(table["predicted"].rank(), table["measured"].rank())[0, 1] if enough else np.nan
    return Prediction(
        ids=tuple(table["id"].astype(str)),
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
            drawing.not_measured(
                "how well a surrogate predicts",
                "A search whose strategy has a surrogate (`strategy: posterior`) leaves predictions.csv behind.",
            )
        )
    verdict = "as promised" if 0.9 <= r.coverage <= 0.99 else "too narrow" if r.coverage < 0.9 else "wider than needed"
    html = drawing.join(
        drawing.text(
            f"{len(r.ids)} designs were predicted before they were measured: R² = {tidy(r.r2)}, Spearman "
            f"{tidy(r.rank)}, mean error {tidy(r.bias)} pp; {tidy(100 * r.coverage, 0)} % of the measurements lie "
            f"inside the 95 % interval ({verdict}). A point on the line was predicted exactly.",
            "lead",
        ),
        drawing.plot("prediction", 430, "Measured drop against predicted drop"),
    )
    caption = "Measured against predicted accuracy drop with 95 % intervals; on the line the prediction is exact."
    return Drawing(html, {"prediction": plotted(r)}, {"prediction": StaticFigure(caption, lambda: figure(r))})


def _limits(r: Prediction) -> tuple[float, float]:
    values = np.array([*r.predicted, *r.measured])
    return float(min(values.min(), 0.0)), float(values.max())


def plotted(r: Prediction) -> Plot:
    """The interactive scatter on square-root axes."""
    from reports.plots.style import drop_ticks, root

    low, high = _limits(r)
    ticks = drop_ticks(low, high)
    x, y = root(r.predicted), root(r.measured)
    ends = root([low, high]).tolist()

    def bars(centre: Any, value: tuple[float, ...], sd: tuple[float, ...]) -> dict[str, Any]:
        values, width = np.array(value), Z95 * np.array(sd)
        up, down = root(values + width) - centre, centre - root(values - width)
        look = {"color": "$faint", "thickness": 1, "width": 0}
        return {"type": "data", "symmetric": False, "array": up.tolist(), "arrayminus": down.tolist(), **look}

    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": ends,
            "y": ends,
            "line": {"color": "$muted", "width": 1},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "ids": list(r.ids),
            "x": x.tolist(),
            "y": y.tolist(),
            "error_x": bars(x, r.predicted, r.sd),
            "error_y": bars(y, r.measured, r.measured_sd),
            "marker": {"color": "$accent", "size": 6},
        },
    ]
    axis = {"tickvals": root(ticks).tolist(), "ticktext": [f"{t:g}".replace("-", "−") for t in ticks]}
    layout = {
        "xaxis": {**axis, "title": {"text": "predicted drop [pp]"}},
        "yaxis": {**axis, "title": {"text": "measured drop [pp]"}},
    }
    return {"data": data, "layout": layout}


def figure(r: Prediction) -> Figure:
    """The scatter for slides and print."""
    from reports.plots import style

    made, ax = style.new(height=4.2)
    low, high = _limits(r)
    ax.plot([low, high], [low, high], color=style.MUTED, lw=0.8)
    x, y = np.array(r.predicted), np.array(r.measured)
    ax.hlines(y, x - Z95 * np.array(r.sd), x + Z95 * np.array(r.sd), color=style.FAINT, lw=0.7)
    ax.vlines(x, y - Z95 * np.array(r.measured_sd), y + Z95 * np.array(r.measured_sd), color=style.FAINT, lw=0.7)
    ax.plot(x, y, "o", ms=3.4, color=style.ACCENT)
    ax.set_xscale("function", functions=(style.root, style.square))
    style.drop_axis(ax, low, high)
    ticks = style.drop_ticks(low, high)
    ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    ax.minorticks_off()
    ax.set_xlim(*ax.get_ylim())
    ax.set_xlabel("predicted drop [pp]")
    ax.set_ylabel("measured drop [pp]")
    ax.set_title(f"R² = {r.r2:.2f}, {100 * r.coverage:.0f} % inside the 95 % interval")
    ax.set_aspect("equal", adjustable="box")
    ax.grid(True)
    return made
