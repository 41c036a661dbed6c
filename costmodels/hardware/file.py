"""Hardware files: YAML with line numbers in, a checked value or a one-line mistake out."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from costmodels import dataflows, plugins
from costmodels.errors import CostError
from costmodels.hardware.checks import missing_memories
from costmodels.hardware.datapath import FORMS
from costmodels.hardware.quantity import Quantity
from costmodels.hardware.schema import HardwareFile
from costmodels.yaml_file import explained, place, plain, read_yaml, unknown_key


def parse(path: Path) -> HardwareFile:
    """The hardware file at `path`; the first mistake becomes a CostError with file, line, key, value and remedy."""
    mistakes, parsed = check(path)
    if parsed is None:
        raise CostError(mistakes[0])
    return parsed


def check(path: Path) -> tuple[list[str], HardwareFile | None]:
    """All mistakes of the file, one line each, and its content if there are none."""
    if not path.is_file():
        return [f"{path}: no such hardware file; `svit-dse hardware list` shows the shipped ones"], None
    try:
        tree = read_yaml(path)
    except CostError as error:
        return [str(error)], None
    if not isinstance(tree, Mapping):
        return [f"{path}: expected keys such as `node:` and `memories:` at the top level"], None
    try:
        return [], HardwareFile.model_validate(from_folder(plain(tree), path.parent))
    except pydantic.ValidationError as error:
        # unknown keys first: a misspelt key is the cause of a missing one
        found = sorted(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
        return [*(_explain(dict(mistake), tree, path) for mistake in found), *_missing_memories(tree, path)], None


def from_folder(tree: Any, folder: Path) -> Any:
    """The content of a hardware file with the data flows that it names by relative paths as seen from the folder."""

    def seen(name: Any) -> Any:
        if not (isinstance(name, str) and plugins.is_file(name)):
            return name
        file, member = plugins.split(name)
        return plugins.joined((folder / file).absolute(), member)

    knobs = tree.get("knobs")
    if "dataflow" in tree:
        tree = tree | {"dataflow": seen(tree["dataflow"])}
    if isinstance(knobs, Mapping) and isinstance(flows := knobs.get("dataflow"), list):
        tree = tree | {"knobs": {**knobs, "dataflow": [seen(flow) for flow in flows]}}
    return tree


def own_dataflows(path: Path) -> tuple[Path, ...]:
    """The Python files of data flows that a hardware file names, none of them executed.

    Raises CostError for what is no YAML file.
    """
    tree = plain(read_yaml(path))
    if not isinstance(tree, Mapping):
        return ()
    found = from_folder(tree, path.parent)
    knobs = found.get("knobs")
    return python_files((found.get("dataflow"), *((knobs.get("dataflow") or ()) if isinstance(knobs, Mapping) else ())))


def python_files(flows: Iterable[object]) -> tuple[Path, ...]:
    """The Python files among the names of data flows, each once."""
    files = (plugins.split(flow)[0] for flow in flows if isinstance(flow, str) and plugins.is_file(flow))
    return tuple(dict.fromkeys(files))


def _missing_memories(tree: Mapping[str, Any], path: Path) -> list[str]:
    """Memories that the data flow of a file with other mistakes needs as well."""
    dataflow, memories = tree.get("dataflow"), tree.get("memories")
    if dataflow not in dataflows.names() or not isinstance(memories, Mapping):  # one of the user's own is not run here
        return []
    return [f"{place(tree, ['memories'], str(path))}: {said}" for said in missing_memories(dataflow, memories)]


def _explain(mistake: dict[str, Any], tree: Any, path: Path) -> str:
    keys, kind, source = _in_file(mistake["loc"], tree, mistake["type"]), mistake["type"], str(path)
    name = ".".join(str(k) for k in keys)
    if kind == "missing":
        model = _model(keys[:-1], tree)
        remedy = "add it as {value: ..., unit: ..., source: ...}"
        if model is not None and not _is_quantity(model, str(keys[-1])):
            remedy = "add it"
        return f"{place(tree, keys, source)}: {name} is missing; {remedy}"
    if kind == "extra_forbidden":
        model = _model(keys[:-1], tree)
        return unknown_key(keys, list(model.model_fields) if model else [], tree, source)
    if kind == "union_tag_invalid":
        tag = mistake["ctx"]
        name, expected = f"{name}.{tag['discriminator'].strip(chr(39))}", tag["expected_tags"]
        return f"{place(tree, name.split('.'), source)}: {name} is {tag['tag']!r}; expected one of {expected}"
    if kind == "literal_error" and keys and keys[-1] == "unit":
        mistake["msg"] = f"unknown unit; expected {mistake['ctx']['expected']}"
    if kind in ("model_type", "model_attributes_type"):
        mistake["msg"] = "expected a mapping such as {value: 1, unit: ..., source: ...}"
    return explained(mistake, keys, tree, source)


_TAGS = ("integer", "per_operation", *FORMS)
"""Values by which pydantic tells apart the sections that an entry may be."""


def _in_file(loc: Sequence[Any], tree: Any, kind: str) -> list[Any]:
    """The error's path without the tags that pydantic adds for unions."""
    keys: list[Any] = []
    for part in loc:
        if isinstance(tree, Mapping) and part in _TAGS and part not in tree:
            continue
        keys.append(part)
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            tree = None
    return keys


def _model(keys: Sequence[Any], tree: Any) -> type[pydantic.BaseModel] | None:
    """The section of the schema at `keys`; where it may be one of several, the one that the file's tag names."""
    model: type[pydantic.BaseModel] = HardwareFile
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
        field = model.model_fields.get(str(key))
        models = [m for m in _members(field.annotation) if issubclass(m, pydantic.BaseModel)] if field else []
        if not models:
            return None
        tags = {str(value) for value in tree.values()} if isinstance(tree, Mapping) else set()
        model = next((m for m in models if _tag(m) in tags), models[0])
    return model


def _tag(model: type[pydantic.BaseModel]) -> str | None:
    """The value by which a section is told apart from others that may stand in its place."""
    for field in model.model_fields.values():
        if typing.get_origin(field.annotation) is typing.Literal:
            return str(typing.get_args(field.annotation)[0])
    return None


def _members(annotation: Any) -> list[type]:
    """The classes that an annotation allows."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [m for each in typing.get_args(annotation) for m in _members(each)]
    return [annotation] if isinstance(annotation, type) and annotation is not types.NoneType else []


def _is_quantity(model: type[pydantic.BaseModel], key: str) -> bool:
    field = model.model_fields.get(key)
    return field is not None and any(issubclass(m, Quantity) for m in _members(field.annotation))
