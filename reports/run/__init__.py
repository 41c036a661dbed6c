"""A run directory as frozen, typed values; import `read_run`, `FinishedRun` and the rows from here.

`FinishedRun` is the whole directory, `Design` an evaluated design, `WeightLayers` the layers that have weights.
"""

from reports.run.designs import Z95, Design, UnseenDrop, VerifiedDrop, WeightLayers, share_interval
from reports.run.finished_run import FinishedRun, read_run
from reports.run.layer_costs import LayerCost
from reports.run.manifest import Accuracy, ChaosFloor, Manifest, Phase
from reports.run.picks import BudgetCheck, PickedDesign, Picks, Saving
from reports.run.rows import (
    BottleneckRow,
    ComparisonRow,
    ContributionRow,
    CrossoverRow,
    FinetunedRow,
    FormRow,
    HardwareRow,
    HealthRow,
    HistoryRow,
    LayerRow,
    PredictionRow,
    SensitivityRow,
    SweptRow,
)
from reports.run.run_files import Bands, Breakdown, KnobTable
from reports.run.stability import Band, FrontSurvival, Scenario, Stability, Swing

__all__ = [
    "Z95",
    "Accuracy",
    "Band",
    "Bands",
    "BottleneckRow",
    "Breakdown",
    "BudgetCheck",
    "ChaosFloor",
    "ComparisonRow",
    "ContributionRow",
    "CrossoverRow",
    "Design",
    "FinetunedRow",
    "FinishedRun",
    "FormRow",
    "FrontSurvival",
    "HardwareRow",
    "HealthRow",
    "HistoryRow",
    "KnobTable",
    "LayerCost",
    "LayerRow",
    "Manifest",
    "Phase",
    "PickedDesign",
    "Picks",
    "PredictionRow",
    "Saving",
    "Scenario",
    "SensitivityRow",
    "Stability",
    "SweptRow",
    "Swing",
    "UnseenDrop",
    "VerifiedDrop",
    "WeightLayers",
    "read_run",
    "share_interval",
]
