"""What a spiking network costs on a described accelerator: memory, energy, latency, power, computed from tables.

    work = Workload.from_csv("layers.csv")
    chip = load_hardware("generic_45nm")
    cost = estimate(work, chip, weight_bits=4)     # or (L,) or (N, L)

docs/cost-models.md has every equation, docs/methodology.md what they were checked against.
"""

from costmodels.actions import actions
from costmodels.breakdown import breakdown
from costmodels.chip import Chip
from costmodels.compare import activation_width, comparisons, non_spiking
from costmodels.consistency import published_consistency
from costmodels.constants import Constant
from costmodels.designs import Designs
from costmodels.errors import CostError, ExtrapolationWarning
from costmodels.estimate import Cost, estimate
from costmodels.examples import example_names
from costmodels.hardware import Hardware, hardware_names, hardware_table, lint, load_hardware
from costmodels.knobs import configurations, configured, knobs, sweep
from costmodels.reasons import reasons
from costmodels.schema import json_schema
from costmodels.separable import SeparableTables, separable_tables
from costmodels.stability import Stability, kendall_tau, stability
from costmodels.tables import op_tables
from costmodels.workload import Spikes, Workload

__all__ = [
    "Chip",
    "Constant",
    "Cost",
    "CostError",
    "Designs",
    "ExtrapolationWarning",
    "Hardware",
    "SeparableTables",
    "Spikes",
    "Stability",
    "Workload",
    "actions",
    "activation_width",
    "breakdown",
    "comparisons",
    "configurations",
    "configured",
    "estimate",
    "example_names",
    "hardware_names",
    "hardware_table",
    "json_schema",
    "kendall_tau",
    "knobs",
    "lint",
    "load_hardware",
    "non_spiking",
    "op_tables",
    "published_consistency",
    "reasons",
    "separable_tables",
    "stability",
    "sweep",
]
