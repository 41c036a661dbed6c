"""What a spiking network costs on a described accelerator: memory, energy, latency, power, computed from tables.

    work = Workload.from_csv("layers.csv")
    chip = load_hardware("generic_45nm")
    cost = estimate(work, chip, 4)                             # 4-bit weights in every layer
    cost = estimate(work, chip, Designs(4, state_bits=8))      # everything else that a design may have of its own

Names are imported when first used (PEP 562): a program that only catches `CostError` pays for nothing else.

docs/cost-models.md has every equation, docs/methodology.md what they were checked against.

For the outside are the names exported here, `costmodels.yaml_file` and `costmodels.widths`. Each folder knows only
those behind it in this list: studies, estimation, hardware, dataflows, equations, workload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodels.lazy_names import lazily

if TYPE_CHECKING:
    from costmodels.equations.chip import Chip
    from costmodels.errors import CostError, ExtrapolationWarning
    from costmodels.estimation.actions import actions
    from costmodels.estimation.breakdown import breakdown
    from costmodels.estimation.candidates import Candidates, Part
    from costmodels.estimation.cost import Cost
    from costmodels.estimation.designs import Designs
    from costmodels.estimation.efficiency import Efficiency, efficiency
    from costmodels.estimation.estimate import estimate
    from costmodels.estimation.floorline import binding, change_first, floorline
    from costmodels.estimation.reasons import reasons
    from costmodels.estimation.separable import SeparableTables, separable_tables
    from costmodels.hardware.constants import Constant
    from costmodels.hardware.hardware import Hardware
    from costmodels.hardware.library import hardware_rows, hardware_table, lint, load_hardware, own_dataflow_files
    from costmodels.hardware.names import hardware_names
    from costmodels.hardware.op_energy import op_tables
    from costmodels.hardware.schema import json_schema
    from costmodels.studies.action_counts import accelergy, action_counts
    from costmodels.studies.bands import energy_bands
    from costmodels.studies.codesign import area_front, configurations, configured, knobs, sweep
    from costmodels.studies.comparisons import comparisons
    from costmodels.studies.crossover import Crossover, crossover
    from costmodels.studies.exchange import priced, write_hardware
    from costmodels.studies.forms import forms
    from costmodels.studies.neurobench import NeuroBench, neurobench
    from costmodels.studies.non_spiking import activation_width, equivalents, non_spiking
    from costmodels.studies.part_bands import PER_SYNOP, part_bands
    from costmodels.studies.published import measured_operations, published_consistency
    from costmodels.studies.stability import Stability, stability
    from costmodels.workload.activity import Activity
    from costmodels.workload.examples import example_names
    from costmodels.workload.propagation import activity_of
    from costmodels.workload.workload import Workload

_HOME = {
    "Activity": "workload.activity",
    "Candidates": "estimation.candidates",
    "Chip": "equations.chip",
    "Constant": "hardware.constants",
    "Cost": "estimation.cost",
    "CostError": "errors",
    "Crossover": "studies.crossover",
    "Designs": "estimation.designs",
    "Efficiency": "estimation.efficiency",
    "ExtrapolationWarning": "errors",
    "Hardware": "hardware.hardware",
    "NeuroBench": "studies.neurobench",
    "Part": "estimation.candidates",
    "SeparableTables": "estimation.separable",
    "Stability": "studies.stability",
    "Workload": "workload.workload",
    "accelergy": "studies.action_counts",
    "action_counts": "studies.action_counts",
    "actions": "estimation.actions",
    "activation_width": "studies.non_spiking",
    "activity_of": "workload.propagation",
    "area_front": "studies.codesign",
    "breakdown": "estimation.breakdown",
    "binding": "estimation.floorline",
    "change_first": "estimation.floorline",
    "comparisons": "studies.comparisons",
    "configurations": "studies.codesign",
    "configured": "studies.codesign",
    "crossover": "studies.crossover",
    "efficiency": "estimation.efficiency",
    "energy_bands": "studies.bands",
    "equivalents": "studies.non_spiking",
    "estimate": "estimation.estimate",
    "example_names": "workload.examples",
    "floorline": "estimation.floorline",
    "forms": "studies.forms",
    "hardware_names": "hardware.names",
    "hardware_rows": "hardware.library",
    "hardware_table": "hardware.library",
    "json_schema": "hardware.schema",
    "knobs": "studies.codesign",
    "lint": "hardware.library",
    "load_hardware": "hardware.library",
    "measured_operations": "studies.published",
    "neurobench": "studies.neurobench",
    "non_spiking": "studies.non_spiking",
    "op_tables": "hardware.op_energy",
    "own_dataflow_files": "hardware.library",
    "part_bands": "studies.part_bands",
    "PER_SYNOP": "studies.part_bands",
    "priced": "studies.exchange",
    "published_consistency": "studies.published",
    "reasons": "estimation.reasons",
    "separable_tables": "estimation.separable",
    "stability": "studies.stability",
    "sweep": "studies.codesign",
    "write_hardware": "studies.exchange",
}

__all__ = [
    "PER_SYNOP",
    "Activity",
    "Candidates",
    "Chip",
    "Constant",
    "Cost",
    "CostError",
    "Crossover",
    "Designs",
    "Efficiency",
    "ExtrapolationWarning",
    "Hardware",
    "NeuroBench",
    "Part",
    "SeparableTables",
    "Stability",
    "Workload",
    "accelergy",
    "action_counts",
    "actions",
    "activation_width",
    "activity_of",
    "area_front",
    "binding",
    "breakdown",
    "change_first",
    "comparisons",
    "configurations",
    "configured",
    "crossover",
    "efficiency",
    "energy_bands",
    "equivalents",
    "estimate",
    "example_names",
    "floorline",
    "forms",
    "hardware_names",
    "hardware_rows",
    "hardware_table",
    "json_schema",
    "knobs",
    "lint",
    "load_hardware",
    "measured_operations",
    "neurobench",
    "non_spiking",
    "op_tables",
    "own_dataflow_files",
    "part_bands",
    "priced",
    "published_consistency",
    "reasons",
    "separable_tables",
    "stability",
    "sweep",
    "write_hardware",
]

__getattr__, __dir__ = lazily(__name__, _HOME)
