"""What a configuration names, loaded and checked: below this module nothing knows the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import costmodels
import sviT_models
from costmodels import Hardware, load_hardware
from dse import version
from dse.config.quantities import objective_columns
from dse.config.schema import Activations, Config, Search
from dse.errors import ConfigError
from dse.evaluation.activation_widths import ActivationWidths, engine_widths, with_input_widths
from dse.evaluation.experiment import Experiment
from dse.evaluation.images import ImageSource
from dse.evaluation.network import Network
from dse.evaluation.opened import check_classes, frames_of, open_configured, state_widths_of, steps_of
from dse.evaluation.own_parts import NONE, OwnParts
from dse.problem.build_space import build_space, check_fixed
from dse.problem.by_form import ByForm
from dse.problem.constraints import sides_of
from dse.problem.form_space import build_form_space
from dse.problem.goals import Goals
from dse.problem.space import Space
from dse.progress import Advance, quiet, within
from sviT_models.hashing import sources
from sviT_models.quantization.shared_bank import SharedBank

PROFILE_IMAGES = 64


def prepare(config: Config, advance: Advance = quiet, shares: bool = False, own: OwnParts = NONE) -> Experiment:
    """Load, check and profile everything a configuration names; `advance` shows the progress of this and later steps.

    `shares`: integer weights and outputs of the float network are kept on disk for other workers, or taken from there.
    `own`: parts that a caller in Python puts in the place of the tool's.

    Raises ConfigError, ModelError or CostError with a one-line message for every mistake a user can make.
    """
    step = within(advance, "network, images and chip")
    step(0, 4)
    hardware = load_hardware(config.hardware)
    widths = chip_widths(config.search, hardware)
    source = image_source(config)
    images = source.for_search()
    step(1, 4)
    opened = open_configured(config, images)
    check_classes(config, images, opened)
    model = opened.model
    check_fixed(sviT_models.weight_layers(model), config.search.fixed)
    step(2, 4)
    sample = source.at_most("validation", PROFILE_IMAGES)
    models: dict[str, Any] = {form: sviT_models.fuse(model) if form == "fused" else model for form in config.forms}
    products = hardware.needs_products
    tables = {form: sviT_models.profile(model, sample.images, products=products) for form, model in models.items()}
    step(3, 4)
    calibration = source.for_calibration()
    states = state_widths_of(config, model)
    _check_potentials(config, states)
    others = {"state": states, "stream": config.search.stream_widths, "between": config.search.between_widths}
    choices: dict[str, Any] = {"widths": widths, "other_widths": others, "time_steps": steps_of(config, model)}
    space = _space(config.search, tables, choices)
    networks = {form: _network(config, form, models[form], tables[form], calibration) for form in models}
    if shares:
        networks = {form: _sharing(config, network, calibration) for form, network in networks.items()}
    if hardware.chip.skips_zeros:  # the search needs the zeros of every width
        networks = {
            form: network.with_zero_shares(space.forms[form].weight_widths) for form, network in networks.items()
        }
    if own.evaluator is not None:
        _check_own(config, space)
        networks = {form: replace(n, own=own.runner(n.engine, sample.images)) for form, n in networks.items()}
    step(4, 4)
    by_form = ByForm.of(networks, lambda network: network.layers)
    return Experiment(by_form, opened, source, images, space, widths, hardware, config.frame_rate, advance, own)


def image_source(config: Config) -> ImageSource:
    """The data set of a configuration."""
    return ImageSource(**(config.data.model_dump() | {"frames": frames_of(config)}), seed=config.search.seed)


def chip_widths(search: Search, hardware: Hardware) -> tuple[int, ...]:
    """Weight widths to search [bit]: the configured ones; else those of the default that the chip has.

    Raises ConfigError for a width that was asked for and that the chip does not have.
    """
    missing = [b for b in search.widths if b not in hardware.weight_widths]
    if "widths" not in search.model_fields_set:
        return tuple(b for b in search.widths if b not in missing) or tuple(hardware.weight_widths)
    if missing:
        have = ", ".join(map(str, hardware.weight_widths))
        raise ConfigError(
            f"search.widths: {hardware.name} has no {missing[0]}-bit weights; it has {have}; "
            "change search.widths or the chip file's weight widths"
        )
    return search.widths


def resolved(config: Config, experiment: Experiment) -> Config:
    """The configuration with the widths that the experiment has, so that it says by itself what was searched."""
    kinds = {d.kind for d in experiment.space.dimensions}
    states = config.search.state_widths if "state" in kinds else ()
    search = config.search.model_copy(update={"widths": experiment.widths, "state_widths": states})
    return config.model_copy(update={"search": search})


def goals(config: Config, space: Space) -> Goals:
    """What the search of a configuration is for.  Raises ConfigError for constraints that the space does not have."""
    objectives = objective_columns(config.search.objectives)
    return Goals(objectives, config.column_budgets(), sides_of(space, **config.constraints.model_dump()))


def fingerprint(config: Config, experiment: Experiment) -> dict[str, Any]:
    """What the measurements of an experiment and the objective values of its study depend on."""
    spaces, images = experiment.space.forms.values(), experiment.images
    calibration = experiment.source.for_calibration()
    space = [[d.name, list(d.choices), list(d.layers)] for each in spaces for d in each.dimensions]
    fixed = dict(experiment.space.fixed or {})
    given = config.activations.model_dump(mode="json", exclude_defaults=True)
    own = {"own": experiment.own.record()} if experiment.own else {}
    return (
        ({"activations": given} if given else {})
        | own
        | {
            "tool": version(),
            "checkpoint": experiment.checkpoint.sha256,
            "data": identity(images),
            "calibration": f"{calibration.split}/{len(calibration)}/{calibration.sha256}",
            "code": code_hash(),
            "torch": torch.__version__,
            "form": " or ".join(config.forms),
            "quantization": config.quantization.model_dump(mode="json"),
            "space": hashlib.sha256(json.dumps([space, fixed]).encode()).hexdigest(),
            "objectives": list(config.search.objectives),
            "hardware": experiment.hardware.sha256,
            "frame_rate": config.frame_rate,
        }
    )


def identity(images: Any) -> str:
    """What tells a set of images from every other one, by content."""
    return f"{images.name}/{images.split}/{len(images)}/{images.sha256}"


def code_hash(*folders: Path) -> str:
    """SHA-256 of the models and of `folders`, by content; by default of what measures and costs a design."""
    packages = [Path(package.__path__[0]) for package in (sviT_models, costmodels)]
    return sources(*packages, *(folders or (Path(__file__).parent,)))


def _check_own(config: Config, space: Space) -> None:
    """Raises ConfigError for what an evaluator of the caller is not told of: it is given widths of weights."""
    if config.forms != ("unfused",):
        raise ConfigError(
            "search.forms: an evaluator of your own is given the widths of one form; leave form and forms out"
        )
    others = {d.kind for d in space.dimensions} - {"weight", "time_steps"}
    if others:
        kind = sorted(others)[0]
        raise ConfigError(
            f"search.{kind}_widths: an evaluator of your own is given weight widths alone; write an empty list"
        )


def _check_potentials(config: Config, state_widths: tuple[int, ...]) -> None:
    """Raises ConfigError where widths are given but potentials are float: only integer networks have such widths."""
    usual, search = Activations(), config.search
    changed = [f"activations.{key}" for key, value in config.activations if value != getattr(usual, key)]
    changed += [f"search.{key}" for key in ("stream_widths", "between_widths") if getattr(search, key)]
    if changed and not state_widths:
        raise ConfigError(f"{changed[0]}: only the integer network has this width; set search.state_widths")


def _network(config: Config, form: str, model: Any, table: pd.DataFrame, calibration: Any) -> Network:
    """The network in one form, with the configured rounding and widths between layers."""
    bank = sviT_models.WeightBank(model, **config.quantization.model_dump(), images=calibration.images)
    engine = sviT_models.Engine(model, bank)
    names: tuple[str, ...] = ()
    if config.activations != Activations() or config.search.stream_widths or config.search.between_widths:
        names = engine.activation_names(calibration.images[:1])  # for which the network is traced
    between = engine_widths(**config.activations.model_dump(), names=names) if names else {}
    return Network(form, model, bank, engine, with_input_widths(table, between), ActivationWidths(names, between))


def _sharing(config: Config, network: Network, calibration: Any) -> Network:
    """The network with weights and outputs that other workers use too."""
    options = config.quantization.model_dump() | {"images": calibration.images}
    bank = SharedBank(network.model, sha256=calibration.sha256, **options)
    return replace(network.with_bank(bank), shares=True)


def _space(search: Search, tables: Mapping[str, pd.DataFrame], choices: Mapping[str, Any]) -> Space:
    options: dict[str, Any] = {"granularity": search.granularity, "fixed": search.fixed, **choices}
    if len(tables) > 1:
        return build_form_space(tables, **options)
    form, table = next(iter(tables.items()))
    return replace(build_space(table, **options), form=form)
