"""The columns of a layer table: which are required, how the others are derived, and the limits of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.widths import IMAGE_BITS, WIDEST_INTEGER
from costmodels.workload.geometry import inside_share
from costmodels.workload.streams import ADDITION, PLACES

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("name", "kind", "group", "block", "stage", "input", "input_bits", "in_channels", "out_channels", "groups"),
    *("kernel", "stride", "padding", "in_height", "in_width", "out_height", "out_width", "weights"),
    *("channel_constants", "macs", "fan_in", "neurons", "lif", "lif_spikes", "spikes", "synops", "balance"),
    "time_steps",
)
TEXTS = ("name", "kind", "group", "block", "stage", "input", "lif")
NUMBERS = tuple(c for c in COLUMNS if c not in (*TEXTS, "time_steps"))
INTEGERS = ("sees", "largest", "events")  # of captured networks: which inputs are small integers, and how large
PRODUCTS = ("product_synops", "product_sums")  # operations and sums of product sparsity, where they were counted
DERIVED = (
    "level",
    "largest",
    "leak_bits",
    "nonzero",
    "product_share",
    "product_sums_share",
)  # numbers beside those of COLUMNS that costs are made of
NONZERO = "nonzero"  # share of a row's weights that are not zero
NONZERO_AT = {bits: f"{NONZERO}_{bits}" for bits in range(1, WIDEST_INTEGER + 1)}  # the same as integers of a width
OWN_LEAK = "leak_bits"  # width of the factor of a leak that is no shift; 0: a shift
REQUIRED = ("name", "kind", "in_channels", "out_channels", "spikes", "time_steps")
KINDS = ("conv", "depthwise", "linear", "attention")
INPUTS = ("spike", "multibit")
_WHOLE = (
    *("in_channels", "out_channels", "groups", "kernel", "stride", "input_bits"),
    *("in_height", "in_width", "out_height", "out_width"),
)
_SLACK = 1 + 1e-9
LEAST_RATE = 1e-3  # spikes per input and step, the median of the rows: below, they are rates or hold a decimal mark

Column = NDArray[Any]


def checked(table: pd.DataFrame, source: str) -> dict[str, Column]:
    """All columns of a layer table as arrays (R,), without its additions; absent columns are derived.

    Raises CostError for a missing or unknown column, an empty table, and every impossible value.
    """
    known = (*COLUMNS, *PLACES, *INTEGERS, *PRODUCTS, NONZERO, *NONZERO_AT.values(), OWN_LEAK)
    unknown = [c for c in table.columns if c not in known and not str(c).startswith("assumed_")]
    if unknown:
        raise CostError(f"{source}: unknown column {unknown[0]!r}; the columns are {', '.join(COLUMNS)}")
    missing = [c for c in REQUIRED if c not in table.columns]
    if missing:
        raise CostError(f"{source}: column {missing[0]!r} is missing; the least a table needs is {', '.join(REQUIRED)}")
    table = table[table["kind"] != ADDITION]
    if not len(table):
        raise CostError(f"{source}: the table has no rows; expected one per layer")
    full = _texts(table, source)
    for column in (*NUMBERS, "time_steps"):
        if column in table.columns:
            full[column] = _number(table, column, source)
    _derive(full, source)
    if not np.any(full["weights"] > 0):
        raise CostError(f"{source}: no row has weights; expected at least one convolution or linear layer")
    most = _possible(full, source)
    if "lif_spikes" not in table.columns:  # nobody counts neurons by hand: a measured network may well be silent
        _counted(full, most, source)
    return full | _levels(full, table, source) | _products(full, table, source) | _zeros(full, table, source)


def _zeros(full: dict[str, Column], table: pd.DataFrame, source: str) -> dict[str, Column]:
    """The share of weights that are not zero, and that of every width which the table has.

    What the table leaves out is as without a width, and 1 there and in rows without weights.
    """
    found = {NONZERO: np.ones(len(full["name"]))}
    for name in (NONZERO, *NONZERO_AT.values()):
        if name not in table.columns:
            continue
        given = _number(table, name, source)
        found[name] = share = np.where(np.isnan(given) | (full["weights"] == 0), found[NONZERO], given)
        for row in np.flatnonzero(share > 1):
            _fail(source, int(row), name, float(share[row]), "expected a share, 0 to 1")
    return found


def _products(full: dict[str, Column], table: pd.DataFrame, source: str) -> dict[str, Column]:
    """What product sparsity makes of a synaptic operation; NaN in tables where it was not counted.

    product_share       operations that are left, over all (`product_synops` over `synops`)
    product_sums_share  sums that are read and written in memory, per operation
    """
    size, synops = len(full["name"]), full["synops"]
    if not set(PRODUCTS) <= set(table.columns):
        return dict.fromkeys(("product_share", "product_sums_share"), np.full(size, np.nan))
    left, sums = (_number(table, name, source) for name in PRODUCTS)
    for row in np.flatnonzero(left > synops * _SLACK):
        _fail(source, int(row), PRODUCTS[0], float(left[row]), f"at most the {synops[row]:.15g} of synops can be left")
    some = synops > 0
    return {
        "product_share": np.divide(left, synops, out=np.ones(size), where=some),
        "product_sums_share": np.divide(sums, synops, out=np.zeros(size), where=some),
    }


def _levels(full: dict[str, Column], table: pd.DataFrame, source: str) -> dict[str, Column]:
    """What is known of inputs that are small integers, and of leaks.

    level      mean of the integers that are not zero, 0 in rows with other inputs
    largest    the largest integer; 1 in rows with other inputs
    leak_bits  width of the factor of a leak that is no shift [bit]; 0: a shift
    """
    size = len(full["name"])
    sees = np.array(table["sees"].astype(str)) if "sees" in table.columns else np.full(size, "")
    whole = np.isin(sees, ("levels", "count")) & (full["input"] == "multibit")
    given = {
        name: _number(table, name, source) if name in table.columns else np.full(size, np.nan)
        for name in ("largest", "events", OWN_LEAK)
    }
    events, spikes = given["events"], full["spikes"]
    level = np.divide(events, spikes, out=np.ones(size), where=spikes > 0)
    top = np.where(np.isnan(given["largest"]), 2.0 ** full["input_bits"] - 1, given["largest"])
    known = whole & ~np.isnan(events)
    return {
        "level": np.where(known, np.maximum(level, 1.0), 0.0),
        "largest": np.where(known, np.maximum(top, 1.0), 1.0),
        OWN_LEAK: np.nan_to_num(given[OWN_LEAK]),
    }


def _fail(source: str, row: int, column: str, value: str | float | None, remedy: str) -> NoReturn:
    shown = f"{value:.15g}" if isinstance(value, float) else repr(value)
    raise CostError(f"{source}:{row + 2}: {column} is {shown}; {remedy}")


def _texts(table: pd.DataFrame, source: str) -> dict[str, Column]:
    full: dict[str, Column] = {}
    for column in TEXTS:
        if column in table.columns:
            given = table[column]
            full[column] = np.array(["" if missing else str(v) for v, missing in zip(given, given.isna(), strict=True)])
    name = full["name"]
    for row, text in enumerate(name):
        if not text:
            _fail(source, row, "name", str(text), "expected a unique name")
        if text in name[:row]:
            _fail(source, row, "name", str(text), "the name stands twice; expected a unique name")
    defaults = {
        "input": ["spike"] * len(name),
        "group": list(name),
        "block": [".".join(text.split(".")[:2]) for text in name],
        "stage": [text.split(".")[0] for text in name],
    }
    for column, values in defaults.items():
        given = full.get(column, [""] * len(name))
        full[column] = np.array([text or default for text, default in zip(given, values, strict=True)])
    for column, known in (("kind", KINDS), ("input", INPUTS)):
        for row, text in enumerate(full[column]):
            if text not in known:
                _fail(source, row, column, str(text), f"expected one of {', '.join(known)}")
    return full


def _number(table: pd.DataFrame, column: str, source: str) -> Column:
    import pandas as pd

    values = np.asarray(pd.to_numeric(table[column], errors="coerce"), dtype=np.float64)
    blank = np.asarray(table[column].isna())
    for row in np.flatnonzero(~np.isfinite(values) | (values < 0)):
        given = table[column].iloc[row]
        if blank[row]:
            if column not in REQUIRED:
                continue
            _fail(source, int(row), column, None, "the value is missing; profile the network, or fill it in")
        _fail(source, int(row), column, given if isinstance(given, str) else float(given), "expected a number >= 0")
    if column in (*_WHOLE, "time_steps", "balance", "macs", "fan_in"):
        for row in np.flatnonzero(~blank & (values <= 0)):
            _fail(source, int(row), column, float(values[row]), "expected a number above 0")
    return values


def _derive(full: dict[str, Column], source: str) -> None:
    """Derive absent columns and blank entries from the shapes; entries that were given stay."""
    size = len(full["name"])
    spike, attention = full["input"] == "spike", full["kind"] == "attention"

    def fill(column: str, default: Column | float) -> Column:
        given = full.get(column, np.full(size, np.nan))
        full[column] = np.where(np.isnan(given), default, given)
        return full[column]

    kernel, stride, padding = fill("kernel", 1.0), fill("stride", 1.0), fill("padding", 0.0)
    groups = fill("groups", np.where(full["kind"] == "depthwise", full["in_channels"], 1.0))
    inputs, outputs = full["in_channels"].copy(), full["out_channels"].copy()
    for axis in ("height", "width"):
        given = fill(f"in_{axis}", 1.0)
        pixels = np.floor((given + 2 * padding - kernel) / stride) + 1
        for row in np.flatnonzero(np.isnan(full.get(f"out_{axis}", np.full(size, np.nan))) & (pixels < 1)):
            _fail(source, int(row), "kernel", float(kernel[row]), f"expected at most the padded in_{axis}")
        inputs *= given
        outputs *= fill(f"out_{axis}", pixels)
    fill("input_bits", np.where(spike, 1.0, float(IMAGE_BITS)))
    fan_in = fill("fan_in", full["in_channels"] / groups * kernel**2)
    fill("weights", np.where(attention, 0.0, full["out_channels"] * fan_in))
    fill("channel_constants", np.where(attention, 0.0, full["out_channels"]))
    macs = fill("macs", fan_in * outputs)
    neurons = fill("neurons", np.where(spike, inputs, 0.0))
    if "lif" not in full:
        full["lif"] = np.array([f"{n}.lif" if k else "" for n, k in zip(full["name"], neurons > 0, strict=True)])
    fill("lif_spikes", np.where(neurons > 0, full["spikes"], 0.0))
    fill("synops", full["spikes"] / inputs * macs * inside_share(full, attention))
    fill("balance", 1.0)


def _possible(full: dict[str, Column], source: str) -> Column:
    """Raise CostError for a count above what shapes and time steps allow."""
    steps = full["time_steps"]
    for row in np.flatnonzero(steps != steps[0]):
        _fail(source, int(row), "time_steps", float(steps[row]), f"expected {steps[0]:g} as in the first row")
    for column in (*_WHOLE, "time_steps"):
        for row in np.flatnonzero(full[column] % 1 != 0):
            _fail(source, int(row), column, float(full[column][row]), "expected a whole number")
    for row in np.flatnonzero(full["balance"] > _SLACK):
        _fail(source, int(row), "balance", float(full["balance"][row]), "expected mean over max, in (0, 1]")
    inputs = full["in_channels"] * full["in_height"] * full["in_width"]
    limits = (
        ("spikes", inputs * steps, "input elements x time steps"),
        ("lif_spikes", full["neurons"] * steps, "neurons x time steps"),
        ("synops", full["macs"] * steps, "macs x time steps"),
    )
    for column, limit, meaning in limits:
        for row in np.flatnonzero(full[column] > limit * _SLACK):
            remedy = f"at most {limit[row]:.15g} are possible ({meaning}); counts are per image, summed over time steps"
            _fail(source, int(row), column, float(full[column][row]), remedy)
    both = (full["weights"] > 0) == (full["kind"] == "attention")
    for row in np.flatnonzero(both):
        expected = "0 for attention" if full["kind"][row] == "attention" else "the number of weight parameters, above 0"
        _fail(source, int(row), "weights", float(full["weights"][row]), f"expected {expected}")
    return np.asarray(inputs * steps, dtype=np.float64)


def _counted(full: dict[str, Column], most: Column, source: str) -> None:
    """Raise CostError where the spikes of the whole network look like rates, or like counts cut off at a point."""
    spiking = np.flatnonzero((full["input"] == "spike") & (full["spikes"] > 0))
    share = full["spikes"][spiking] / most[spiking]
    if len(spiking) and float(np.median(share)) < LEAST_RATE:
        row = int(spiking[np.argmin(share)])
        remedy = (
            f"half of the spiking rows fire at less than {LEAST_RATE:g} of their {most[row]:.15g} chances; give spikes "
            "per image, summed over time steps: no firing rates, and no point or comma for thousands"
        )
        _fail(source, row, "spikes", float(full["spikes"][row]), remedy)
