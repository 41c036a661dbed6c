"""Designs whose integers were learned or estimated after a search: what keeps them beside the run, and finds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file, save_file

import sviT_models
from dse.errors import ConfigError
from dse.evaluation.experiment import Workbench
from dse.evaluation.loading import load_at_most

PARTS = ("codes", "scale", "shift")
TABLE = "finetuned.csv"


def with_weights(bench: Workbench, weights: dict[str, Any]) -> Workbench:
    """The workbench with learned integers in the place of its bank's."""
    calibration = load_at_most(bench.config, "validation", bench.config.data.calibration_images)
    bank = sviT_models.LearnedBank(bench.model, weights, images=calibration.images, scheme=bench.bank.scheme)
    return replace(bench, bank=bank, engine=sviT_models.Engine(bench.model, bank))


def save_weights(directory: Path, weights: dict[str, Any]) -> None:
    """Write the integers of every layer where `load_weights` finds them."""
    parts = {f"{layer}.{part}": getattr(w, part).contiguous() for layer, w in weights.items() for part in PARTS}
    save_file(parts, directory / "weights.safetensors")


def load_weights(directory: Path, layers: tuple[str, ...], weight_bits: tuple[int, ...]) -> dict[str, Any]:
    """The integers that `save_weights` has written.  Raises ConfigError for a file that is missing or lacks a layer."""
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


def row_of(run: Path, table: pd.DataFrame, design: str | None) -> pd.Series:
    """The row of a design, by id or origin, in the results of a run or among its fine-tuned designs.

    Raises ConfigError where neither has it.
    """
    path = run / TABLE
    known = pd.concat([table, pd.read_csv(path)], ignore_index=True) if path.is_file() else table
    rows = known[(known["id"] == design) | (known["origin"] == design)]
    if rows.empty:
        ids, origins = ", ".join(known["id"].head(3)), ", ".join(known["origin"].unique())
        raise ConfigError(f"--design {design}: no such id in {run / 'results.csv'} ({ids}, ...), nor one of {origins}")
    return rows.iloc[0]
