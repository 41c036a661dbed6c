"""The forms of a datapath as sections of a hardware file: what each must state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from costmodels.errors import CostError
from costmodels.hardware.quantity import Count, Section, Width
from costmodels.widths import FLOAT


class Ideal(Section):
    """Units of every width: energy follows the widths of both operands."""

    form: Literal["ideal"]


class Fixed(Section):
    """Units of one width: narrower operands save nothing but storage and fetches."""

    form: Literal["fixed"]
    weight_bits: Width = Field(description="width of the unit's weight operand")
    input_bits: Width = Field(description="width of the unit's input operand")


class BitSerial(Section):
    """One weight bit per cycle: time and energy are proportional to the width of the weight."""

    form: Literal["bit_serial"]
    lanes: Count = Field(description="inputs that a tree adds before the sum of one weight bit is written")


class Decomposable(Section):
    """A unit that splits into halves and quarters for narrow operands."""

    form: Literal["decomposable"]
    weight_bits: Width = Field(description="width of the whole unit's weight operand")
    input_bits: Width = Field(description="width of the whole unit's input operand")
    smallest_bits: Width = Field(description="narrowest weight after splitting the unit: a half, a quarter, ... of it")

    @model_validator(mode="after")
    def _halves(self) -> Decomposable:
        whole, least = self.weight_bits.value, self.smallest_bits.value
        halvings = math.log2(whole / least)
        if halvings < 0 or halvings % 1:
            raise ValueError(f"smallest_bits is {least:g}; expected {whole:g}, its half, its quarter, ...")
        return self


DatapathSection = Annotated[Ideal | Fixed | BitSerial | Decomposable, Field(discriminator="form")]
FORMS = ("ideal", "fixed", "bit_serial", "decomposable")


def check_widths(unit: Ideal | Fixed | BitSerial | Decomposable | None, weight_widths: Sequence[int]) -> None:
    """Raise CostError, beginning with the key, for weight widths [bit] that the datapath cannot run."""
    if not isinstance(unit, Fixed | Decomposable):
        return
    widest = max((bits for bits in weight_widths if bits < FLOAT), default=0)
    if widest > unit.weight_bits.value:
        wide = f"{unit.weight_bits.value:g}-bit"
        remedy = "leave the width out or give the unit more bits (compute.datapath.weight_bits)"
        raise CostError(f"weight_widths: {widest} cannot run on the {unit.form} datapath with {wide} weights; {remedy}")
