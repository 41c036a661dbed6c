"""The keys of a specification and what they may hold, checked before anything is computed with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sviT_models.errors import ModelError

Check = Callable[[str, Any], None]
MOST = 2**31  # of a size
SHIFTS = 40
PLACES = 64  # binary places of any number, at most
EXACT = 2**53


def _wrong(where: str, value: object, expected: str) -> ModelError:
    shown = repr(value)
    return ModelError(f"{where} is {shown if len(shown) < 60 else shown[:57] + '...'}; expected {expected}")


def integer(low: int, high: int) -> Check:
    """A whole number between two others."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _wrong(where, value, f"a whole number from {low} to {high}")

    return check


def text(where: str, value: Any) -> None:
    """A name."""
    if not isinstance(value, str) or not value:
        raise _wrong(where, value, "a name")


def flag(where: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(where, value, "true or false")


def one_of(*known: str) -> Check:
    """One of some words."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, str) or value not in known:
            raise _wrong(where, value, " or ".join(known))

    return check


def each(check: Check, least: int = 0, most: int | None = None) -> Check:
    """A list whose entries pass a check, of a length between two numbers."""

    def checked(where: str, value: Any) -> None:
        if not isinstance(value, list) or len(value) < least or (most is not None and len(value) > most):
            count = str(least) if least == most else f"at least {least}"
            raise _wrong(where, value, f"a list of {count} entries")
        for i, entry in enumerate(value):
            check(f"{where}[{i}]", entry)

    return checked


def named(check: Check) -> Check:
    """An object whose values pass a check."""

    def checked(where: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        for name, entry in value.items():
            check(f"{where}[{name!r}]", entry)

    return checked


def record(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these keys and no others."""
    others = optional or {}

    def checked(where: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        if missing := [key for key in fields if key not in value]:
            raise ModelError(f"{where}: {missing[0]} is missing")
        if unknown := [key for key in value if key not in fields and key not in others]:
            raise ModelError(f"{where}: unknown key {unknown[0]!r}")
        for key, entry in value.items():
            (fields.get(key) or others[key])(f"{where}.{key}", entry)

    return checked


def anything(where: str, value: Any) -> None:
    """Whatever JSON holds."""


SIZE, WHOLE = integer(1, MOST), integer(-EXACT, EXACT)
SHAPE = each(integer(-1, MOST), 1)
SHAPES = each(SHAPE, 1)
PAIR, BORDER = each(integer(1, 2**16), 2, 2), each(integer(0, 2**12), 2, 2)
MOVED = {"stride": PAIR, "padding": BORDER, "dilation": PAIR}
INPUTS = {"inputs": each(text, 1), "shapes": SHAPES}
NODES: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "conv": ({"layer": text, "input": text, "positions": PAIR, "groups": SIZE, **MOVED}, {}),
    "rescale": ({"constants": text, "input": text}, {"add": text}),
    "fire": (
        {"name": text, "input": text, "steps": SIZE, "left_shift": integer(-SHIFTS, SHIFTS), "shape": SHAPE},
        {},
    ),
    "levels": ({"name": text, "input": text, "levels": integer(1, 2**16), "shape": SHAPE}, {}),
    "combine": ({"how": one_of("add", "multiply"), **INPUTS}, {"low": WHOLE, "high": WHOLE}),
    "sum": ({"input": text, "shape": SHAPE, "axes": each(integer(0, 31))}, {"layer": text}),
    "attend": (INPUTS, {}),
    "matmul": (INPUTS, {}),
    "pool": (
        {"how": one_of("max", "sum"), "input": text, "kernel": PAIR, "positions": PAIR, "out": PAIR, "channels": SIZE}
        | MOVED,
        {},
    ),
    "arrange": ({"input": text, "from": SHAPE, "order": each(integer(0, 31), 1), "sizes": SHAPE}, {}),
    "concat": ({**INPUTS, "axis": integer(0, 31)}, {}),
    "slice": ({"input": text, "shape": SHAPE, "axis": integer(0, 31), "start": integer(0, MOST), "stop": SIZE}, {}),
    "pad": ({"input": text, "shape": SHAPE, "sides": each(BORDER, 1), "value": WHOLE}, {}),
}


def node(where: str, value: Any) -> None:
    """One operation."""
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    op = value.get("op")
    one_of(*NODES)(f"{where}.op", op)
    fields, optional = NODES[str(op)]
    record({"op": anything, "output": text, **fields}, optional)(where, value)


PLACE = integer(-PLACES, PLACES)
STATE = record(
    {
        **{"bits": integer(2, 32), "fraction": PLACE, "threshold": integer(1, 2**32), "guard": integer(1, 8)},
        **{"kept": integer(0, 2**15), "taken": integer(1, 2**15), "shift": integer(0, 15)},
        **{"strict": flag, "subtract": flag, "delayed": flag},
    }
)
WEIGHT = record(
    {"bits": integer(1, 24), "first": integer(-(2**24), 2**24), "step": integer(1, 2), "shape": each(SIZE, 4, 4)}
)
SPECIFICATION = record(
    {
        **{"format": text, "version": SIZE, "sha256": text, "files": named(text)},
        **{"network": text, "classes": SIZE, "notes": named(anything), "time_steps": integer(1, 2**16)},
        "image": record({"bits": integer(1, 8), "fraction": PLACE, "shape": each(SIZE, 1, 5)}),
        "logits": record({"fraction": PLACE}),
        "weights": named(WEIGHT),
        "states": named(STATE),
        "rescales": named(record({"low": WHOLE, "high": WHOLE, "fraction": PLACE})),
        "nodes": each(node, 1),
        "accumulators": each(record({"layer": text, "worst_case_bits": SIZE, "observed_bits": SIZE})),
    },
    {"golden": record({"images": SIZE, "spikes": named(record({"bits": integer(1, 17), "shape": SHAPE}))})},
)
