"""YAML files whose values know their line numbers; also for the configuration files of other packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodels.errors import CostError


def read_yaml(path: Path) -> Any:
    """The plain content of a YAML file whose containers know their lines; no object is constructed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(str(error.problem).split())
        raise CostError(f"{path}:{line}: not valid YAML: {problem}; check indentation and colons") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise CostError(f"{path}: not a readable YAML text file: {str(error).splitlines()[0]}") from None


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
