"""The same designs under every form of the datapath: how much of a saving the form decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates
from costmodels.estimation.designs import Designs
from costmodels.estimation.reasons import reasons
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.hardware import Hardware
from costmodels.studies.bands import bands_on, columns_of
from costmodels.studies.variants import REFERENCE, variants
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def forms(
    candidates: Candidates, hardware: Hardware, *, frame_rate: float | None = None, bands: bool = False
) -> pd.DataFrame:
    """What each design saves against 8-bit weights in every layer, under every form of the datapath.

    candidates  the N designs
    hardware    the chip; its own datapath comes first, then the forms that it does not have, with units as wide as the
                widest operands among the designs
    frame_rate  inferences per second, for `feasible`; default: the hardware file's
    bands       whether columns `energy_low` and `energy_high` are added: least and greatest energy of the design with
                that form over all other variations of `stability`

    Columns: design, form, unit, energy_j, latency_s, `energy_saving` and `latency_saving` (shares of what the same
    design needs with 8-bit weights: same steps, potentials and spikes), feasible, `reasons` (a list: why not).  Raises
    CostError where the file states energies per operation.
    """
    import pandas as pd

    if not isinstance(hardware.file.compute, IntegerCompute):
        raise CostError(
            f"{hardware.name} states energies per operation, which no datapath explains: "
            "widths change what fits there, not the energy of an operation"
        )
    candidates = candidates.settled()
    same = Candidates(tuple(part._replace(designs=_at_reference(part.designs)) for part in candidates.parts))
    rows, every = [], list(variants(candidates, hardware))
    bands_of = bands_on(candidates, [chip for *_, chip in every], without=("datapath",)) if bands else None
    for at, (form, unit, chip) in enumerate(every):
        cost, wide = (each.costs(chip, frame_rate=frame_rate) for each in (candidates, same))
        ends = {} if bands_of is None else columns_of(bands_of[at])
        for place, name in enumerate(candidates.names):
            fits = bool(cost.feasible[place])
            rows.append(
                {
                    "design": name,
                    "form": form,
                    "unit": unit,
                    "energy_j": float(cost.energy_j[place]),
                    "latency_s": float(cost.latency_s[place]),
                    "energy_saving": 1 - float(cost.energy_j[place] / wide.energy_j[place]),
                    "latency_saving": 1 - float(cost.latency_s[place] / wide.latency_s[place]),
                    "feasible": fits,
                    "reasons": [] if fits else reasons(*_on(candidates, place, chip), frame_rate=frame_rate),
                    **{column: float(values[place]) for column, values in ends.items()},
                }
            )
    return pd.DataFrame(rows).sort_values("design", kind="stable", key=_order(candidates.names), ignore_index=True)


def _on(candidates: Candidates, place: int, chip: Hardware) -> tuple[Workload, Hardware, Designs]:
    workload, design = candidates.one(place)
    return workload, chip, design


def _at_reference(designs: Designs) -> Designs:
    return replace(designs, weight_bits=np.full_like(np.asarray(designs.weight_bits), REFERENCE))


def _order(names: tuple[str, ...]) -> Any:
    places = {name: place for place, name in enumerate(names)}
    return lambda column: column.map(places)
