"""Hypothesis strategies that damage valid text as people, editors and disks do."""

from __future__ import annotations

import copy
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

# what YAML, CSV and number parsers read differently from what a person means
VALUES = (
    *("", "~", "null", "true", "-1", "0", "1e999", "-0.0", "1e-400", ".nan", "nan", "inf", "-.inf", "1_000", "0x10"),
    *("99999999999999999999999", "0o17", "1:30", "2001-01-01", "[]", "{}", "[1, 2]", "{a: 1}", "*anchor", "&anchor x"),
    *(
        "'",
        '"',
        "- x",
        "? y",
        "---",
        "...",
        "|",
        "%",
        "\t",
        "10 GB",
        "-3 kB",
        "../../etc/passwd",
        "<b>",
        "=1+1",
        "a" * 999,
    ),
    *("!!python/object/apply:os.system ['true']", "!!binary aGk=", "\u2028", "\ufeff", "\x00", "é", "a" * 999),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
WORD = re.compile(r"[A-Za-z_]{3,}")

Draw = Callable[[st.SearchStrategy], object]


def write(path: Path, text: str) -> Path:
    """The path, which now holds the text, lone surrogates too, which UTF-8 does not allow."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def _replaced(draw: Draw, text: str, pattern: re.Pattern[str]) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    at = found[draw(st.integers(0, len(found) - 1))]
    return text[: at.start()] + draw(st.sampled_from(VALUES)) + text[at.end() :]


def _lines_changed(draw: Draw, text: str, kind: str) -> str:
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    if kind == "line gone":
        del lines[at]
    elif kind == "line twice":
        lines.insert(at, lines[at])
    elif kind == "indented":
        lines[at] = " " * draw(st.integers(0, 8)) + lines[at].lstrip()
    return "\n".join(lines)


@st.composite
def damaged_text(draw: Draw, originals: Sequence[str]) -> str:
    """One of some texts with one to three changes."""
    text = draw(st.sampled_from(originals))
    kinds = ("number", "word", "cut", "inserted", "line gone", "line twice", "indented")
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
        if kind in ("number", "word"):
            text = _replaced(draw, text, NUMBER if kind == "number" else WORD)
        elif kind in ("cut", "inserted"):
            at = draw(st.integers(0, len(text)))
            text = text[:at] + (draw(st.sampled_from(VALUES)) + text[at:] if kind == "inserted" else "")
        else:
            text = _lines_changed(draw, text, kind)
    return text


@st.composite
def damaged_table(draw: Draw, originals: Sequence[str]) -> str:
    """One of some CSV texts with cells replaced, a column lost or renamed, or damaged as text."""
    text = draw(st.sampled_from(originals))
    kind = draw(st.sampled_from(("cell", "cell", "cell", "column gone", "column renamed", "empty", "text")))
    if kind == "text":
        return draw(damaged_text([text]))
    rows = [line.split(",") for line in text.rstrip("\n").split("\n")]
    column = draw(st.integers(0, len(rows[0]) - 1))
    if kind == "cell":
        rows[draw(st.integers(min(1, len(rows) - 1), len(rows) - 1))][column] = draw(st.sampled_from(VALUES))
    elif kind == "column gone":
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif kind == "column renamed":
        rows[0][column] = draw(st.sampled_from((*VALUES, *rows[0])))
    else:
        rows = rows[: draw(st.integers(0, 1))]
    return "".join(",".join(row) + "\n" for row in rows)


LENGTHS = (0, 1, 2, 10**6, 2**31, 2**63, 2**64 - 1)  # what a length in a header may be damaged to
HEAD = 600  # bytes at the start, where formats keep what they announce


def _bytes_changed(draw: Draw, content: bytes, kind: str) -> bytes:
    most = draw(st.sampled_from((len(content), min(len(content), HEAD))))
    at = draw(st.integers(0, most - 1))
    if kind == "bit":
        return content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :]
    if kind == "gone":
        return content[:at] + content[at + draw(st.sampled_from((1, 2, 8, 1000))) :]
    if kind == "inserted":
        return content[:at] + draw(st.binary(min_size=1, max_size=64)) + content[at:]
    if kind == "length":
        return content[:at] + struct.pack("<Q", draw(st.sampled_from(LENGTHS))) + content[at + 8 :]
    return content[:at]  # cut


@st.composite
def damaged_bytes(draw: Draw, original: bytes) -> bytes:
    """The content of a binary file with one to three changes."""
    for kind in draw(st.lists(st.sampled_from(("bit", "gone", "inserted", "length", "cut")), min_size=1, max_size=3)):
        if original:
            original = _bytes_changed(draw, original, kind)
    return original


SUBTREES = (None, True, 0, 1, -1, 2**31, 2**64, 1e308, float("nan"), "", "x", "../../x", [], {}, [1], {"a": 1}, [[]])
MOST = 40  # items of a list that may change


def _places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places inside a tree of dicts and lists, as keys from its root."""
    if place:
        yield place
    keys = tree if isinstance(tree, dict) else range(min(len(tree), MOST)) if isinstance(tree, list) else ()
    for key in keys:
        yield from _places(tree[key], (*place, key))


@st.composite
def damaged_tree(draw: Draw, original: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of JSON values with one or two nodes that are gone, replaced or under another name."""
    tree = copy.deepcopy(dict(original))
    for kind in draw(st.lists(st.sampled_from(("gone", "replaced", "replaced", "renamed")), min_size=1, max_size=2)):
        depth = draw(st.integers(1, 5))
        places = [place for place in _places(tree) if len(place) <= depth]
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        node: Any = tree
        for key in way:
            node = node[key]
        if kind == "replaced":
            node[last] = copy.deepcopy(draw(st.sampled_from(SUBTREES)))
            continue
        value = node.pop(last)
        if kind == "renamed" and isinstance(node, dict):
            node[draw(st.sampled_from(("x", "", f"{last}x")))] = value
    return tree
