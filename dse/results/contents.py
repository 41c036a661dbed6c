"""What a run directory holds: one field per file, with the columns of every table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dse.config.schema import Config
from dse.results.manifest import Manifest
from dse.results.picks_file import Picks

SO_FAR = "front-so-far.csv"  # of a search that was interrupted
START = "search.json"  # what a search that is not finished was asked for
UNFINISHED = "so-far"  # the run directory of the report on such a search


@dataclass(frozen=True, eq=False)
class Contents:
    """What a run directory holds, one field per file; a field that is None leaves its file as it is.

    A table `x` is `x.csv`, a record `x` is `x.json`; `front.csv` follows from `results`.  Drops are percentage points,
    energies J, memories byte, latencies s, powers W, areas mm2.
    """

    config: Config
    """config.yaml: the resolved configuration."""
    manifest: Manifest
    """manifest.json: versions, hashes, seed, phases, chaos floor; written last."""
    results: pd.DataFrame
    """One row per design: `id, origin, time_steps`, measurements, costs, `on_front, feasible`, then widths [bit]."""
    hardware: pd.DataFrame
    """Every constant of the chip: `key, value, unit, source, low, high`."""
    breakdown: pd.DataFrame
    """Of the front and the baselines: `id, layer, stage, quantity, component, value`."""
    layers: Mapping[str, pd.DataFrame] | None = None
    """By form, the layer tables: the first form in layers.csv, another one in layers-<form>.csv."""
    spikes: pd.DataFrame | None = None
    """`id`, then `s:<LIF layer>`: spikes per image, summed over the time steps; the rows of `results`."""
    sensitivity: pd.DataFrame | None = None
    """Fisher scores: `group, type, stage, bits, score`."""
    history: pd.DataFrame | None = None
    """In the order of evaluation: `trial, id, phase, origin, images, seconds, hypervolume`."""
    predictions: pd.DataFrame | None = None
    """What the strategy expected: `id, predicted, sd, measured, predicted_energy_j, measured_energy_j`."""
    expected: pd.DataFrame | None = None
    """By the model of all measurements: `id, expected, sd` of the drop on unseen images."""
    verified: pd.DataFrame | None = None
    """On images that the search never saw: `id`, then the fields of `dse.results.verified.Verified`."""
    health: pd.DataFrame | None = None
    """Firing of the float network and the picks: `id, name, neurons, rate, dead, saturated, membrane, rate_1, ...`."""
    classes: pd.DataFrame | None = None
    """Unseen images right per class: `class, images, right:<id>`."""
    decomposition: pd.DataFrame | None = None
    """What each part of the recommended design contributes; columns at `dse.results.decomposition`."""
    comparisons: pd.DataFrame | None = None
    """Beside non-spiking networks: `id, origin, network, time_steps`, costs, the energy's band."""
    codesign: pd.DataFrame | None = None
    """Best setting of the chip's knobs per pick and objective: `id, design, objective`, knobs, costs, `gain`."""
    knobs: pd.DataFrame | None = None
    """The values of the chip's knobs that were swept: `knob, value`, in the unit of the chip file."""
    forms: pd.DataFrame | None = None
    """Picks under every form of the datapath: `id, form, unit, energy_j, latency_s`, savings and the energy's band."""
    bottlenecks: pd.DataFrame | None = None
    """What sets the latency of the picks: `id, resource, layers, share, latency_s` with twice of it, `saving`."""
    crossover: pd.DataFrame | None = None
    """The recommended design over the firing rate beside its dense non-spiking equivalent: `id, rate, ratio`, ..."""
    energy_parts: pd.DataFrame | None = None
    """Energy of parts with its ends: `id, layer, component, energy_j, energy_low, energy_high`; empty: all of them."""
    picks: Picks | None = None
    """The recommended design and its alternatives with their verdicts."""
    base_setting: Mapping[str, Any] | None = None
    """The guided design of step 2 with the evidence it rests on."""
    stability: Mapping[str, Any] | None = None
    """Ranking and front of designs when constants move: `scenarios, survival, tornado`."""

    @property
    def chosen(self) -> list[str]:
        """Ids of the picks and of the verified designs, which stand in every table of chosen designs."""
        picked = [pick["id"] for pick in self.picks["picks"]] if self.picks else []
        return picked + ([] if self.verified is None else list(self.verified["id"]))
