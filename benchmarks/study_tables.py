"""The tables of docs/study.md from the rows of its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pandas as pd
from study_cells import MEASURED, NAMES, PARTS, VARIANTS, Cell

MARK = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
CHIP = "generic_45nm"  # on which the tables of methods state energy
FORMS_OF = ("posterior", "guided_sweep", "qsvit", "aq4svit_beam")
SHOWN = ("memory [kB]", "mean bits", "below uniform [%]", "energy below 8 bits, ideal / fixed [%]", "drop on test [pp]")
SHOWN_OF = ("uniform", "qsvit", "aq4svit_greedy", "aq4svit_beam", "amp_greedy", "nsga2", "guided_sweep", "posterior")
ROUNDINGS = ("nearest", "compensated")
FORMS = ("ideal", "fixed", "decomposable", "bit_serial")


def filled(page: str, rows: pd.DataFrame) -> str:
    """The page with every table between its marks made again."""
    made = TABLES | OF_README
    return MARK.sub(lambda m: f"{m[1]}\n{made[m['name']](rows)}\n\n{m[3]}", page)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _range(values: pd.Series, form: str) -> str:
    """Median, and least and greatest where they differ."""
    low, middle, high = (format(value, form) for value in (values.min(), values.median(), values.max()))
    return middle if low == high else f"{middle} ({low} to {high})"


def methods(rows: pd.DataFrame, wanted: Sequence[Cell]) -> str:
    """One line per method: what its picks need and lose; medians over seeds, least and greatest in brackets.

    The float network comes first; a method of `wanted` without a row is named with what is missing.
    """
    return _markdown(*_methods(rows, wanted))


def headline(rows: pd.DataFrame) -> str:
    """Some lines and columns of the table of all methods."""
    head, body = _methods(rows, PARTS["core"])
    kept = [place for place, name in enumerate(head) if name in ("method", *SHOWN, "seeds run")]
    lines = {line[0]: [line[place] for place in kept] for line in body}
    names = ["float network", *(NAMES[each] for each in SHOWN_OF)]
    return _markdown([head[place] for place in kept], [lines[name] for name in names])


def _methods(rows: pd.DataFrame, wanted: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    passed = rows[rows["passed"]]
    bases = [passed[passed["method"] == each].set_index("seed")["memory_bytes"] for each in ("guided_sweep", "uniform")]
    floats = [_range(rows["float_memory_bytes"] / 1e3, ".1f"), "32.0", "", "", "", "+0.00", "", "", "", "", ""]
    body = [["float network", *floats]]
    for method, name in NAMES.items():
        own = rows[rows["method"] == method].set_index("seed")
        seeds = sum(cell.method == method for cell in wanted)
        if own.empty:
            body += [[name, *["not run"] * bool(seeds), *[""] * 10]] if seeds else []
            continue
        saved = [1 - own["memory_bytes"] / base.reindex(own.index) for base in bases]
        energy = [1 - own[f"energy:{CHIP}:{form}"] / own[f"energy8:{CHIP}:{form}"] for form in ("ideal", "fixed")]
        body.append(
            [
                name,
                _range(own["memory_bytes"] / 1e3, ".1f"),
                _range(own["mean_bits"], ".2f"),
                *(_range(100 * each.dropna(), "+.1f") if each.notna().any() else "" for each in saved),
                " / ".join(_range(100 * each, ".1f") for each in energy),
                _range(own["drop"], "+.2f"),
                f"{int((own['drop'] <= own['budget']).sum())} of {len(own)}",
                f"{int(own['passed'].sum())} of {len(own)}",
                _range(own["evaluations"], ".0f"),
                _range(own["images"] / 1e3, ".0f"),
                f"{len(own)} of {seeds}",
            ]
        )
    head = ["method", "memory [kB]", "mean bits", "below scores alone [%]", "below uniform [%]"]
    head += ["energy below 8 bits, ideal / fixed [%]", "drop on test [pp]", "within budget", "passed", "designs"]
    return [*head, "images [k]", "seeds run"], body


def decomposition(rows: pd.DataFrame) -> str:
    """Memory of the picks by rounding and by allocation of bits: what each saves alone, and what after the other.

    Medians over the seeds that both roundings have; allocation is against the narrowest uniform width of its rounding.
    """
    memory = rows.pivot_table(index="seed", columns=["method", "rounding"], values="memory_bytes") / 1e3
    body = []
    for method, name in NAMES.items():
        if any((method, rounding) not in memory for rounding in ROUNDINGS):
            continue
        both = memory[method][list(ROUNDINGS)].dropna()
        line = [name, *(_range(both[rounding], ".1f") for rounding in ROUNDINGS)]
        plain, ours = (both[rounding] for rounding in ROUNDINGS)
        line.append(_range(100 * (1 - ours / plain), "+.1f"))
        for rounding in ROUNDINGS:
            base = memory.get(("uniform", rounding), pd.Series(dtype=float)).reindex(both.index).dropna()
            saved = 100 * (1 - both[rounding].reindex(base.index) / base)
            line.append(_range(saved, "+.1f") if len(base) and method != "uniform" else "")
        body.append(line)
    head = ["allocation of bits", "nearest [kB]", "compensated [kB]", "saved by rounding [%]"]
    return _markdown([*head, "by allocation, nearest [%]", "by allocation, compensated [%]"], body)


def forms(rows: pd.DataFrame) -> str:
    """Energy of some methods' picks against uniform 8 bits, by chip and form of the datapath."""
    chips = sorted({str(column).split(":")[1] for column in rows.columns if str(column).startswith("energy8:")})
    body = []
    for method in FORMS_OF:
        own = rows[rows["method"] == method]
        for chip in chips if len(own) else []:
            line = [NAMES[method], f"`{chip}`"]
            for form in FORMS:
                saved = 1 - own[f"energy:{chip}:{form}"] / own[f"energy8:{chip}:{form}"]
                line.append(_range(100 * saved, ".1f"))
            body.append(line)
    return _markdown(["method", "chip", *(f"{form.replace('_', '-')} [%]" for form in FORMS)], body)


