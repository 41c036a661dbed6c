"""YAML files whose values know their line numbers; also for the configuration files of other packages."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodels.errors import CostError

# far beyond any file that a person writes for this tool
MOST_BYTES, MOST_DEPTH, MOST_NODES, MOST_DIGITS = 4_000_000, 40, 200_000, 300


def read_yaml(path: Path) -> Any:
    """The plain content of a YAML file whose containers know their lines; no object is constructed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        if path.stat().st_size > MOST_BYTES:
            raise CostError(f"{path}: has more than {MOST_BYTES:,} bytes; no file of this tool is that long")
        text = path.read_text(encoding="utf-8")
        yaml = YAML(typ="rt")
        yaml.Parser = _checked_parser(path)
        return yaml.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(str(error.problem).split())
        raise CostError(f"{path}:{line}: not valid YAML: {problem}; check indentation and colons") from None
    except TypeError:
        raise CostError(f"{path}: a list or a mapping stands where a key belongs; keys are words") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise CostError(f"{path}: not a readable YAML text file: {str(error).splitlines()[0]}") from None


class _Size:
    """Counts the events of a file; raises CostError for what is nested, repeated by aliases or long beyond all use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}  # nodes below an anchor, with its aliases written out
        self.open_nodes: list[tuple[str | None, int]] = []
        self.total = 0

    def add(self, event: Any) -> None:
        """One more event, before a node is made of it."""
        from ruamel.yaml import events

        if isinstance(event, events.AliasEvent):
            self.total += self.sizes.get(event.anchor, 1)
        elif isinstance(event, events.CollectionStartEvent):
            self.open_nodes.append((event.anchor, self.total))
            self.total += 1
        elif isinstance(event, events.CollectionEndEvent):
            anchor, before = self.open_nodes.pop()
            if anchor is not None:
                self.sizes[anchor] = self.total - before
        elif isinstance(event, events.ScalarEvent):
            self.total += 1
            if event.value.lstrip("+-").isdigit() and len(event.value) > MOST_DIGITS:
                self._refuse(event, f"a number of {len(event.value)} digits; no key takes one that long")
        if len(self.open_nodes) > MOST_DEPTH:
            self._refuse(event, f"nested deeper than {MOST_DEPTH} levels; no key takes that")
        if self.total > MOST_NODES:
            self._refuse(event, f"more than {MOST_NODES:,} values, with its aliases written out")

    def _refuse(self, event: Any, why: str) -> None:
        raise CostError(f"{self.path}:{event.start_mark.line + 1}: {why}")


def _checked_parser(path: Path) -> type:
    """ruamel's parser with `_Size`, so that a file is scanned once and refused before anything is built."""
    from ruamel.yaml.parser import RoundTripParser

    size = _Size(path)

    class Checked(RoundTripParser):
        def get_event(self) -> Any:
            event = super().get_event()
            size.add(event)
            return event

    return Checked


def plain(tree: Any) -> Any:
    """Round-trip containers to plain ones."""
    if isinstance(tree, Mapping):
        return {str(k): plain(v) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(v) for v in tree]
    if isinstance(tree, bool) or tree is None:
        return tree
    for kind in (int, float, str):  # ruamel's round-trip numbers and strings are subclasses
        if isinstance(tree, kind):
            return kind(tree)
    return tree


def line_of(tree: Any, keys: Sequence[Any]) -> int | None:
    """The line, from 1, where the value at `keys` begins, or of its nearest parent that exists."""
    line = None
    for key in keys:
        lines = getattr(tree, "lc", None)
        try:
            if lines is not None:
                line = (lines.key(key) if isinstance(tree, Mapping) else lines.item(key))[0] + 1
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            break
    return line


def explained(mistake: Mapping[str, Any], keys: Sequence[Any], tree: Any, source: str) -> str:
    """A mistake that pydantic found as one line with file, line, key, value and what was expected.

    mistake: one of the `errors()` of a ValidationError; keys: where in the tree it is; tree: the file's content;
    source: the file.
    """
    name, value = ".".join(map(str, keys)), mistake["input"]
    message = mistake["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "expected").replace("Input tag", "tag")
    if mistake["type"] in ("tuple_type", "list_type"):
        message = f"expected a list, such as [{value}]"
    if not keys or message.startswith(f"{name}."):  # a check of a whole section names the key itself
        return f"{place(tree, keys or message.split()[0].split('.'), source)}: {message}"
    shown = ":" if isinstance(value, Mapping) else f" is {value!r};"
    return f"{place(tree, keys, source)}: {name}{shown} {message[0].lower() + message[1:]}"


def unknown_key(keys: Sequence[Any], known: Sequence[str], tree: Any, source: str, meant: str | None = None) -> str:
    """The line for a key that does not exist: the one of `known` that is meant, or all of them.

    meant: what the key is called now, where it had another name.
    """
    close = difflib.get_close_matches(meant or str(keys[-1]), known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys are {', '.join(known)}"
    return f"{place(tree, keys, source)}: unknown key {'.'.join(map(str, keys))}; {hint}"


def meant(name: str, known: Sequence[str]) -> str:
    """What a name that nothing has may have meant, or what there is, for the end of a message."""
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"


def place(tree: Any, keys: Sequence[Any], source: str) -> str:
    """`file:line` of the value at `keys`, or the file alone where the tree knows no lines."""
    line = line_of(tree, keys)
    return f"{source}:{line}" if line else source
