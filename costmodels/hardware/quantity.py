"""Numbers of a hardware file: a value with unit, source and range, one class per dimension."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from costmodels.hardware.units import to_si, usual

NonEmpty = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of a hardware file: unknown keys are errors and values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Quantity(Section):
    """A number with its unit and the place it was read in; a choice of the designer has the source `design choice`."""

    dimension: ClassVar[str] = "1"
    value: float = Field(ge=0, allow_inf_nan=False)
    unit: str  # which ones, each dimension says
    source: NonEmpty
    low: float | None = Field(None, ge=0, allow_inf_nan=False)
    high: float | None = Field(None, ge=0, allow_inf_nan=False)

    @field_validator("unit", mode="before")
    @classmethod
    def _spelled(cls, unit: object) -> object:
        return usual(unit) if isinstance(unit, str) else unit

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if self.low is not None and self.low > self.value:
            raise ValueError(f"low {self.low:g} is above value {self.value:g}; expected low <= value <= high")
        if self.high is not None and self.high < self.value:
            raise ValueError(f"high {self.high:g} is below value {self.value:g}; expected low <= value <= high")
        return self

    @property
    def si(self) -> float:
        """The value in J, s, W, bit, 1/s, mm2, nm or K."""
        return to_si(self.value, self.unit, self.dimension)


class Energy(Quantity):
    """An energy per event."""

    dimension = "J"
    unit: Literal["fJ", "pJ", "nJ", "uJ", "mJ", "J"]


class EnergyPerBit(Quantity):
    """An energy per bit."""

    dimension = "J/bit"
    unit: Literal["fJ/bit", "pJ/bit", "nJ/bit"]


class EnergyPerBit2(Quantity):
    """An energy per product of two widths, for multipliers."""

    dimension = "J/bit2"
    unit: Literal["fJ/bit2", "pJ/bit2"]


class EnergyPerLength(Quantity):
    """An energy per bit and length of wire."""

    dimension = "J/bit/mm"
    unit: Literal["fJ/bit/um", "pJ/bit/mm"]


class EnergyPerArea(Quantity):
    """An energy per cycle and area."""

    dimension = "J/mm2"
    unit: Literal["pJ/mm2"]


class Power(Quantity):
    """A power."""

    dimension = "W"
    unit: Literal["nW", "uW", "mW", "W"]


class Time(Quantity):
    """A duration."""

    dimension = "s"
    unit: Literal["ps", "ns", "us", "ms", "s"]


class Rate(Quantity):
    """A frequency, above zero."""

    dimension = "1/s"
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["1/s", "Hz", "kHz", "MHz", "GHz"]


class Bandwidth(Quantity):
    """Bits per time, above zero."""

    dimension = "bit/s"
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["bit/s", "Gbit/s", "MB/s", "GB/s"]


class Size(Quantity):
    """A memory size, above zero."""

    dimension = "bit"
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["bit", "B", "kB", "MB", "KiB", "MiB", "GiB"]


class Width(Quantity):
    """A whole number of bits, at least one."""

    dimension = "bit"
    value: float = Field(ge=1, le=1024, multiple_of=1)
    unit: Literal["bit"]


class Count(Quantity):
    """A whole number, at least one."""

    value: float = Field(ge=1, multiple_of=1, allow_inf_nan=False)
    unit: Literal["1"]


class Factor(Quantity):
    """A number without unit."""

    unit: Literal["1"]


class Area(Quantity):
    """A silicon area."""

    dimension = "mm2"
    unit: Literal["um2", "mm2"]


class Voltage(Quantity):
    """A voltage, above zero."""

    dimension = "V"
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["mV", "V"]


class Node(Quantity):
    """A technology node."""

    dimension = "nm"
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["nm"]


class Temperature(Quantity):
    """A junction temperature."""

    dimension = "K"
    value: float = Field(ge=300, le=350)
    unit: Literal["K"]
