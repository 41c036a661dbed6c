"""Designs to cost without running the network: uniform widths, random mixtures of widths, or those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costmodels import Candidates, Designs, Hardware, Workload, load_hardware
from dse.arrays import FloatArray
from dse.errors import ConfigError
from dse.problem.design import FLOAT

if TYPE_CHECKING:
    from dse.results.run import Run

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

    `drop` [percentage points] has one entry per design, as the search measured it; `unseen` what is known of it on
    unseen images, and whether that is verified, predicted, or only the drop on the search images.
    """

    title: str
    candidates: Candidates
    hardware: Hardware
    frame_rate: float
    drop: FloatArray | None = None
    unseen: tuple[tuple[float, str], ...] | None = None

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


def file_designs(
    path: Path, text: str | None, run: Path | None, hardware: str | None, like: str | None = None
) -> Selection:
    """The designs in a file of widths, for the layer table or example network `text`, or for the network of a `run`.

    They have the firing rates of the float network; what the file gives no widths for has those of the design `like`
    of the run.  Raises ConfigError for a file that does not fit the network.
    """
    # here, as they take half a second to load, which the other designs do without
    from dse.evaluation.costs import Costing
    from dse.problem.by_form import ByForm
    from dse.problem.widths_file import Target, parsed, read_widths

    parsed(path)
    rest = None
    if run is not None:
        from dse.results.run import open_run

        opened = open_run(run)
        rest = None if like is None else opened.design(like)
        costing = opened.costing(load_hardware(hardware) if hardware else None)
    else:
        work, chip = workload_of(str(text)), load_hardware(hardware or CHIP)
        costing = Costing(ByForm.single(work, work.weight_layers), chip, chip.frame_rate)
    found = read_widths(path, *(Target.of(workload, rest) for workload in costing.workloads.values()))
    designs = costing.candidates(list(found.values()), None, tuple(found))
    title = f"{path} for {text or run}, at the firing rates of the float network,"
    return Selection(title, designs, costing.hardware, costing.frame_rate)


def run_designs(run: Path, hardware: str | None, wanted: Sequence[str], every: bool = False) -> Selection:
    """The front of a run with its picks and verified designs, or the designs `wanted` by name.

    Each has its own steps, potentials and spikes; names are read as `dse.results.naming` says.
    `every` takes all designs of the run but the float network.  `hardware` is a chip in the place of the run's.
    Raises ConfigError for what is no run, and for what is no design of it.
    """
    from dse.results.run import open_run  # here, as costing a layer table does without a run

    return _of_run(open_run(run), hardware, wanted, every)


def _of_run(opened: Run, hardware: str | None, wanted: Sequence[str], every: bool = False) -> Selection:
    """The designs of a run that is open."""
    from dse.results import origin
    from dse.results.costed import designs_of
    from dse.results.described import unseen_drop
    from dse.results.own_parts import own_costs
    from dse.results.tables import front_of

    run, table = opened.path, opened.table
    chip = load_hardware(hardware) if hardware else opened.chip()
    costing = opened.costing(chip)
    ids = [str(opened.row(name)["id"]) for name in wanted]
    if tuned := [i for i in ids if i not in set(table["id"])]:
        raise ConfigError(f"--design {tuned[0]}: has other integers than its parent and the same costs; name that one")
    front = table[table["origin"] != origin.FLOAT] if every else front_of(table, opened.chosen)
    part = table[table["id"].isin(ids)].drop_duplicates("id").reset_index(drop=True) if ids else front
    if not (ids or every or table["on_front"].any()):
        raise ConfigError(f"{run / 'results.csv'}: has no design on its front; name one with --design, or search again")
    designs = designs_of(costing, part, opened.spikes)
    title = f"all {len(part)} designs of {run}" if every and not wanted else str(run)
    title += own_costs(opened)
    unseen = tuple(unseen_drop(opened, str(design)) for design in part["id"])
    return Selection(title, designs, chip, opened.config.frame_rate, part["drop"].to_numpy(dtype=float), unseen)


def exported(run: Path, hardware: str | None, folder: Path) -> Selection:
    """The design of a run that was exported into `folder`, with accumulators of the widths that its sums were observed
    to need in the place of the bound by shapes.

    Raises ConfigError where the export is of another run, ModelError for what is no export.
    """
    from dse.results.run import open_run
    from sviT_models import load_export

    spec = load_export(folder).spec
    opened, notes = open_run(run), spec["notes"]
    name = str(notes.get("design", ""))
    if name not in set(opened.table["id"]) or notes.get("checkpoint_sha256") != opened.manifest["checkpoint"]["sha256"]:
        raise ConfigError(f"--export {folder}: is not an export from {run}; give the run that it was made from")
    chosen = _of_run(opened, hardware, [name])
    (part,) = chosen.candidates.parts
    observed = {row["layer"]: row["observed_bits"] for row in spec["accumulators"]}
    bits = np.array([observed.get(row, 0) for row in part.workload.names], dtype=np.float64)
    own = part._replace(designs=replace(part.designs, sum_bits=bits))
    return replace(chosen, title=f"{folder}, its observed sums", candidates=Candidates((own,)))
