"""Everything a run works with, made from a configuration: network, images, engine, layer table, chip, space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import sviT_models
from costmodels import Hardware, Workload, load_hardware
from dse import activations, manifest
from dse.config import Config
from dse.costing import Costing
from dse.design import Design, uniform
from dse.errors import ConfigError
from dse.evaluate import Evaluator
from dse.space import Space, build_space
from dse.watch import Advance, quiet, within

FLOAT = 32
PROFILE_IMAGES = 64
CHAOS_IMAGES = 1000


@dataclass(frozen=True)
class Workbench:
    """The parts of a run; `prepare` makes it.  `advance` hears how far its long steps are."""

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

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return self.space.layers

    @cached_property
    def weights(self) -> dict[str, int]:
        """Number of weights per weight layer."""
        rows = self.table[self.table["weights"] > 0]
        return dict(zip(rows["name"], rows["weights"].astype(int), strict=True))

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
        return activations.engine_widths(self.config.activations, names)

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
        workload = Workload.from_table(self.table)
        return Costing(workload, hardware or self.hardware, self.config.frame_rate, tuple(self.lif_layers))

    def evaluator(self, images: Any) -> Evaluator:
        """An evaluator of designs on a set of images; runs the float network once."""
        self.round([self.float_design])
        return Evaluator(
            self.engine,
            images.images,
            images.labels,
            self.float_design,
            self.config.data.batch_size,
            self.lif_by_stage,
            within(self.advance, "images through the float network"),
            self.activation_bits,
        )

    def round(self, designs: Iterable[Design]) -> None:
        """Make the integer weights of some designs now, so that measuring them is measuring only."""
        wanted = dict.fromkeys(pair for d in designs for pair in zip(d.layers, d.weight_bits, strict=True))
        for done, (layer, bits) in enumerate(wanted, start=1):
            self.bank.get(layer, bits)
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
        """Gradient sensitivity of every layer at every width: `layer, bits, score`."""
        images = load_at_most(self.config, "validation", self.config.data.fisher_images)
        self.round(uniform(self.layers, bits, self.time_steps) for bits in widths)
        progress = within(self.advance, "images backward")
        with_labels = images.images, images.labels
        return sviT_models.fisher_scores(self.model, self.bank, *with_labels, list(widths), progress=progress)

    def scores(self, fisher: pd.DataFrame) -> NDArray[np.float64]:
        """Fisher scores summed over the layers of every dimension, (D, B); NaN beyond a dimension's choices."""
        by_layer = fisher.pivot_table(index="layer", columns="bits", values="score")
        out = np.full((len(self.space.dimensions), int(self.space.sizes.max())), np.nan)
        for row, d in zip(out, self.space.dimensions, strict=True):
            if d.kind == "weight":
                row[: len(d.choices)] = by_layer.loc[list(d.layers), list(d.choices)].sum(axis=0)
        return out

    def fingerprint(self) -> dict[str, Any]:
        """What the measurements and the study's objective values depend on."""
        space = [[d.name, list(d.choices), list(d.layers)] for d in self.space.dimensions]
        fixed = dict(self.space.fixed or {})
        given = self.config.activations.model_dump(mode="json", exclude_defaults=True)
        return ({"activations": given} if given else {}) | {
            "tool": manifest.version(),
            "checkpoint": self.checkpoint.sha256,
            "data": f"{self.images.name}/{self.images.split}/{len(self.images)}/{self.images.sha256}",
            "graph": self.config.graph,
            "quantization": self.config.quantization.model_dump(mode="json"),
            "space": hashlib.sha256(json.dumps([space, fixed]).encode()).hexdigest(),
            "objectives": list(self.config.search.objectives),
            "hardware": self.hardware.sha256,
            "frame_rate": self.config.frame_rate,
        }


def load_images(config: Config, split: str, count: int | None) -> Any:
    """Images of one split: `images` (N, 3, H, W) float32, `labels` (N,), `ids`, `sha256`."""
    seed = config.search.seed
    return sviT_models.load_data(
        config.data.name,
        split,
        count=count,
        seed=seed,
        resolution=config.data.resolution,
        max_corrupt=config.data.max_corrupt,
    )


def load_at_most(config: Config, split: str, count: int) -> Any:
    """Up to `count` images of one split, all of it where it has fewer."""
    try:
        return load_images(config, split, count)
    except sviT_models.ModelError:
        return load_images(config, split, None)  # raises again what is not about the number


def load_network(config: Config) -> tuple[Any, sviT_models.Checkpoint]:
    """The configured network with its weights, in evaluation mode, and where they came from."""
    checkpoint = sviT_models.open_checkpoint(config.checkpoint, network=config.network)
    model = checkpoint.model.eval()
    return sviT_models.fuse(model) if config.graph == "fused" else model, checkpoint


def chip_widths(config: Config, hardware: Hardware) -> Config:
    """The configuration with widths that the chip has: of those that nobody asked for, the others are left out.

    Raises ConfigError for a width that was asked for and that the chip does not have.
    """
    if "widths" not in config.search.model_fields_set:
        both = tuple(b for b in config.search.widths if b in hardware.weight_widths)
        search = config.search.model_copy(update={"widths": both or hardware.weight_widths})
        return config.model_copy(update={"search": search})
    missing = [b for b in config.search.widths if b not in hardware.weight_widths]
    if missing:
        have = ", ".join(map(str, hardware.weight_widths))
        raise ConfigError(
            f"search.widths: {hardware.name} has no {missing[0]}-bit weights; it has {have}; "
            "change search.widths or the chip file's weight widths"
        )
    return config


def prepare(config: Config, advance: Advance = quiet) -> Workbench:
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
    table = sviT_models.profile(model, sample.images)
    step(3, 4)
    calibration = load_at_most(config, "validation", config.data.calibration_images)
    activations.check(config.activations, config.search.state_widths)
    bank = sviT_models.WeightBank(model, **config.quantization.model_dump(), images=calibration.images)
    space = build_space(
        table,
        widths=config.search.widths,
        granularity=config.search.granularity,
        fixed=config.search.fixed,
        state_widths=config.search.state_widths,
        time_steps=config.search.time_steps or range(1, model.config.time_steps + 1),
    )
    engine = sviT_models.Engine(model, bank)
    names = sviT_models.activation_names(engine.segments)
    table = activations.with_input_widths(table, activations.engine_widths(config.activations, names))
    step(4, 4)
    return Workbench(config, model, checkpoint, images, bank, engine, table, space, hardware, advance)
