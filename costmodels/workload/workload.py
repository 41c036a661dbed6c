"""A network as the cost models see it: its checked layer table as columns of shape (R,) in network order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.widths import FLOAT
from costmodels.workload.activity import Activity
from costmodels.workload.examples import example_table
from costmodels.workload.geometry import Geometry, geometry
from costmodels.workload.layer_table import COLUMNS, DERIVED, NONZERO, NONZERO_AT, NUMBERS, PRODUCTS, TEXTS, checked
from costmodels.workload.streams import PLACES, Shortcuts, Stream, stream_rows, streams_of

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Text = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Workload:
    """A layer table (docs/design.md) with the measured activity.

    R rows are weight layers and attention products; additions of residual streams are told apart from them.

    texts           text columns by name, R strings each
    columns         numeric columns by name, float arrays (R,)
    time_steps      time steps of the measured counts
    written_inputs  (R,) elements of its multi-bit input that a row writes, 0 where another row writes them; empty: all
    streams         the additions of residual streams; None: the layer table does not say, and nothing is charged
    """

    texts: Mapping[str, Text]
    columns: Mapping[str, FloatArray]
    time_steps: int
    written_inputs: tuple[float, ...] = ()
    streams: tuple[Stream, ...] | None = None

    @classmethod
    def from_table(cls, table: pd.DataFrame, source: str = "layer table") -> Workload:
        """The workload of a layer table.

        table   one row per weight layer or attention product; columns that follow from others may be absent
                (docs/cost-models.md)
        source  what messages call the table

        Raises CostError with source, line (of the CSV file: row number + 2), column, value and remedy.
        """
        full = checked(table, source)
        texts = {name: tuple(map(str, full[name])) for name in TEXTS}
        numbers = (*NUMBERS, *DERIVED, *(name for name in NONZERO_AT.values() if name in full))
        return cls(
            texts,
            {name: np.asarray(full[name], dtype=np.float64) for name in numbers},
            int(full["time_steps"][0]),
            streams=streams_of(table, texts["name"], source),
        )

    @classmethod
    def from_csv(cls, path: str | Path) -> Workload:
        """The workload of a layer table in a CSV file.

        path  the file, such as the layers.csv of a run

        Raises CostError as `from_table`, and for a file that is missing or no CSV file.
        """
        import pandas as pd

        path = Path(path)
        if not path.is_file():
            raise CostError(f"{path}: no such file; expected a layer table such as a run directory's layers.csv")
        try:
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            first = str(error).strip().splitlines()[0]
            raise CostError(f"{path}: not a readable CSV file: {first}; expected a layer table with a header") from None
        return cls.from_table(table, str(path))

    @classmethod
    def example(cls, name: str, rate: float = 0.2, time_steps: int = 4, fused: bool = False) -> Workload:
        """An SDTv2 network at 224 px with an assumed firing rate, the same in every LIF layer; nothing is measured.

        name        one of costmodels.example_names()
        rate        spikes per neuron and time step, 0 to 1
        time_steps  time steps per image
        fused       whether each linear chain is merged into one dense convolution

        Shapes, weights and MACs are exact; spikes are rate x neurons x time steps.
        """
        return cls.from_table(example_table(name, rate, time_steps, fused), f"example {name}")

    def table(self) -> pd.DataFrame:
        """The full layer table, derived columns included; behind its rows those of the additions."""
        import pandas as pd

        merged = {**self.texts, **self.columns, "time_steps": [self.time_steps] * self.rows}
        table = pd.DataFrame({name: merged[name] for name in COLUMNS})
        if not np.isnan(self.columns["product_share"]).any():
            shares = (self.columns[name] for name in ("product_share", "product_sums_share"))
            table = table.assign(**{n: s * self.columns["synops"] for n, s in zip(PRODUCTS, shares, strict=True)})
        zeros = [name for name in (NONZERO, *NONZERO_AT.values()) if np.any(self.columns.get(name, 1.0) < 1)]
        table = table.assign(**{name: self.columns[name] for name in zeros})
        if self.streams is None:
            return table
        additions = pd.DataFrame(stream_rows(self.streams, self.names), columns=[*COLUMNS, *PLACES])
        return pd.concat([table, additions.assign(time_steps=self.time_steps)], ignore_index=True)

    def __len__(self) -> int:
        return self.rows

    @property
    def names(self) -> Text:
        """Names of all R rows."""
        return self.texts["name"]

    @property
    def stages(self) -> Text:
        """Stages of all R rows."""
        return self.texts["stage"]

    @property
    def rows(self) -> int:
        """R."""
        return len(self.texts["name"])

    @cached_property
    def weight_rows(self) -> NDArray[np.intp]:
        """Positions of the rows with weights, (L,)."""
        return np.flatnonzero(self.columns["weights"] > 0)

    @cached_property
    def weight_layers(self) -> Text:
        """Names of the rows with weights: the order of `weight_bits`."""
        return tuple(self.names[i] for i in self.weight_rows)

    @cached_property
    def lif_layers(self) -> Text:
        """Names of the LIF layers in the order of the rows that they are charged to."""
        return tuple(name for joined in self.texts["lif"] for name in joined.split(";") if name)

    @cached_property
    def lif_rows(self) -> tuple[int, ...]:
        """The row that each LIF layer is charged to."""
        return tuple(row for row, joined in enumerate(self.texts["lif"]) for name in joined.split(";") if name)

    @cached_property
    def nonzero_at(self) -> FloatArray:
        """Share of the weights that are not zero by the width of their integers [bit], (R, 33)."""
        usual = self.columns[NONZERO]
        every = np.repeat(usual[:, None], FLOAT + 1, axis=1)
        for bits, name in NONZERO_AT.items():
            every[:, bits] = self.columns.get(name, usual)
        return every

    @cached_property
    def shortcuts(self) -> Shortcuts:
        """The additions of residual streams as arrays; none where the layer table does not say."""
        return Shortcuts.of(self.streams or (), self.rows)

    @cached_property
    def geometry(self) -> Geometry:
        """What follows from the shapes, (R,) each."""
        return geometry(self.texts, self.columns, self.written_inputs)

    @cached_property
    def activity(self) -> Activity:
        """The measured activity, (R,) each."""
        return Activity(self.columns["spikes"], self.columns["lif_spikes"], self.columns["synops"])

    def with_time_steps(self, time_steps: int) -> Workload:
        """The workload over another number of time steps per image, at the measured firing rate per step.

        Raises CostError for less than one step.
        """
        if time_steps < 1:
            raise CostError(f"time_steps is {time_steps}; expected at least 1")
        scale = time_steps / self.time_steps
        moved = {name: self.columns[name] * scale for name in ("spikes", "lif_spikes", "synops")}
        return replace(self, columns={**self.columns, **moved}, time_steps=int(time_steps))
