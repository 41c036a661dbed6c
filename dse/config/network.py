"""Which network a configuration names: the checkpoint's own, one of the zoo, or the user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

DEFAULT = "build"


def named(reference: str) -> dict[str, Any]:
    """The keys that NAME, FILE.py or FILE.py:FUNCTION stands for."""
    if ".py:" in reference:
        file, _, build = reference.rpartition(":")
        return {"file": file, "build": build}
    return {"file": reference} if reference.endswith(".py") else {"name": reference}


class Network(BaseModel):
    """A name of the zoo, or a Python file and its function; in short NAME or FILE.py:FUNCTION."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str | None = Field(None, description="a name of the zoo; empty: the one that the checkpoint names")
    file: str | None = Field(None, description="a Python file of your own; its code is executed")
    build: str = Field(DEFAULT, description="the function of the file that returns the network")
    options: dict[str, Any] = Field(
        default_factory=dict, description="arguments of the function, or of the zoo's build"
    )
    time_steps: int | None = Field(
        None,
        ge=1,
        description="time steps of a network that is called once per step; empty: it runs all steps in one call",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, given: Any) -> Any:
        """The long form of a name or of FILE.py:FUNCTION."""
        if given is None:
            return {}
        return named(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of_both(self) -> Network:
        if self.name is not None and self.file is not None:
            raise ValueError("has both name and file; keep one of them")
        if self.name is None and self.file is None and (self.options or self.time_steps):
            raise ValueError("has options, but neither name nor file")
        return self

    @model_serializer
    def _shortest(self) -> str | dict[str, Any] | None:
        """The short form where nothing else is given: a file that was written before names no more than that."""
        given: Mapping[str, Any] = {
            "name": self.name,
            "file": self.file,
            "build": self.build if self.file is not None else None,
            "options": dict(self.options) or None,
            "time_steps": self.time_steps,
        }
        kept = {key: value for key, value in given.items() if value is not None}
        return self.name if kept.keys() <= {"name"} else kept

    @property
    def reference(self) -> str | None:
        """The name, or FILE.py:FUNCTION; None where the checkpoint says which network it is."""
        return f"{self.file}:{self.build}" if self.file is not None else self.name
