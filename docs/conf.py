"""The documentation as a site: `make docs` builds the pages of this folder and the docstrings, without a network."""

from __future__ import annotations

import re
from typing import Any

import dse

project = "svit-dse"
release = dse.version()
html_title = "svit-dse"
root_doc = "index"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "README.md"]
html_theme = "alabaster"
html_theme_options = {"description": "Bits per layer of Spiking Vision Transformers", "fixed_sidebar": True}
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
myst_heading_anchors = 4
nitpicky = False  # docstrings name types in words, not as roles
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
maximum_signature_line_length = 100

_CODE = re.compile(r"(`[^`]+`)")
_ENTRY = re.compile(r"^(\S+(?:, \S+)*)  +(\S.*)$")


def readable(lines: list[str]) -> list[str]:
    """The lines of a docstring, written as plain text, as reStructuredText.

    Spans in backticks become code, a block of `name  what it is` a list of definitions, any other indented block code.
    """
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    made: list[str] = []
    for block in blocks:
        made += [*_block(block.splitlines()), ""]
    return made


def _block(lines: list[str]) -> list[str]:
    if not lines:
        return []
    if _ENTRY.match(lines[0]):
        return [part for line in lines for part in _definition(line)]
    if lines[0].startswith("    "):
        return ["::", "", *lines]
    return [_escaped(line.strip()) for line in lines]


def _definition(line: str) -> list[str]:
    found = _ENTRY.match(line)
    if found is None:
        return [f"    {_escaped(line.strip())}"]
    return [f"``{found[1].strip('`')}``", f"    {_escaped(found[2])}"]


def _escaped(text: str) -> str:
    """Text in which only code spans mean anything."""
    parts = _CODE.split(text)
    plain = [re.sub(r"([\\*|_])", r"\\\1", part) if i % 2 == 0 else f"`{part}`" for i, part in enumerate(parts)]
    return "".join(plain)


def _docstring(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    lines[:] = readable(lines)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _docstring)
