"""Predictions of measured chips: what the models say of silicon, from chip files written before, nothing tuned.

    python benchmarks/silicon.py

Prints the table of docs/validation.md and ends with one line of JSON. A row is calibration where it uses a constant
that was measured on the same chip, shape where only the form of a law can be compared, and prediction otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from costmodels import Hardware, Workload, efficiency, estimate, load_hardware
from costmodels.hardware.constants import memory_constants
from costmodels.studies.codesign import configured

SILICON = Path(__file__).parents[1] / "tests" / "costmodels" / "data" / "silicon"
LEAK_W, CLOCK_J = 27.3e-6, 1.78e-12  # ODIN at 0.55 V: leakage, and clock and idle logic per cycle
LOIHI_CHIPS, LOIHI_STEPS, PATTERNS = 32, 60, 76_800


class Row(NamedTuple):
    """Measured and predicted in the same unit; `predicted` is least and greatest."""

    what: str
    kind: str
    unit: str
    measured: tuple[float, float]
    predicted: tuple[float, float]
    why: str

    @property
    def ratio(self) -> tuple[float, float]:
        """Least and greatest of predicted over measured."""
        low, high = self.predicted
        return low / self.measured[1], high / self.measured[0]


def odin_event() -> float:
    """Energy of one more synaptic operation on ODIN [J]."""
    layer = {"name": "crossbar", "kind": "linear", "in_channels": 256, "out_channels": 256, "time_steps": 1}
    layer |= {"spikes": 200, "neurons": 0, "lif": "", "lif_spikes": 0}
    work, chip = Workload.from_table(pd.DataFrame([layer])), load_hardware(SILICON / "odin.yaml")
    parts = estimate(work, chip, 4).energy_by_component
    # no rescale and no neuron sweep on the chip: neurons are touched by events only
    return sum(float(parts[name]) for name in ("compute", "weights", "sums")) / (200 * 256)


def odin() -> list[Row]:
    """The increment, and power at two operating points with the chip's own leakage and clock."""
    event = odin_event()
    chip = load_hardware(SILICON / "odin.yaml")
    leak = sum(chip.table[f"memories.{name}.leakage"].value for name in ("weights", "states"))
    why = "controller, scheduler and learning are not modelled"
    rows = [
        Row("ODIN, one more synaptic operation, 0.55 V", "prediction", "pJ", (8.43, 8.43), (event * 1e12,) * 2, why)
    ]
    for megahertz, rate, measured in ((75, 37.5e6, 477.0), (1.3, 650e3, 35.0)):
        power = LEAK_W + CLOCK_J * megahertz * 1e6 + event * rate
        text = f"ODIN, {megahertz:g} MHz and {rate / 1e6:g} M operations/s"
        rows.append(Row(text, "calibration", "uW", (measured,) * 2, (power * 1e6,) * 2, "its own leakage and clock"))
    why = "CACTI's lstp device, 300 K; the supply law is assumed"
    return [*rows, Row("ODIN, leakage", "prediction", "uW", (27.3, 27.3), (leak * 1e6,) * 2, why)]


def neighbours(name: str) -> tuple[float, float]:
    """Dynamic energy [J] of one query of k nearest neighbours on Loihi, least and greatest number of spikes."""
    chip, found = load_hardware(name).with_constant("logic_leakage", 0.0), []
    for spikes in (667, 750):
        layer = {"name": "patterns", "kind": "linear", "in_channels": 1000, "out_channels": PATTERNS, "spikes": spikes}
        layer |= {"neurons": 0, "lif": "", "lif_spikes": 0, "time_steps": LOIHI_STEPS}
        sink = {"name": "read", "kind": "linear", "in_channels": PATTERNS, "out_channels": 1, "spikes": PATTERNS}
        sink |= {
            "time_steps": LOIHI_STEPS,
            "synops": 0,
        }  # the neurons of the layer before; what they send is not costed
        table = pd.DataFrame([layer | {"synops": spikes * PATTERNS}, sink])
        parts = estimate(Workload.from_table(table), chip, 8).energy_by_component
        steps = PATTERNS * LOIHI_STEPS * (chip.table["neuron.access"].value + chip.table["neuron.update"].value)
        found.append(float(parts["compute"]) + steps)
    return found[0], found[1]


def loihi() -> list[Row]:
    """k nearest neighbours on 32 chips with both sets of constants, and static power."""
    rows = []
    for name, kind in (("loihi_like", "prediction"), ("loihi_sanafe", "prediction")):
        low, high = neighbours(name)
        why = (
            "published pre-silicon table" if name == "loihi_like" else "regressed on other boards: 35.5 pJ per synapse"
        )
        what = f"Loihi, k nearest neighbours, dynamic, {name}"
        rows.append(Row(what, kind, "mJ", (1.33, 1.33), (low * 1e3, high * 1e3), why))
    static = LOIHI_CHIPS * load_hardware("loihi_like").chip.leakage
    return [*rows, Row("Loihi, 32 chips, static", "calibration", "W", (3.34, 3.34), (static, static), "its own 104 mW")]


