"""What a spiking network costs on a described accelerator: memory, energy, latency, power, computed from tables.

    work = Workload.from_csv("layers.csv")
    chip = load_hardware("generic_45nm")
    cost = estimate(work, chip, 4)                             # 4-bit weights in every layer
    cost = estimate(work, chip, Designs(4, state_bits=8))      # everything else that a design may have of its own

docs/cost-models.md has every equation, docs/methodology.md what they were checked against.

For the outside are the names exported here, `costmodels.yaml_file` and `costmodels.widths`. Each folder knows only
those behind it in this list: studies, estimation, hardware, dataflows, equations, workload.
"""

from costmodels.equations.chip import Chip
from costmodels.errors import CostError, ExtrapolationWarning
from costmodels.estimation.actions import actions
from costmodels.estimation.breakdown import breakdown
from costmodels.estimation.candidates import Candidates, Part
from costmodels.estimation.cost import Cost
from costmodels.estimation.designs import Designs
from costmodels.estimation.efficiency import Efficiency, efficiency
from costmodels.estimation.estimate import estimate
from costmodels.estimation.floorline import change_first, floorline
from costmodels.estimation.reasons import reasons
from costmodels.estimation.separable import SeparableTables, separable_tables
from costmodels.hardware.constants import Constant
from costmodels.hardware.hardware import Hardware
from costmodels.hardware.library import hardware_names, hardware_table, lint, load_hardware
from costmodels.hardware.op_energy import op_tables
from costmodels.hardware.schema import json_schema
from costmodels.studies.action_counts import accelergy, action_counts
from costmodels.studies.bands import energy_bands
from costmodels.studies.codesign import area_front, configurations, configured, knobs, sweep
from costmodels.studies.comparisons import comparisons
from costmodels.studies.crossover import Crossover, crossover
from costmodels.studies.exchange import priced, write_hardware
from costmodels.studies.forms import forms
from costmodels.studies.non_spiking import activation_width, equivalents, non_spiking
from costmodels.studies.published import measured_operations, published_consistency
from costmodels.studies.stability import Stability, stability
from costmodels.workload.activity import Activity
from costmodels.workload.examples import example_names
from costmodels.workload.propagation import activity_of
from costmodels.workload.workload import Workload

__all__ = [
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
    "hardware_table",
    "json_schema",
    "knobs",
    "lint",
    "load_hardware",
    "measured_operations",
    "non_spiking",
    "op_tables",
    "priced",
    "published_consistency",
    "reasons",
    "separable_tables",
    "stability",
    "sweep",
    "write_hardware",
]
