"""Everything a run works with, made from a configuration: network, images, engine, layer table, chip, space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

import sviT_models
from costmodels import Hardware, Workload, load_hardware
from dse import version
from dse.arrays import FloatArray
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation import activation_widths
from dse.evaluation.costs import Costing
from dse.evaluation.evaluator import Evaluator, Subject
from dse.evaluation.loading import chip_widths, load_at_most, load_images, load_network
from dse.problem.design import FLOAT, Design, uniform
from dse.problem.form_space import build_form_space
from dse.problem.space import Space, build_space
from dse.progress import Advance, quiet, within

PROFILE_IMAGES = 64
CHAOS_IMAGES = 1000


@dataclass(frozen=True)
class Experiment:
    """The parts of a run; `prepare` makes it.  `advance` hears how far its long steps are.

    In a search over forms it is that of the first one, with the space of all; `variants` holds an experiment for each.
    Their integer weights and calibrations are made when first used.
    """

    config: Config
    model: Any
    checkpoint: sviT_models.Checkpoint
    images: Any
    bank: Any
    engine: Any
    table: pd.DataFrame
    space: Space
    hardware: Hardware
    advance: Advance = quiet
    variants: Mapping[str, Experiment] = field(default_factory=dict)

    @property
    def forms(self) -> Mapping[str, Experiment]:
        """The experiment by form of the network, one as a rule."""
        return self.variants or {self.config.form: self}

    def of(self, design: Design) -> Experiment:
        """The experiment of a design's form; this one where no other is known."""
        return next((part for part in self.forms.values() if part.layers == design.layers), self)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return self.space.layers

    @cached_property
    def weights(self) -> dict[str, int]:
        """Number of weights per weight layer."""
        rows = self.table[self.table["weights"] > 0]
        return dict(zip(rows["name"], rows["weights"].astype(int), strict=True))

    @property
    def notes(self) -> list[str]:
        """What has to be said of the weights made so far, each thing once."""
        banks = [part.bank for part in self.forms.values()]
        return list(dict.fromkeys(note for bank in banks for note in bank.notes))

    @cached_property
    def lif_layers(self) -> list[str]:
        """LIF layers in the order of the engine's spike counts."""
        return list(sviT_models.lif_layers(self.model))

    @cached_property
    def lif_by_stage(self) -> dict[str, list[str]]:
        """LIF layers of every stage: those whose neurons are charged to a row of that stage."""
        charged = self.table[self.table["neurons"] > 0]
        return {stage: ";".join(part["lif"]).split(";") for stage, part in charged.groupby("stage", sort=False)}

    @cached_property
    def activation_bits(self) -> dict[str, int]:
        """Widths between layers that differ from the engine's own, by its names."""
        names = sviT_models.activation_names(self.engine.segments)
        return activation_widths.engine_widths(self.config.activations, names)

    @property
    def time_steps(self) -> int:
        """Time steps of the checkpoint."""
        return int(self.model.config.time_steps)

    @cached_property
    def float_design(self) -> Design:
        """The float network as a design: every width 32."""
        return uniform(self.layers, FLOAT, self.time_steps)

    def costing(self, hardware: Hardware | None = None) -> Costing:
        """The cost model of this network on its chip, or on another."""
        workloads = {form: Workload.from_table(part.table) for form, part in self.forms.items()}
        return Costing(workloads, hardware or self.hardware, self.config.frame_rate, tuple(self.lif_layers))

    @property
    def subject(self) -> Subject:
        """What evaluates the designs of this form."""
        return Subject(self.engine, self.float_design, self.lif_by_stage, self.activation_bits)

    def evaluator(self, images: Any) -> Evaluator:
        """An evaluator of designs on a set of images; runs the float network once, of every form that occurs."""
        self.round([self.float_design])
        return Evaluator(
            [part.subject for part in self.forms.values()],
            images.images,
            images.labels,
            self.config.data.batch_size,
            within(self.advance, "images through the float network"),
        )

    def round(self, designs: Iterable[Design]) -> None:
        """Make the integer weights of some designs now, so that measuring them is measuring only."""
        banks = [(self.of(d).bank, d) for d in designs]
        wanted = dict.fromkeys((bank, *pair) for bank, d in banks for pair in zip(d.layers, d.weight_bits, strict=True))
        for done, (bank, layer, bits) in enumerate(wanted, start=1):
            bank.get(layer, bits)
            self.advance("rounding layers", done, len(wanted))

    def load(self, split: str, count: int | None) -> Any:
        """Images of one split of the configured data set."""
        return load_images(self.config, split, count)

    def chaos_floor(self) -> sviT_models.ChaosFloor:
        """How much the float network disagrees with itself under noise, on the first search images."""
        part = slice(0, CHAOS_IMAGES)
        return sviT_models.chaos_floor(
            self.model, self.images.images[part], self.images.labels[part], seed=self.config.search.seed
        )

    def fisher(self, widths: Sequence[int]) -> pd.DataFrame:
        """Gradient sensitivity of every layer at every width: `form, layer, bits, score`, of every form.

        widths: in bits.
        """
        parts = [part._fisher(widths).assign(form=form) for form, part in self.forms.items()]
        return pd.concat(parts, ignore_index=True)

    def _fisher(self, widths: Sequence[int]) -> pd.DataFrame:
        images = load_at_most(self.config, "validation", self.config.data.fisher_images)
        self.round(uniform(self.layers, bits, self.time_steps) for bits in widths)
        progress = within(self.advance, "images backward")
        with_labels = images.images, images.labels
        return sviT_models.fisher_scores(self.model, self.bank, *with_labels, list(widths), progress=progress)

    def scores(self, fisher: pd.DataFrame) -> FloatArray:
        """Fisher scores summed over the layers of every dimension, (D, B): the mean of all forms; NaN where unknown."""
        return np.asarray(np.mean(list(self.scores_by_form(fisher).values()), axis=0))

    def scores_by_form(self, fisher: pd.DataFrame) -> dict[str, FloatArray]:
        """The scores (D, B) of every form."""
        forms = self.space.forms.items()
        return {form: _scores(space, fisher[fisher["form"] == form]) for form, space in forms}

    def fingerprint(self) -> dict[str, Any]:
        """What the measurements and the study's objective values depend on."""
        space = [
            [d.name, list(d.choices), list(d.layers)] for each in self.space.forms.values() for d in each.dimensions
        ]
        fixed = dict(self.space.fixed or {})
        given = self.config.activations.model_dump(mode="json", exclude_defaults=True)
        return ({"activations": given} if given else {}) | {
            "tool": version(),
            "checkpoint": self.checkpoint.sha256,
            "data": f"{self.images.name}/{self.images.split}/{len(self.images)}/{self.images.sha256}",
            "form": " or ".join(self.config.forms),
            "quantization": self.config.quantization.model_dump(mode="json"),
            "space": hashlib.sha256(json.dumps([space, fixed]).encode()).hexdigest(),
            "objectives": list(self.config.search.objectives),
            "hardware": self.hardware.sha256,
            "frame_rate": self.config.frame_rate,
        }


