"""Designs to cost without running the network: uniform widths, random mixtures of widths, or those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from costmodels import Candidates, Designs, Hardware, Workload, load_hardware
from dse.arrays import FloatArray
from dse.errors import ConfigError
from dse.problem.design import FLOAT

MIXTURES = 200
CHIP = "generic_45nm"


@dataclass(frozen=True)
class Changes:
    """What all designs share instead of their own: frame rate [1/s], widths [bit], time steps; None: their own."""

    frame_rate: float | None = None
    state_bits: int | None = None
    activation_bits: int | None = None
    time_steps: int | None = None


@dataclass(frozen=True, eq=False)
class Selection:
    """Designs on a chip, the frame rate [1/s] at which power is stated, and their drops where a run measured them.

    `drop` [percentage points] has one entry per design.
    """

    title: str
    candidates: Candidates
    hardware: Hardware
    frame_rate: float
    drop: FloatArray | None = None

    def changed(self, changes: Changes) -> Selection:
        """The same designs with some values replaced."""
        shared = {name: value for name, value in vars(changes).items() if name != "frame_rate" and value is not None}
        parts = tuple(part._replace(designs=replace(part.designs, **shared)) for part in self.candidates.parts)
        rate = self.frame_rate if changes.frame_rate is None else changes.frame_rate
        return replace(self, candidates=Candidates(parts), frame_rate=rate)


def workload_of(text: str) -> Workload:
    """The layer table in a CSV file, or that of an example network."""
    return Workload.from_csv(text) if Path(text).suffix or Path(text).exists() else Workload.example(text)


def uniform_designs(text: str, hardware: str | None, bits: Sequence[int]) -> Selection:
    """Every layer at the same width [bit], once per width; `text` is a layer table or an example network.

    `hardware` is a shipped chip's name or a file.
    """
    work, chip = workload_of(text), load_hardware(hardware or CHIP)
    widths = np.repeat(np.asarray(bits, dtype=np.int64)[:, None], len(work.weight_layers), axis=1)
    names = tuple("float" if b == FLOAT else f"uniform {b}" for b in bits)
    return Selection(text, Candidates.of(work, Designs(widths, names)), chip, chip.frame_rate)


def mixtures(text: str, hardware: str | None, bits: Sequence[int]) -> Selection:
    """Random mixtures of widths, the same ones every time: something to rank where there is no run."""
    work, chip = workload_of(text), load_hardware(hardware or CHIP)
    drawn = np.random.default_rng(0).choice(np.asarray(bits), (MIXTURES, len(work.weight_layers)))
    title = f"{MIXTURES} random mixtures of {', '.join(map(str, bits))} bit in {text}"
    return Selection(title, Candidates.of(work, drawn), chip, chip.frame_rate)


def run_designs(run: Path, hardware: str | None, wanted: Sequence[str], every: bool = False) -> Selection:
    """The front of a run, or the designs `wanted` by id or origin, each with its own steps, potentials and spikes.

    `every` takes all designs of the run but the float network.  `hardware` is a chip in the place of the run's.
    Raises ConfigError for what is no run, and for what is no design of it.
    """
    # here, as they load torch, which the other designs do without
    from dse.results import origin
    from dse.results.robustness import designs_of
    from dse.results.run import open_run
    from dse.results.tables import front_of

    opened = open_run(run)
    table = opened.table
    chip = load_hardware(hardware or opened.config.hardware)
    costing = opened.costing(chip)
    unknown = set(wanted) - set(table["id"]) - set(table["origin"])
    if unknown:
        origins = ", ".join(table["origin"].unique())
        raise ConfigError(f"--design {min(unknown)}: no such id in {run / 'results.csv'}, nor one of {origins}")
    named = table["id"].isin(list(wanted)) | (table["origin"].isin(list(wanted)) & ~table["origin"].duplicated())
    front = table[table["origin"] != origin.FLOAT] if every else front_of(table)
    part = table[named].reset_index(drop=True) if wanted else front
    if part.empty:
        raise ConfigError(f"{run / 'results.csv'}: has no design on its front; name one with --design, or search again")
    designs = designs_of(costing, part, opened.spikes)
    title = f"all {len(part)} designs of {run}" if every and not wanted else str(run)
    return Selection(title, designs, chip, opened.config.frame_rate, part["drop"].to_numpy(dtype=float))
