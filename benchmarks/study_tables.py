"""The tables of docs/study.md from the rows of its cells."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
from study_cells import NAMES

MARK = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FORMS = ("ideal", "fixed", "decomposable", "bit_serial")


def filled(page: str, rows: pd.DataFrame) -> str:
    """The page with every table between its marks made again."""
    return MARK.sub(lambda m: f"{m[1]}\n{TABLES[m['name']](rows)}\n\n{m[3]}", page)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _range(values: pd.Series, form: str) -> str:
    """Median, and least and greatest where they differ."""
    low, middle, high = (format(value, form) for value in (values.min(), values.median(), values.max()))
    return middle if low == high else f"{middle} ({low} to {high})"


def methods(rows: pd.DataFrame) -> str:
    """One line per method: what its picks need and lose; medians over seeds, least and greatest in brackets."""
    passed = rows[rows["passed"]]
    bases = [passed[passed["method"] == each].set_index("seed")["memory_bytes"] for each in ("guided_sweep", "uniform")]
    body = []
    for method, name in NAMES.items():
        own = rows[rows["method"] == method].set_index("seed")
        if own.empty:
            continue
        saved = [1 - own["memory_bytes"] / base.reindex(own.index) for base in bases]
        body.append(
            [
                name,
                _range(own["memory_bytes"] / 1e3, ".1f"),
                *(_range(100 * each.dropna(), "+.1f") if each.notna().any() else "" for each in saved),
                _range(own["drop"], "+.2f"),
                f"{int((own['drop'] <= own['budget']).sum())} of {len(own)}",
                f"{int(own['passed'].sum())} of {len(own)}",
                _range(own["evaluations"], ".0f"),
                _range(own["images"] / 1e3, ".0f"),
                _range(own["seconds"] / 60, ".1f"),
            ]
        )
    head = [
        "method",
        "memory [kB]",
        "below scores alone [%]",
        "below uniform [%]",
        "drop on test [pp]",
        "within budget",
    ]
    return _markdown([*head, "passed", "designs", "images [k]", "minutes"], body)


def forms(rows: pd.DataFrame) -> str:
    """Energy of the default method's pick against uniform 8 bits, by chip and form of the datapath."""
    own = rows[rows["method"] == "posterior"]
    chips = sorted({str(column).split(":")[1] for column in rows.columns if str(column).startswith("energy8:")})
    body = []
    for chip in chips:
        line = [f"`{chip}`"]
        for form in FORMS:
            saved = 1 - own[f"energy:{chip}:{form}"] / own[f"energy8:{chip}:{form}"]
            line.append(_range(100 * saved, ".1f"))
        body.append(line)
    return _markdown(["chip", *(f"{form.replace('_', '-')} [%]" for form in FORMS)], body)


def parts(rows: pd.DataFrame) -> str:
    """Memory of the default method's pick by part [kB]."""
    own = rows[rows["method"] == "posterior"]
    columns = [str(c) for c in rows.columns if str(c).startswith("bytes:") and own[c].notna().any()]
    return _markdown(
        [column.removeprefix("bytes:") for column in columns],
        [[_range(own[column].fillna(0) / 1e3, ".1f") for column in columns]],
    )


def _where(table: Callable[[pd.DataFrame], str], **equal: object) -> Callable[[pd.DataFrame], str]:
    """A table of the rows that have these values."""

    def made(rows: pd.DataFrame) -> str:
        for column, value in equal.items():
            rows = rows[rows[column] == value]
        return table(rows) if len(rows) else "No cell of this table has been run yet."

    return made


TINY = {"network": "sdtv2_tiny_fashion_mnist", "rounding": "compensated", "budget": 1.0}
TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "core": _where(methods, **TINY),
    "forms": _where(forms, **TINY),
    "parts": _where(parts, **TINY),
    "nearest": _where(methods, **TINY | {"rounding": "nearest"}),
    "budget-one-and-a-half": _where(methods, **TINY | {"budget": 1.5}),
    "budget-two-point-one": _where(methods, **TINY | {"budget": 2.1}),
    "glyphs": _where(methods, **TINY | {"network": "sdtv2_tiny_glyphs"}),
    "glyphs-nearest": _where(methods, **TINY | {"network": "sdtv2_tiny_glyphs", "rounding": "nearest"}),
}
