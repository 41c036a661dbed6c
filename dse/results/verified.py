"""What verification says of one design: measured on unseen images, and together with what the search predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from dse.results.picks_file import Interval, MeasuredDrop
from sviT_models.measure.accuracy import Z95, normal_cdf

MEASURED = ("id", "drop", "drop_low", "drop_high", "images")
UNKNOWN = float("nan")


@dataclass(frozen=True)
class Verified:
    """A design on images that the search never saw, in percentage points.

    drop, drop_low, drop_high: as measured alone, with its 95 % interval; images: how many; discordance: share of all
    images that change sides; expected, expected_low, expected_high: by search and verification together, with the 95 %
    interval; p_within: by both, that the drop is at most `budget`, that of the verification; shown: whether the test
    whose order and looks are fixed beforehand shows that.  NaN and False where they are unknown, as in older runs.
    """

    drop: float
    drop_low: float
    drop_high: float
    images: int
    discordance: float = UNKNOWN
    expected: float = UNKNOWN
    expected_low: float = UNKNOWN
    expected_high: float = UNKNOWN
    budget: float = UNKNOWN
    p_within: float = UNKNOWN
    shown: bool = False

    @property
    def joint(self) -> Interval | None:
        """What search and verification together say; None where it is unknown."""
        if np.isnan(self.expected):
            return None
        return {"value": self.expected, "low": self.expected_low, "high": self.expected_high}

    @property
    def measured(self) -> MeasuredDrop:
        """What the unseen images alone say."""
        return {"value": self.drop, "low": self.drop_low, "high": self.drop_high, "images": self.images}

    @property
    def told(self) -> Interval:
        """The best that is known: `joint`, in older runs `measured`."""
        return self.joint or self.measured

    def within(self, limit: float) -> float:
        """P(true drop <= `limit` [percentage points]); by the interval as measured where nothing else is known."""
        if limit == self.budget and not np.isnan(self.p_within):
            return self.p_within
        told = self.told
        sd = max((told["high"] - told["low"]) / (2 * Z95), 1e-9)
        return float(normal_cdf((limit - told["value"]) / sd))

    def is_for(self, limit: float) -> bool:
        """Whether this was verified for such a budget; older runs do not say, and are taken at their word."""
        return np.isnan(self.budget) or self.budget == limit


def verified_table(verified: Mapping[str, Verified]) -> pd.DataFrame:
    """The content of verified.csv: `id`, then the fields of `Verified`."""
    columns = ["id", *(field.name for field in fields(Verified))]
    return pd.DataFrame([{"id": i} | vars(v) for i, v in verified.items()], columns=columns)


def read_verified(table: pd.DataFrame) -> dict[str, Verified]:
    """The inverse of `verified_table`, also of tables with the columns MEASURED alone."""
    known = [field.name for field in fields(Verified) if field.name in table.columns]
    rows = table.set_index("id")[known].to_dict("index")
    return {str(i): Verified(**{str(k): v for k, v in row.items()}) for i, row in rows.items()}
