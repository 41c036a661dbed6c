"""Which designs `svit-dse estimate` costs: uniform widths, random mixtures of widths, or those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodels import Candidates, Designs, Hardware, Workload, load_hardware
from dse.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIXTURES = 200
CHIP = "generic_45nm"


@dataclass(frozen=True)
class Asked:
    """Designs, a chip, the rate at which power is stated, and measured drops where there is a run."""

    title: str
    candidates: Candidates
    hardware: Hardware
    frame_rate: float
    drop: NDArray[Any] | None = None

    def at(
        self,
        *,
        frame_rate: float | None = None,
        state_bits: int | None = None,
        activation_bits: int | None = None,
        time_steps: int | None = None,
    ) -> Asked:
        """The same designs at another frame rate, and at widths [bit] or time steps that all of them share."""

        def changed(designs: Designs) -> Designs:
            return replace(
                designs,
                state_bits=designs.state_bits if state_bits is None else state_bits,
                activation_bits=designs.activation_bits if activation_bits is None else activation_bits,
                time_steps=designs.time_steps if time_steps is None else time_steps,
            )

        parts = tuple(part._replace(designs=changed(part.designs)) for part in self.candidates.parts)
        rate = self.frame_rate if frame_rate is None else frame_rate
        return replace(self, candidates=Candidates(parts), frame_rate=rate)


def workload_of(text: str) -> Workload:
    """The layer table in a CSV file, or that of an example network."""
    return Workload.from_csv(text) if Path(text).suffix or Path(text).exists() else Workload.example(text)


def uniform(text: str, hardware: str | None, bits: Sequence[int]) -> Asked:
    """Every layer at the same width, once per width."""
    work, chip = workload_of(text), load_hardware(hardware or CHIP)
    widths = np.repeat(np.asarray(bits, dtype=np.int64)[:, None], len(work.weight_layers), axis=1)
    names = tuple("float" if b == 32 else f"uniform {b}" for b in bits)
    return Asked(text, Candidates.of(work, Designs(widths, names)), chip, chip.frame_rate)


def mixtures(text: str, hardware: str | None, bits: Sequence[int]) -> Asked:
    """Random mixtures of widths, the same ones every time: something to rank where there is no run."""
    work, chip = workload_of(text), load_hardware(hardware or CHIP)
    drawn = np.random.default_rng(0).choice(np.asarray(bits), (MIXTURES, len(work.weight_layers)))
    title = f"{MIXTURES} random mixtures of {', '.join(map(str, bits))} bit in {text}"
    return Asked(title, Candidates.of(work, drawn), chip, chip.frame_rate)


def of_run(run: Path, hardware: str | None, wanted: Sequence[str], every: bool = False) -> Asked:
    """The front of a run, or the designs `wanted` by id or origin, each with its own steps, potentials and spikes.

    `every` takes all designs of the run but the float network.

    Raises ConfigError for what is no run, and for what is no design of it.
    """
    from dse.results import tables
    from dse.results.robustness import designs_of
    from dse.results.run import open_run

    opened = open_run(run)
    table = opened.table
    chip = load_hardware(hardware or opened.config.hardware)
    costing = opened.costing(chip)
    unknown = set(wanted) - set(table["id"]) - set(table["origin"])
    if unknown:
        origins = ", ".join(table["origin"].unique())
        raise ConfigError(f"--design {min(unknown)}: no such id in {run / 'results.csv'}, nor one of {origins}")
    named = table["id"].isin(list(wanted)) | (table["origin"].isin(list(wanted)) & ~table["origin"].duplicated())
    front = table[table["origin"] != "float"] if every else tables.front_of(table)
    part = table[named].reset_index(drop=True) if wanted else front
    designs = designs_of(costing, part, opened.spikes)
    title = f"all {len(part)} designs of {run}" if every and not wanted else str(run)
    return Asked(title, designs, chip, opened.config.frame_rate, part["drop"].to_numpy(dtype=float))
