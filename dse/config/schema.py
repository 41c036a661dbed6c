"""The schema of a run's configuration; `dse.config.file` reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from dse.config.choices import FORMS, ONE_FORM_PER_LAYER, STATE_WIDTHS, USUAL_BITS, WEIGHT_WIDTHS, Form
from dse.config.network import Network
from dse.config.quantities import QUANTITIES, parse

CHECKPOINT = "sdtv2_tiny_digits"  # of a configuration that names neither network nor checkpoint


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors and values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Data(Section):
    """Which images are evaluated."""

    name: str = Field(
        "digits",
        description="digits, fashion_mnist, glyphs, event_glyphs, or a path: .npz, IDX files, class folders or events",
    )
    search_images: int | None = Field(
        None,
        ge=10,
        description="images of the search; all are measured for every design where search.images and search.hours "
        "are empty; empty: at most 8000, with a subset for every design",
    )
    verify_images: int | None = Field(
        None, ge=10, description="images of the verification; empty: the whole verify split"
    )
    calibration_images: int = Field(
        192, ge=8, description="unlabelled images for compensated rounding; all where the data have fewer"
    )
    fisher_images: int = Field(192, ge=8, description="images of the gradient sensitivity score")
    resolution: int | None = Field(None, ge=16, description="image side in pixels; empty: that of the data set")
    frames: int | None = Field(
        None, ge=1, description="frames of a sample of events; empty: the time steps of the network"
    )
    binning: Literal["count", "time"] = Field(
        "count", description="make frames of an equal number of events (count) or of equal time (time)"
    )
    batch_size: int = Field(100, ge=1, description="images per batch")
    max_corrupt: float = Field(
        0.01, ge=0, le=1, description="largest share of undecodable image files; more stop the run"
    )


class Quantization(Section):
    """How weights are rounded to integers."""

    method: Literal["nearest", "truncate", "stochastic", "corrected", "gptq", "compensated"] = Field(
        "compensated", description="rounding: nearest, truncate, stochastic, corrected, gptq or compensated"
    )
    granularity: Literal["channel", "tensor"] = Field(
        "channel", description="one scale per output channel or per layer"
    )
    clip: Literal["mse", "max", "percentile"] = Field(
        "mse", description="how the largest representable weight is chosen: mse, max or percentile"
    )
    scale: Literal["free", "power_of_two"] = Field("free", description="free scales, or powers of two (shifts)")
    two_bit: Literal["four", "ternary"] = Field("four", description="levels of two-bit weights: four, or -1, 0 and 1")


Widths = int | dict[str, int]


class Activations(Section):
    """Widths of the numbers between layers, where potentials are fixed-point."""

    image: int = Field(8, ge=4, le=8, description="bits of one element of the image, 4 to 8")
    stream: Widths = Field(
        USUAL_BITS, description="bits of the residual streams, 4 to 16; or by the down-sampling before them"
    )
    between: Widths = Field(
        USUAL_BITS, description="bits of sums that reach a convolution without neurons, 4 to 16; or by stage"
    )

    @field_validator("stream", "between")
    @classmethod
    def _known_widths(cls, widths: Widths) -> Widths:
        for stage, bits in widths.items() if isinstance(widths, dict) else [("", widths)]:
            if not STATE_WIDTHS[0] <= bits <= STATE_WIDTHS[1]:
                where = f"{stage}: " if stage else ""
                raise ValueError(
                    f"{where}width {bits} does not exist; choose from {STATE_WIDTHS[0]} to {STATE_WIDTHS[1]}"
                )
        return widths


class Search(Section):
    """What is searched, how, and for how long."""

    strategy: str = Field(
        "posterior", description="search strategy: a name of `svit-dse search --help`, or FILE.py:CLASS of your own"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="options of the strategy")
    evaluations: int | None = Field(
        None, ge=1, description="designs to evaluate, baselines included; empty: 100, or as many as `images` allow"
    )
    images: int | None = Field(
        None, ge=100, description="budget in images of all evaluations together; empty: as many as `evaluations` need"
    )
    hours: float | None = Field(
        None, gt=0, description="time for the evaluations; converted once to `images`, by the speed of this machine"
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="seed of all random numbers")
    widths: tuple[int, ...] = Field((1, 2, 3, 4, 6, 8), min_length=1, description="weight widths to choose from")
    granularity: Literal["layer", "module", "block", "stage"] = Field("module", description="what has one width")
    fixed: dict[str, int] = Field(default_factory=dict, description="layers, blocks or stages with a given width")
    time_steps: tuple[int, ...] = Field((), description="time steps to choose from; empty: 1 to the checkpoint's")
    state_widths: tuple[int, ...] = Field(
        (4, 8, 16), description="membrane potential widths to choose from per stage; empty: not quantized"
    )
    stream_widths: tuple[int, ...] = Field(
        (), description="residual stream widths to choose from per stream; empty: as `activations.stream` says"
    )
    between_widths: tuple[int, ...] = Field(
        (), description="widths of sums without neurons to choose from per stage; empty: as `activations.between` says"
    )
    forms: tuple[Form, ...] = Field(
        (), description="forms to choose from, [unfused, fused] for both; empty: the configuration's `form`"
    )
    prior: Literal["fisher", "both", "auto"] = Field(
        "auto",
        description="prior of step 3: gradient scores (fisher), also one-at-a-time distances (both), or also those "
        "distances that fall with the width in a test on 16 images (auto)",
    )
    prior_images: int | None = Field(
        None,
        ge=16,
        description="images per distance with `prior: both`; empty: at most 128, and at most ten evaluations in all",
    )
    objectives: tuple[str, str, str] = Field(
        ("drop", "memory", "power"), description="drop and memory, then power, energy or latency"
    )

    @field_validator("widths")
    @classmethod
    def _known_widths(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        bad = [b for b in widths if b not in WEIGHT_WIDTHS]
        if bad:
            raise ValueError(f"width {bad[0]} does not exist; choose from {', '.join(map(str, WEIGHT_WIDTHS))}")
        return tuple(sorted(set(widths)))

    @field_validator("fixed")
    @classmethod
    def _known_fixed(cls, fixed: dict[str, int]) -> dict[str, int]:
        for name, bits in fixed.items():
            if bits not in WEIGHT_WIDTHS:
                raise ValueError(
                    f"{name}: width {bits} does not exist; choose from {', '.join(map(str, WEIGHT_WIDTHS))}"
                )
        return fixed

    @field_validator("state_widths", "stream_widths", "between_widths")
    @classmethod
    def _known_others(cls, widths: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        bad = [b for b in widths if not STATE_WIDTHS[0] <= b <= STATE_WIDTHS[1]]
        if bad:
            what = str(info.field_name).removesuffix("_widths")
            raise ValueError(
                f"{what} width {bad[0]} does not exist; choose from {STATE_WIDTHS[0]} to {STATE_WIDTHS[1]}"
            )
        return tuple(sorted(set(widths)))

    @field_validator("time_steps")
    @classmethod
    def _positive_steps(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(t < 1 for t in steps):
            raise ValueError("time steps must be at least 1")
        return tuple(sorted(set(steps)))

    @field_validator("forms")
    @classmethod
    def _forms_once(cls, forms: tuple[Form, ...]) -> tuple[Form, ...]:
        if twice := [g for g in FORMS if forms.count(g) > 1]:
            raise ValueError(f"{twice[0]} is listed twice; name every form once")
        return tuple(g for g in FORMS if g in forms)

    @model_validator(mode="after")
    def _one_budget_of_images(self) -> Search:
        if self.images is not None and self.hours is not None:
            raise ValueError("images and hours both set how much is measured; leave one of the two out")

        return self

    @model_validator(mode="after")
    def _layers_in_common(self) -> Search:
        if len(self.forms) > 1 and self.granularity == "layer":
            raise ValueError(ONE_FORM_PER_LAYER)
        return self

    @field_validator("objectives")
    @classmethod
    def _known_objectives(cls, names: tuple[str, str, str]) -> tuple[str, str, str]:
        if names[:2] != ("drop", "memory") or names[2] not in ("power", "energy", "latency"):
            raise ValueError("expected [drop, memory, power], or energy or latency instead of power")
        return names


class Constraints(Section):
    """Constraints on a pick besides the budgets; the default strategy proposes only designs that meet them."""

    equal: tuple[tuple[str, ...], ...] = Field(
        (), description="groups with one width, by their names in a block: [[attn.q_conv, attn.k_conv, attn.v_conv]]"
    )
    max_widths: int | None = Field(
        None, ge=1, description="largest number of different weight widths in one network; empty: no limit"
    )
    allowed: tuple[int, ...] = Field((), description="weight widths that a pick may have; empty: all that are searched")


class Config(Section):
    """Everything a run depends on."""

    network: Network = Field(
        Network(),
        description="a name of `svit-dse networks`, FILE.py:FUNCTION, or {file: ..., build: ..., options: {...}}; "
        "empty: the one the checkpoint names",
    )
    checkpoint: str | None = Field(
        None,
        description="a shipped checkpoint's name or a file; empty: the initial weights of a named network, or "
        f"{CHECKPOINT} where none is named",
    )
    form: Form = Field(
        "unfused",
        description="keep chains of linear convolutions, or fuse each into one dense convolution; see `search.forms`",
    )
    hardware: str = Field("generic_45nm", description="a shipped chip's name or a YAML file of your own")
    frame_rate: float = Field(30.0, gt=0, description="inferences per second at which average power is stated")
    data: Data = Data()
    quantization: Quantization = Quantization()
    activations: Activations = Activations()
    search: Search = Search()
    budgets: dict[str, float] = Field(
        default_factory=lambda: {"drop": 1.0}, description="limits: drop (percentage points), memory, energy, ..."
    )

    @field_validator("budgets", mode="before")
    @classmethod
    def _with_units(cls, budgets: Any) -> dict[str, float]:
        if not isinstance(budgets, Mapping):
            raise ValueError("expected a mapping such as {drop: 1.0, memory: 300 kB}")
        known = {b.key: b for b in QUANTITIES}
        out = {}
        for key, text in budgets.items():
            if key not in known:
                raise ValueError(f"unknown budget {key!r}; there are {', '.join(known)}")
            out[str(key)] = parse(text, known[key].unit, f"budgets.{key}", known[key].example)
        return out

    constraints: Constraints = Constraints()

    @model_validator(mode="after")
    def _one_choice_of_width(self) -> Config:
        for name in ("stream", "between"):
            if getattr(self.search, f"{name}_widths") and getattr(self.activations, name) != USUAL_BITS:
                raise ValueError(
                    f"search.{name}_widths and activations.{name} set the same widths; leave one of the two out"
                )
        return self

    @model_validator(mode="after")
    def _one_choice_of_form(self) -> Config:
        searched = self.search.forms
        if searched and "form" in self.model_fields_set and self.form != searched[0]:
            raise ValueError(
                f"search.forms is [{', '.join(searched)}], so the float network and baselines are {searched[0]}, but "
                f"form is {self.form!r}; leave form out"
            )
        return self

    @property
    def weights(self) -> str | None:
        """The checkpoint that the network takes its weights from; None where it keeps those it is built with."""
        return self.checkpoint or (CHECKPOINT if self.network.reference is None else None)

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms to choose from; the float network and the baselines are those of the first."""
        return self.search.forms or (self.form,)

    def column_budgets(self) -> dict[str, float]:
        """The budgets by column of results.csv."""
        return {b.column: self.budgets[b.key] for b in QUANTITIES if b.key in self.budgets}
