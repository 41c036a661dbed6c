"""The supply voltage as a section of a hardware file, and the clock that it allows."""

from __future__ import annotations

from pydantic import Field, model_validator

from costmodels.hardware.quantity import Factor, Rate, Section, Voltage

ALPHA = 1.3
"""Exponent of the alpha-power law of delay (Sakurai & Newton, IEEE JSSC 1990)."""


class Supply(Section):
    """The supply voltage, and the nominal one at which the energies of the file and of the tables hold."""

    voltage: Voltage
    nominal: Voltage = Field(
        description="voltage at which all energies and leakages of the file and of the tables hold"
    )
    least: Voltage = Field(description="lowest voltage at which the chip works")
    most: Voltage
    memory_least: Voltage | None = Field(
        None, description="lowest supply of the memories, if that of the logic is lower"
    )
    leakage_exponent: Factor = Field(description="exponent of the supply voltage in the leakage power")
    threshold: Voltage = Field(description="threshold voltage of the transistors, which limits the clock")
    fastest: Rate = Field(description="fastest clock at the nominal supply")

    @model_validator(mode="after")
    def _in_range(self) -> Supply:
        volts, least, most = self.voltage.value, self.least.value, self.most.value
        if not least <= volts <= most:
            raise ValueError(f"voltage is {volts:g} V; expected {least:g} to {most:g} V (least and most)")
        if not self.threshold.value < min(volts, self.nominal.value):
            raise ValueError(f"threshold is {self.threshold.value:g} V; expected less than voltage and nominal")
        return self

    @property
    def fastest_here(self) -> float:
        """Eq. 62: the fastest clock at the supply [1/s], which goes with (V - V_t)^1.3 / V."""

        def speed(volts: float) -> float:
            return float((volts - self.threshold.value) ** ALPHA / volts)

        return self.fastest.si * speed(self.voltage.value) / speed(self.nominal.value)
