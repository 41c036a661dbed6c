"""The integers of a design that were learned or estimated after a search, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sviT_models
from costmodels.whole_files import replacing
from dse.errors import ConfigError

if TYPE_CHECKING:
    from dse.evaluation.experiment import Experiment

PARTS = ("codes", "scale", "shift")

Weights = dict[str, "sviT_models.QuantizedWeight"]  # by layer; as text, so that a run is read without torch


def with_weights(experiment: Experiment, weights: Weights) -> Experiment:
    """The experiment, of one form, with learned integers in the place of its bank's."""
    calibration, network = experiment.source.for_calibration(), experiment.network
    bank = sviT_models.LearnedBank(network.model, weights, images=calibration.images, scheme=network.bank.scheme)
    return experiment.with_network(network.with_bank(bank))


def save_weights(directory: Path, weights: Weights) -> None:
    """Write the integers of every layer where `load_weights` finds them."""
    from safetensors.torch import save_file

    parts = {f"{layer}.{part}": getattr(w, part).contiguous() for layer, w in weights.items() for part in PARTS}
    with replacing(directory / "weights.safetensors") as part:
        save_file(parts, part)


def load_weights(directory: Path, layers: tuple[str, ...], weight_bits: tuple[int, ...]) -> Weights:
    """The integers that `save_weights` has written.  Raises ConfigError for a file that is missing or lacks a layer."""
    from safetensors.torch import load_file

    path = directory / "weights.safetensors"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; fine-tune the design again")
    held = load_file(path)
    missing = [f"{layer}.{part}" for layer in layers for part in PARTS if f"{layer}.{part}" not in held]
    if missing:
        raise ConfigError(f"{path}: has no {missing[0]}; fine-tune the design again")
    return {
        layer: sviT_models.QuantizedWeight(held[f"{layer}.codes"], held[f"{layer}.scale"], bits, held[f"{layer}.shift"])
        for layer, bits in zip(layers, weight_bits, strict=True)
    }
