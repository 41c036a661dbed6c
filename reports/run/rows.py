"""One dataclass per table of a run directory: its fields are the columns that a report reads.

A field without a default is a column that the file must have. Columns that a file has beside these are not read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NOT_MEASURED = float("nan")


@dataclass(frozen=True)
class ResultRow:
    """results.csv, one evaluated design: shares, drops [pp], costs [SI]; its widths stand in the w: and v: columns.

    `power_w` is NaN where the chip does not reach the frame rate; `reasons` say why it cannot hold or run the design.
    """

    id: str
    origin: str
    time_steps: int
    top1: float
    top1_stderr: float
    drop: float
    drop_low: float
    drop_high: float
    kl: float
    images: int
    memory_bytes: float
    energy_j: float
    latency_s: float
    power_w: float
    mean_weight_bits: float
    on_front: bool
    feasible: bool
    area_mm2: float = field(default=NOT_MEASURED, kw_only=True)
    reasons: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class LayerRow:
    """layers.csv, one layer in network order; `lif` joins the LIF layers that it feeds by `;`, counts are per image."""

    name: str
    kind: str
    stage: str
    block: str
    weights: int
    macs: float
    synops: float
    neurons: int
    lif: str
    lif_spikes: float
    time_steps: int = 1
    input: str = "spike"


@dataclass(frozen=True)
class SensitivityRow:
    """sensitivity.csv: the harm of one change; `score` [nat] is estimated, `drop` [pp] measured where it is finite."""

    group: str
    bits: int
    score: float
    kind: str = "weight"
    time_steps: int = 0
    drop: float = NOT_MEASURED
    drop_low: float = NOT_MEASURED
    drop_high: float = NOT_MEASURED


@dataclass(frozen=True)
class BreakdownRow:
    """breakdown.csv: what one component of one layer adds to a cost of a design [SI]."""

    id: str
    layer: str
    stage: str
    quantity: str
    component: str
    value: float


@dataclass(frozen=True)
class HardwareRow:
    """hardware.csv: a constant of the chip in its own unit; `low`, `high` are NaN where no range is stated."""

    key: str
    value: float
    unit: str
    source: str
    low: float
    high: float


@dataclass(frozen=True)
class VerifiedRow:
    """verified.csv: a drop on images that the search never saw, with its 95 % interval [pp].

    `expected` with its interval is that by these images and the search's prediction, `p_within` that it is at most
    `budget`, that of the verification; NaN in older runs.
    """

    id: str
    drop: float
    drop_low: float
    drop_high: float
    images: int
    expected: float = NOT_MEASURED
    expected_low: float = NOT_MEASURED
    expected_high: float = NOT_MEASURED
    budget: float = NOT_MEASURED
    p_within: float = NOT_MEASURED


@dataclass(frozen=True)
class ExpectedRow:
    """expected.csv: a drop on unseen images by the model of all measurements, with its standard deviation [pp]."""

    id: str
    expected: float
    sd: float


@dataclass(frozen=True)
class HistoryRow:
    """history.csv: a design in the order of evaluation, and the hypervolume reached with it."""

    trial: int
    id: str
    phase: str
    origin: str
    images: int
    seconds: float
    hypervolume: float


@dataclass(frozen=True)
class PredictionRow:
    """predictions.csv: the drop that the surrogate expected, its standard deviation, and the measured drop [pp]."""

    id: str
    predicted: float
    sd: float
    measured: float


@dataclass(frozen=True)
class HealthRow:
    """health.csv: firing of one LIF layer of one design; `rate`, `dead` and `saturated` are shares.

    `membrane` is `fixed` where the potentials had the design's widths, `float` where they were float32.
    """

    id: str
    name: str
    neurons: int
    rate: float
    dead: float
    saturated: float
    membrane: str = "float"


@dataclass(frozen=True)
class ComparisonRow:
    """comparisons.csv: costs of a spiking network or of its non-spiking equivalent [SI], with the energy's band."""

    id: str
    origin: str
    network: str
    time_steps: int
    memory_bytes: float
    energy_j: float
    latency_s: float
    power_w: float
    energy_low: float = NOT_MEASURED
    energy_high: float = NOT_MEASURED


@dataclass(frozen=True)
class CrossoverRow:
    """crossover.csv: spiking over non-spiking energy of a design at a firing rate, and the same in every row.

    `crossover` is the rate up to which spikes need less (0: none, 1: every), `own_rate` that of the design; `..._low`
    and `..._high` are the ends over all variations, NaN in older runs.
    """

    id: str
    rate: float
    ratio: float
    crossover: float
    own_rate: float
    time_steps: int
    ratio_low: float = NOT_MEASURED
    ratio_high: float = NOT_MEASURED
    crossover_low: float = NOT_MEASURED
    crossover_high: float = NOT_MEASURED


@dataclass(frozen=True)
class EnergyPartRow:
    """energy_parts.csv: the energy of a layer, a stage or a component of a design [J] with its least and greatest over
    all variations; an empty `stage`, `layer` or `component` is the sum over all.
    """

    id: str
    layer: str
    component: str
    energy_low: float
    energy_high: float
    stage: str = ""


@dataclass(frozen=True)
class FormRow:
    """forms.csv: a pick under a form of the datapath, and its savings against 8-bit weights (shares)."""

    id: str
    form: str
    unit: str
    energy_j: float
    latency_s: float
    energy_saving: float
    latency_saving: float
    energy_low: float = NOT_MEASURED
    energy_high: float = NOT_MEASURED


@dataclass(frozen=True)
class BottleneckRow:
    """bottlenecks.csv: a resource of the chip under a pick: the layers and the share of their time that it binds.

    `saving` is the share of the latency that twice as much of it saves.
    """

    id: str
    resource: str
    layers: int
    share: float
    saving: float


@dataclass(frozen=True)
class ContributionRow:
    """decomposition.csv: two designs that differ in one part, and what the part changes.

    `how`: `alone`, the part is added to the least uniform width that keeps the drop budget; `last`, it is taken out of
    the recommended design. Memory [B] and energy [J] before and after, drops on unseen images with the standard
    deviation of their difference [pp]; `basis` says whether a design was measured for the row or the model predicts it.
    """

    part: str
    how: str
    memory_before: float
    memory_after: float
    energy_before: float
    energy_after: float
    drop_before: float
    drop_after: float
    change_sd: float
    basis: str


@dataclass(frozen=True)
class FinetunedRow:
    """finetuned.csv: a design after training at its widths, drop with its 95 % interval [pp]."""

    id: str
    top1: float
    drop: float
    drop_low: float
    drop_high: float
    images: int


@dataclass(frozen=True)
class SpikesRow:
    """spikes.csv, one design: an s: column per LIF layer holds its spikes per image."""

    id: str


@dataclass(frozen=True)
class KnobRow:
    """codesign.csv: a design, its best setting of the chip's knobs (a column each), and the costs with it."""

    id: str
    design: str
    objective: str
    gain: float


@dataclass(frozen=True)
class SweptRow:
    """knobs.csv: a value of a knob that was swept, in the unit of the chip file."""

    knob: str
    value: str
