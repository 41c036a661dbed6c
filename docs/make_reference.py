"""The pages docs/reference/config.md and cli.md, made from the schema and the commands themselves.

python docs/make_reference.py docs/reference
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from dse import strategies
from dse.config.quantities import QUANTITIES
from dse.config.schema import Config

_MADE = "<!-- Made by `python docs/make_reference.py docs/reference`; a test keeps it equal to the code. -->"

EXITS = (
    (0, "done"),
    (1, "a failure that is not the user's, such as a full disk; a traceback is a bug: please report it"),
    (2, "a mistake in an argument or a file: one line on stderr says where and what would do; nothing is half-written"),
    (130, "interrupted with Ctrl-C; the same `search` command goes on where it stopped"),
)


def config_page() -> str:
    """Every key of a configuration file with its type, default and meaning, as Markdown."""
    lines = [
        "# Configuration keys",
        _MADE,
        "",
        "`svit-dse init my.yaml` writes a file with every key at its default and the same words as comments. Every key",
        "is optional, unknown keys are errors. `svit-dse check my.yaml` says what the file means before anything long",
        "starts.",
        "",
        "## Top level",
        "",
        *_table(Config),
    ]
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"## `{name}`", "", str(section.__doc__), "", *_table(section)]
    lines += ["", "## `budgets`", "", "Limits that make a design feasible. A number alone is in the unit of the table."]
    lines += ["", "| key | limits | unit | for example |", "|---|---|---|---|"]
    lines += [f"| `{b.key}` | `{b.column}` of results.csv | {b.unit} | `{b.example}` |" for b in QUANTITIES]
    lines += ["", "## `search.strategy` and `search.options`", ""]
    for name in strategies.names():
        lines += [f"- `{name}`: {strategies.summary(name)}"]
        for key, option in strategies.option_table(name).items():
            lines += [f"    - `{key}` = `{json.dumps(option.default)}`: {option.meaning}{_limits(option)}"]
    return "\n".join(lines) + "\n"


def _limits(option: Any) -> str:
    if option.choices:
        return f" ({', '.join(map(str, option.choices))})"
    low = "" if option.low is None else f"at least {option.low:g}"
    high = "" if option.high is None else f"at most {option.high:g}"
    both = ", ".join(filter(None, (low, high)))
    return f" ({both})" if both else ""


def _table(section: type[BaseModel]) -> Iterator[str]:
    schema = section.model_json_schema()
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    given = section()
    defaults = {name: to_jsonable_python(getattr(given, name)) for name in section.model_fields}
    for name, field in section.model_fields.items():
        if "$ref" in str(schema["properties"][name]) and "anyOf" not in schema["properties"][name]:
            continue
        kind = _kind(schema["properties"][name])
        default = "" if defaults[name] is None else f"`{json.dumps(defaults[name])}`"
        yield f"| `{name}` | {kind} | {default} | {field.description} |"


def _kind(entry: dict[str, Any]) -> str:
    """The type in words: `whole number, at least 1`."""
    if "anyOf" in entry:
        kinds = [_kind(part) for part in entry["anyOf"] if part.get("type") != "null"]
        return f"{' or '.join(kinds)}, or empty"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if entry.get("type") == "array":
        return "list"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "object": "mapping",
        "boolean": "yes or no",
    }
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    parts = [words[entry["type"]], *(f"{word} {entry[key]:g}" for key, word in limits.items() if key in entry)]
    return ", ".join(parts)


def cli_page() -> str:
    """Every command with its example and options, and the exit statuses, as Markdown."""
    lines = [
        "# Command line",
        _MADE,
        "",
        "Results go to stdout, progress and mistakes to stderr. `--json` prints the whole table for scripts; tables",
        "without it fit 80 columns, and colours appear on a terminal only (never with `NO_COLOR`).",
        "`svit-dse --install-completion` installs completion of commands and options in your shell.",
        "",
        "| exit status | meaning |",
        "|---|---|",
        *(f"| {status} | {meaning} |" for status, meaning in EXITS),
    ]
    for words, command in commands():
        lines += ["", f"## `svit-dse {' '.join(words)}`", "", " ".join(str(command.help).split()), ""]
        example = str(command.epilog).removeprefix("Example: ")
        lines += ["```", f"$ {example}", "```", ""]
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [f"| {_spelling(option)} | {_default(option)} | {option.help} |" for option in command.params]
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands in the order of `svit-dse --help`, as their words and the parsed command."""
    import typer.main

    from dse.cli import app

    tree: Any = typer.main.get_command(app)
    for name, command in tree.commands.items():
        inner = getattr(command, "commands", None)
        if inner:
            yield from (((name, each), command.commands[each]) for each in inner)
        else:
            yield (name,), command


def _spelling(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{option.name.upper()}`"
    flags = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{flag}`" for flag in flags)


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.default is None or option.default is False or option.default == ():
        return ""
    return f"`{option.default}`" if option.default is not True else "yes"


def main(folder: str) -> None:
    """Write both pages into a folder."""
    for name, text in (("config.md", config_page()), ("cli.md", cli_page())):
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