def _scores(space: Space, fisher: pd.DataFrame) -> FloatArray:
    """Scores (D, B) of the dimensions of one form."""
    by_layer = fisher.pivot_table(index="layer", columns="bits", values="score")
    out = np.full((len(space.dimensions), int(space.sizes.max())), np.nan)
    for row, d in zip(out, space.dimensions, strict=True):
        if d.kind == "weight":
            row[: len(d.choices)] = by_layer.loc[list(d.layers), list(d.choices)].sum(axis=0)
    return out


def prepare(config: Config, advance: Advance = quiet) -> Experiment:
    """Load, check and profile everything a configuration names; `advance` hears how far this and later steps are.

    Raises ConfigError, ModelError or CostError with a one-line message for every mistake a user can make.
    """
    step = within(advance, "network, images and chip")
    step(0, 4)
    hardware = load_hardware(config.hardware)
    config = chip_widths(config, hardware)
    model, checkpoint = load_network(config)
    step(1, 4)
    images = load_images(config, "search", config.data.search_images)
    if len(images.classes) != model.config.num_classes:
        raise ConfigError(
            f"data.name {config.data.name!r} has {len(images.classes)} classes, the checkpoint "
            f"{config.checkpoint!r} has {model.config.num_classes}; take the data set it was trained on"
        )
    step(2, 4)
    sample = load_at_most(config, "validation", PROFILE_IMAGES)
    networks: dict[str, Any] = {form: sviT_models.fuse(model) if form == "fused" else model for form in config.forms}
    tables = {form: sviT_models.profile(network, sample.images) for form, network in networks.items()}
    step(3, 4)
    calibration = load_at_most(config, "validation", config.data.calibration_images)
    activation_widths.check(config.activations, config.search.state_widths)
    space = _space(config, tables, model.config.time_steps)
    parts: dict[str, Experiment] = {}
    for form, network in networks.items():
        bank = sviT_models.WeightBank(network, **config.quantization.model_dump(), images=calibration.images)
        engine = sviT_models.Engine(network, bank)
        names = sviT_models.activation_names(engine.segments)
        table = activation_widths.with_input_widths(
            tables[form], activation_widths.engine_widths(config.activations, names)
        )
        own = config.model_copy(update={"form": form})
        if len(networks) > 1:
            own = own.model_copy(update={"search": own.search.model_copy(update={"forms": ()})})
        choices = space.forms[form]
        parts[form] = Experiment(own, network, checkpoint, images, bank, engine, table, choices, hardware, advance)
    step(4, 4)
    first = next(iter(parts.values()))
    return replace(first, config=config, space=space, variants=parts) if len(parts) > 1 else first


def _space(config: Config, tables: Mapping[str, pd.DataFrame], time_steps: int) -> Space:
    search = config.search
    options: dict[str, Any] = {
        "widths": search.widths,
        "granularity": search.granularity,
        "fixed": search.fixed,
        "state_widths": search.state_widths,
        "time_steps": search.time_steps or range(1, time_steps + 1),
    }
    if len(tables) > 1:
        return build_form_space(tables, **options)
    form, table = next(iter(tables.items()))
    return replace(build_space(table, **options), form=form)
