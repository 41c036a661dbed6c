"""The one HTML file: style, script, plotly, numbers and sections, nothing from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from reports.page.html import Drawing


@dataclass(frozen=True)
class Part:
    """A section on the page."""

    name: str
    title: str
    drawing: Drawing


def page(title: str, parts: Sequence[Part], numbers: Mapping[str, Any]) -> str:
    """The page as text."""
    import jinja2

    loader = jinja2.PackageLoader("reports", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    plots = {name: plot for part in parts for name, plot in part.drawing.plots.items()}
    return environment.get_template("page.html").render(
        title=title,
        parts=parts,
        banner=numbers.get("banner", ""),
        created=str(numbers.get("created") or "")[:10],
        tool=numbers["tool"],
        numbers=embedded(numbers),
        plots=embedded(plots),
        plotly=Markup(script_text(_template("plotly/plotly-cartesian.min.js"))),
        style=Markup(_template("style.css")),
        script=Markup(_template("app.js")),
    )


def _template(name: str) -> str:
    return (files("reports") / "templates" / name).read_text(encoding="utf-8")


def script_text(code: str) -> str:
    """A script that may stand in a page: control characters, which HTML forbids, become escapes of the same string."""
    return re.sub(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", lambda m: f"\\x{ord(m.group()):02x}", code).replace(
        "</script", "<\\/script"
    )


def embedded(tree: Any) -> Markup:
    """JSON that may stand inside a script element: no tag can end it."""
    text = json.dumps(tree, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
