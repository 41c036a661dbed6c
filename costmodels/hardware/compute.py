"""How a chip computes, as sections of a hardware file: integer units that follow widths, or stated energies."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from costmodels.hardware.datapath import DatapathSection
from costmodels.hardware.quantity import Count, Energy, EnergyPerBit, EnergyPerBit2, Factor, NonEmpty, Section, Width

Levels = Annotated[
    Literal["additions", "multiplication"],
    Field(description="how an input of a few integer levels is computed: k additions, or one product; absent: product"),
]

ZeroWeights = Annotated[
    Literal["added", "skipped"],
    Field(description="whether operations with zero weights are done (added) or skipped; absent: added"),
]


AttentionZeros = Annotated[
    Literal["added", "skipped"],
    Field(description="zeros of the other operand of attention; absent: skipped, pairs of spikes only"),
]


class IntegerCompute(Section):
    """Adders and multipliers whose energy follows the operand widths, from one of the shipped op-energy tables."""

    style: Literal["integer"]
    table: NonEmpty = Field(description="a table of costmodels/data/op_energy.csv, scaled to the chip's node")
    accumulator: Literal["grown", "fixed"] = Field(
        description="grown: adders as wide as the sum needs, at most accumulator_bits; fixed: always accumulator_bits"
    )
    accumulator_bits: Width
    datapath: DatapathSection | None = Field(None, description="how much narrow operands save; absent: ideal")
    levels: Levels | None = None
    zero_weights: ZeroWeights | None = None
    attention_zeros: AttentionZeros | None = None
    reduction_inputs: Count | None = Field(
        None, description="products that an adder tree sums before they reach a register, a power of two; absent: 1"
    )
    control_factor: Factor | None = Field(
        None, description="energy of compute with control, divided by that of compute alone"
    )
    control_per_operation: Energy | None = Field(None, description="control energy of one operation of any width")
    add_per_bit: EnergyPerBit | None = Field(None, description="instead of the table's value")
    multiply_per_bit2: EnergyPerBit2 | None = Field(None, description="instead of the table's value")
    multiply_per_bit: EnergyPerBit | None = Field(None, description="instead of the table's value")
    float_add: Energy | None = Field(None, description="instead of the table's value")
    float_multiply: Energy | None = Field(None, description="instead of the table's value")
    register_per_bit: EnergyPerBit | None = Field(None, description="instead of the table's value")

    @model_validator(mode="after")
    def _whole_tree(self) -> IntegerCompute:
        if self.reduction_inputs is not None and math.log2(self.reduction_inputs.value) % 1:
            raise ValueError(f"reduction_inputs is {self.reduction_inputs.value:g}; expected a power of two")
        return self

    @model_validator(mode="after")
    def _one_control(self) -> IntegerCompute:
        if (self.control_factor is None) == (self.control_per_operation is None):
            raise ValueError("expected exactly one of control_factor and control_per_operation")
        if self.control_factor is not None and self.control_factor.value < 1:
            raise ValueError(f"control_factor is {self.control_factor.value:g}; expected at least 1 (1: no control)")
        return self


class PerOperationCompute(Section):
    """One energy per synaptic operation whatever the widths, as chip papers print it."""

    style: Literal["per_operation"]
    accumulate: Energy
    accumulate_convolution: Energy | None = Field(None, description="instead of accumulate, in convolutions")
    multiply_accumulate: Energy
    accumulator_bits: Width
    levels: Levels | None = None
    zero_weights: ZeroWeights | None = None
    attention_zeros: AttentionZeros | None = None
