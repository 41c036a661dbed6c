"""Reading and writing configuration files; every mistake is one line with its place."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic import BaseModel
from ruamel.yaml import YAML

from costmodels import CostError
from costmodels.yaml_file import explained, line_of, plain, read_yaml, unknown_key
from dse.config.network import Network
from dse.config.schema import Config
from dse.errors import ConfigError

RENAMED = {"graph": "form", "graphs": "forms"}  # keys of earlier versions, and what they are called now


def load_config(path: str | Path) -> Config:
    """The configuration in a YAML file.

    Raises ConfigError with file, line, key, value and remedy on one line.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; `svit-dse init {path}` writes a commented one")
    try:
        tree = read_yaml(path)
    except CostError as error:
        raise ConfigError(str(error)) from None
    if tree is None:
        raise ConfigError(f"{path}: is empty; `svit-dse init {path.stem}-new.yaml` writes a commented configuration")
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{path}: expected keys such as `checkpoint:` and `data:` at the top level")
    return parse_config(tree, str(path))


def parse_config(tree: Mapping[str, Any], source: str = "configuration") -> Config:
    """A configuration from nested mappings; the first mistake becomes a ConfigError."""
    try:
        return Config.model_validate(plain(tree))
    except pydantic.ValidationError as error:
        raise ConfigError(_explain(error, tree, source)) from None


def located(message: str, path: Path, replaced: Collection[str] = ()) -> str:
    """A mistake that only shows when a configuration is used, with file, line and key where the file states it.

    message   begins with a key, or names the value of one of the keys that choose something by name
    path      the configuration's file
    replaced  top-level keys that the file does not decide, as the command line does
    """
    if message.startswith(str(path)):
        return message
    tree = read_yaml(path) or {}
    first = re.split(r"[\s:]", message, maxsplit=1)[0]
    if line := _line_of(tree, first):
        return f"{path}:{line}: {message}"
    for key in ("hardware", "network.file", "network.name", "network", "checkpoint", "data.name"):
        if key.split(".")[0] in replaced:
            continue
        line, value = _line_of(tree, key), _value(tree, key)
        if line and value and str(value) in message:
            return f"{path}:{line}: {key}: {message}"
    return message


def _line_of(tree: Any, key: str) -> int | None:
    return line_of(tree, list(key.split("."))) if _value(tree, key) is not None else None


def _value(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def _explain(error: pydantic.ValidationError, tree: Mapping[str, Any], source: str) -> str:
    first = error.errors()[0]
    keys = list(first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_key(keys, _known_keys(keys[:-1]), tree, source, RENAMED.get(str(keys[-1])))
    return explained(dict(first), keys, tree, source)


def _known_keys(path: list[Any]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def dump_config(config: Config, *, as_given: bool = False) -> str:
    """The configuration as YAML text; `load_config` reads it back to an equal value.

    config    the configuration
    as_given  what was left out stays out, as some defaults depend on the network; else every key has its value
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares None; False keeps our order
    stream = io.StringIO()
    yaml.dump(config.model_dump(mode="json", exclude_unset=as_given), stream)
    return stream.getvalue()


def template() -> str:
    """A commented configuration with every key at its default."""
    lines = ["# Configuration of svit-dse. Every key is optional; the value shown is its default."]
    _template(Config(), lines, "")
    return "\n".join(lines) + "\n"


def _template(section: BaseModel, lines: list[str], indent: str) -> None:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel) and not isinstance(value, Network):
            lines += ["", f"{indent}# {type(value).__doc__}", f"{indent}{name}:"]
            _template(value, lines, indent + "  ")
            continue
        plain = section.model_dump(mode="json")[name]
        lines.append(f"{indent}{name}:{_scalar(plain)}  # {field.description}")


def _scalar(value: Any) -> str:
    """A value on one line; JSON is a subset of YAML, plain words need no quotes."""
    if value is None:
        return ""
    if isinstance(value, str) and value.replace("_", "").isalnum() and not value.isdigit():
        return " " + value
    return " " + json.dumps(value)
