"""Runs whose evaluator or cost functions were a caller's: what commands that only have the tool's own say of that."""

from __future__ import annotations

from typing import Any

from dse.errors import ConfigError
from dse.results.run import Run


def own_costs(run: Run) -> str:
    """Which costs of a run a caller's functions computed, as the end of a title; empty as a rule."""
    costs: dict[str, Any] = run.manifest.get("own", {}).get("costs", {})
    said = ", ".join(f"{column} by {cost['name']}" for column, cost in costs.items())
    return f", by the chip's model (results.csv has {said})" if said else ""


def check_own(run: Run, doing: str) -> None:
    """Raises ConfigError where a run was measured or costed by code that only its caller in Python has.

    doing  what is asked for
    """
    own = run.manifest.get("own", {})
    if part := own.get("evaluator") or next(iter(own.get("costs", {}).values()), None):
        raise ConfigError(
            f"{run.path}: was made by dse.search with {part['name']}, which a run directory does not hold; {doing} "
            "would mix two measures: call dse.search again"
        )


def own_evaluator(run: Run) -> str:
    """In a line, that a caller's evaluator measured a run; empty as a rule."""
    evaluator = run.manifest.get("own", {}).get("evaluator")
    return f"{run.path} was measured by {evaluator['name']}; this is the tool's own network" if evaluator else ""