def per_operation(chip: Hardware, rate: float, bits: int, dense: bool) -> float:
    """Energy on the chip [J] of a synaptic operation of the spiking rows, or of a dense one, on the fused SDTv2."""
    work = Workload.example("sdtv2_8_256", rate=rate, fused=True)
    found = efficiency(work, chip, bits)
    spiking = ~work.geometry.multibit
    operations = float(work.columns["macs"][spiking].sum()) * work.time_steps if dense else found.synops
    return found.spiking_j / operations


def transformers() -> list[Row]:
    """Two spiking-transformer processors, over memory sizes and firing rates that are not published."""
    fang = load_hardware(SILICON / "fang.yaml")
    sizes = [configured(fang, {f"memories.{m}.size": kib for m in ("weights", "spikes")}) for kib in (32, 128, 512)]
    low, high = _range(per_operation(chip, rate, 8, False) for chip in sizes for rate in (0.1, 0.2, 0.3))
    rows = [
        Row(
            *("Fang et al., 40 nm, 0.56 V, synaptic operation", "prediction", "pJ", (0.078, 0.078), (low, high)),
            "range over 32 to 512 KiB per memory and rates of 0.1 to 0.3; another network",
        )
    ]
    chen = load_hardware("tick_batched_28nm")
    low, high = _range(per_operation(chen, rate, 8, True) for rate in (0.1, 0.2, 0.3))
    why = "range over rates of 0.1 to 0.3; measured at peak; its supply is not published"
    return [*rows, Row("Chen & Chang, 28 nm, dense operation", "prediction", "pJ", (0.0261, 0.0261), (low, high), why)]


def _range(values: Iterable[float]) -> tuple[float, float]:
    found = [value * 1e12 for value in values]
    return min(found), max(found)


def areas() -> list[Row]:
    """SRAM areas by CACTI."""
    rows = []
    chip = load_hardware(SILICON / "odin.yaml")
    odin_mm2 = chip.table["memories.weights.area"].value
    rows.append(Row("ODIN, synapse memory", "prediction", "mm2", (0.0446,) * 2, (odin_mm2,) * 2, "CACTI, 28 nm"))
    for kilobytes, measured in ((102.4, 0.487 / 4), (307.2, 1.460 / 4)):
        spec = chip.file.memories.weights
        assert spec is not None
        size = spec.size.model_copy(update={"value": kilobytes, "unit": "kB"})
        word = spec.word.model_copy(update={"value": 128})
        area = memory_constants("weights", spec.model_copy(update={"size": size, "word": word}), 28)
        value = area["memories.weights.area"].value
        what = f"ELSA, memory of {kilobytes} KB (synthesis)"
        rows.append(
            Row(what, "prediction", "mm2", (measured,) * 2, (value,) * 2, "CACTI, 28 nm; width assumed 128 bit")
        )
    return rows


def widths() -> list[Row]:
    """UNPU: energy of an operation at 16-bit weights over that at 1 bit, under the law of bit-serial units."""
    lanes = {"value": 16, "unit": "1", "source": "Stripes, MICRO 2016"}
    chip = load_hardware("generic_45nm").with_datapath({"form": "bit_serial", "lanes": lanes})
    layer = {"name": "row", "kind": "linear", "in_channels": 256, "out_channels": 64, "spikes": 256, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([layer | {"input": "multibit", "input_bits": 16}]))
    wide, narrow = (float(estimate(work, chip, bits).energy_by_component["compute"]) for bits in (16, 1))
    why = "the law is linear in the width; arithmetic alone against a whole chip at peak"
    what = "UNPU, 65 nm, 16-bit over 1-bit weights, energy"
    return [Row(what, "shape", "1", (50.6 / 3.08,) * 2, (wide / narrow,) * 2, why)]


def slope() -> list[Row]:
    """SNE: energy over input activity is a slope and an intercept; only the shape can be compared."""
    chip = load_hardware("generic_22nm")
    work = [Workload.example("sdtv2_8_256", rate=rate, fused=True) for rate in (0.012, 0.0305, 0.049)]
    low, middle, high = (float(estimate(each, chip, 4).energy_j) for each in work)
    straight = (low + high) / 2 / middle
    why = "middle of a straight line over the model's energy at 3.05 %; another network and chip: the law's shape only"
    return [Row("SNE, energy is linear in activity", "shape", "1", (1.0, 1.0), (straight, straight), why)]


def table() -> list[Row]:
    """All rows of docs/validation.md."""
    return [*odin(), *loihi(), *transformers(), *areas(), *widths(), *slope()]


def line(row: Row) -> str:
    """A row as Markdown."""

    def shown(pair: tuple[float, float]) -> str:
        low, high = (f"{value:.3g}" for value in pair)
        return low if low == high else f"{low} to {high}"

    cells = (row.what, row.kind, f"{shown(row.measured)} {row.unit}".removesuffix(" 1"), shown(row.predicted))
    return f"| {' | '.join(cells)} | {shown(row.ratio)} | {row.why} |"


def main() -> None:
    """Print the table and the line of JSON."""
    rows = table()
    print("\n".join(line(row) for row in rows))
    print(json.dumps({"benchmark": "silicon", "ratios": {row.what: [round(r, 3) for r in row.ratio] for row in rows}}))


if __name__ == "__main__":
    main()
