"""Reading a JSON file of a run directory entry by entry, each with the type that it must have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from reports.errors import ReportError
from reports.run.tables import missing


class Entry:
    """A mapping somewhere in a JSON file; what is missing or of another type is a ReportError that names it."""

    def __init__(self, path: Path, tree: object, where: str = "") -> None:
        if not isinstance(tree, dict):
            raise ReportError(f"{path}: {where or 'the file'} is not a mapping; was it written by another version?")
        self._path, self._tree, self._where = path, tree, where

    def __contains__(self, key: str) -> bool:
        return self._tree.get(key) is not None

    def need(self, *keys: str) -> None:
        """Raise the error for the first of `keys` that is missing."""
        for key in keys:
            self._get(key, None)

    def __iter__(self) -> Iterator[str]:
        """The keys in the order of the file."""
        return iter(self._tree)

    def text(self, key: str, default: str | None = None) -> str:
        """The text of an entry; a number is written as text."""
        value = self._get(key, default)
        return value if isinstance(value, str) else str(value)

    def number(self, key: str, default: float | None = None) -> float:
        """The number of an entry."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        return float(value)

    def numbers(self) -> dict[str, float]:
        """Every entry that is a number."""
        return {k: float(v) for k, v in self._tree.items() if isinstance(v, int | float) and not isinstance(v, bool)}

    def flag(self, key: str) -> bool:
        """Whether an entry is true; False where it is missing."""
        return bool(self._tree.get(key))

    def entry(self, key: str) -> Entry:
        """The mapping of an entry."""
        return Entry(self._path, self._get(key, None), self._name(key))

    def optional(self, key: str) -> Entry | None:
        """The mapping of an entry; None where it is missing or empty."""
        return self.entry(key) if self._tree.get(key) else None

    def entries(self, key: str) -> Iterator[Entry]:
        """The mappings of a list, which may be missing."""
        for n, part in enumerate(self._list(key)):
            yield Entry(self._path, part, f"{self._name(key)}[{n}]")

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list, which may be missing."""
        return tuple(str(part) for part in self._list(key))

    def wrong(self, key: str, expected: str) -> ReportError:
        """The error for an entry that is not what it should be."""
        return ReportError(f"{self._path}: {self._name(key)} is {self._tree.get(key)!r}; expected {expected}")

    def _list(self, key: str) -> list[object]:
        value = self._tree.get(key) or []
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _get(self, key: str, default: object) -> object:
        value = self._tree.get(key)
        if value is None:
            value = default
        if value is None:
            raise ReportError(
                f"{self._path}: has no {self._name(key)!r}; was it written by another version of svit-dse?"
            )
        return value


def read_json(path: Path) -> Entry:
    """The mapping in a JSON file; raises ReportError when it is missing or none."""
    if not path.is_file():
        raise missing(path)
    try:
        return Entry(path, json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise ReportError(f"{path}: line {error.lineno} is no JSON ({error.msg}); repeat the search") from None
    except RecursionError:
        raise ReportError(f"{path}: is nested deeper than any file of a run; repeat the search") from None
    except UnicodeDecodeError:
        raise ReportError(f"{path}: is not a text; repeat the search") from None