def parts(rows: pd.DataFrame) -> str:
    """Memory of every method's pick by part [kB]."""
    columns = [str(c) for c in rows.columns if str(c).startswith("bytes:") and rows[c].fillna(0).any()]
    body = []
    for method, name in NAMES.items():
        own = rows[rows["method"] == method]
        if len(own):
            body.append([name, *(_range(own[column].fillna(0) / 1e3, ".1f") for column in columns)])
    return _markdown(["method", *(column.removeprefix("bytes:") for column in columns)], body)


def ablations(rows: pd.DataFrame) -> str:
    """Picks of the default search as it is, and with one thing changed; medians over seeds, least and greatest."""
    lines = [("as it is", ""), *((label, variant) for variant, (label, _) in VARIANTS.items())]
    body = []
    for label, variant in lines:
        own = rows[(rows["method"] == "posterior") & (rows["variant"] == variant)]
        if own.empty:
            body.append([label, "not run", *[""] * 8])
            continue
        energy = [1 - own[f"energy:{CHIP}:{form}"] / own[f"energy8:{CHIP}:{form}"] for form in ("ideal", "fixed")]
        body.append(
            [
                label,
                _range(own["memory_bytes"] / 1e3, ".1f"),
                _range(own["mean_bits"], ".2f"),
                _range(own["time_steps"], ".0f"),
                _range(1e6 * own[f"energy:{CHIP}:ideal"], ".2f"),
                " / ".join(_range(100 * each, ".1f") for each in energy),
                _range(own["drop"], "+.2f"),
                f"{int((own['drop'] <= own['budget']).sum())} of {len(own)}",
                "" if variant == MEASURED else f"{int(own['passed'].sum())} of {len(own)}",
                _range(own["evaluations"], ".0f"),
            ]
        )
    head = ["search", "memory [kB]", "mean bits", "T", "energy, ideal [uJ]", "below 8 bits, ideal / fixed [%]"]
    return _markdown([*head, "drop on test [pp]", "within budget", "passed", "designs"], body)


def _where(table: Callable[[pd.DataFrame], str], **equal: object) -> Callable[[pd.DataFrame], str]:
    """A table of the rows that have these values."""

    def made(rows: pd.DataFrame) -> str:
        for column, value in equal.items():
            rows = rows[rows[column] == value] if column in rows else rows[:0]
        return table(rows) if len(rows) else "No cell of this table has been run yet."

    return made


def _of(part: str, **equal: object) -> Callable[[pd.DataFrame], str]:
    """The table of methods of a part of the study."""
    wanted = [c for c in PARTS[part] if all(getattr(c, key) == value for key, value in equal.items())]
    first = wanted[0]
    same = {"network": first.network, "rounding": first.rounding, "budget": first.budget, "variant": ""}
    return _where(lambda rows: methods(rows, wanted), **same)


PICKED = {"network": "sdtv2_tiny_fashion_mnist", "rounding": "compensated", "budget": 1.0}
TINY = PICKED | {"variant": ""}
TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "core": _of("core"),
    "forms": _where(forms, **TINY),
    "parts": _where(parts, **TINY),
    "nearest": _of("nearest"),
    "decomposition": _where(decomposition, network=TINY["network"], budget=TINY["budget"], variant=""),
    "ablations": _where(ablations, **PICKED),
    "budget-one-and-a-half": _of("budgets", budget=1.5),
    "budget-two-point-one": _of("budgets", budget=2.1),
    "glyphs": _of("glyphs"),
    "glyphs-nearest": _of("glyphs-nearest"),
    "second": _of("second"),
    "second-nearest": _of("second-nearest"),
}
OF_README: dict[str, Callable[[pd.DataFrame], str]] = {"headline": _where(headline, **TINY)}
