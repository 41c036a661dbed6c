"""A design as data: the specification and the integer tensors that `interpreter.run` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import IntegerWeight
from sviT_models.engine.engine import Engine
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.number_formats import GUARD, signed_bits
from sviT_models.integer_network import interpreter
from sviT_models.integer_network.read import Exported

Arrays = dict[str, NDArray[np.int64]]


def specification(
    plan: Plan, weights: Mapping[str, IntegerWeight], image_bits: int, steps: int, size: tuple[int, int]
) -> tuple[dict[str, Any], Arrays]:
    """Everything the integer network is: JSON values, and its tensors as int64."""
    arrays: Arrays = {}
    for layer, weight in weights.items():
        shape = weight.digits[0].shape
        four = (*shape, *[1] * (4 - len(shape)))  # linear and one-dimensional layers are 1x1 convolutions
        arrays[f"{layer}.weight"] = weight.codes().reshape(four)
    for name, rule in plan.rescales.items():
        arrays |= {f"{name}.{part}": getattr(rule, part) for part in ("multiplier", "offset", "right")}
    spec = {
        "time_steps": steps,
        "image": {"bits": image_bits, "fraction": plan.image_fraction, "height": size[0], "width": size[1]},
        "states": {
            n: {"bits": s.bits, "fraction": s.fraction, "threshold": s.threshold, "guard": GUARD}
            for n, s in plan.states.items()
        },
        "rescales": {n: {"low": r.low, "high": r.high, "fraction": r.fraction} for n, r in plan.rescales.items()},
        "nodes": plan.nodes,
    }
    return spec, arrays


def accumulator_widths(spec: dict[str, Any], arrays: Arrays, plan: Plan, images: NDArray[np.int64]) -> pd.DataFrame:
    """Accumulator width of every weight layer: `layer, worst_case_bits, observed_bits`, signed, on integer `images`.

    spec    the specification, as `specification` gives it
    arrays  its integers by name
    plan    the plan it was made from
    images  (N, 3, H, W) integers

    The worst case is over all inputs of the layer that its format can hold; a head's is that of all steps together.
    """
    heads = {n["input"].removesuffix(":sums") for n in spec["nodes"] if n["op"] == "sum_steps"}
    seen: dict[str, tuple[int, int]] = {}

    def look(layer: str, sums: NDArray[np.int64]) -> None:
        if layer in heads:
            sums = sums.sum(0)
        seen[layer] = int(sums.min()), int(sums.max())

    interpreter.run(spec, arrays, images, look)
    layers = [node["layer"] for node in spec["nodes"] if node["op"] == "conv"]
    rows = [(n, signed_bits(*plan.largest[n]), signed_bits(*seen[n])) for n in layers]
    return pd.DataFrame(rows, columns=["layer", "worst_case_bits", "observed_bits"])


def exported_design(
    engine: Engine,
    weight_bits: Sequence[int],
    state_bits: Widths,
    images: Tensor,
    *,
    activation_bits: Widths | None = None,
    time_steps: int | None = None,
) -> Exported:
    """The integer network of a design for images of the size of `images`, as `load_export` gives it, without files.

    engine           the network and its weight bank
    weight_bits      (L,) widths [bit] of the weight layers in network order; 32 leaves a layer float
    state_bits       widths [bit] of the membrane potentials: one, by LIF layer, or (layers,)
    images           (N, 3, H, W) floats
    activation_bits  widths [bit] between layers: one, or by `activation_names`; default: the engine's
    time_steps       time steps to run; default: the network's own

    Raises ModelError as `Engine.run`.
    """
    weights = engine.fixed_weights(weight_bits)
    plan = engine.plan(images, weight_bits, state_bits, activation_bits, time_steps)
    integers = {name: layer.integers for name, layer in weights.layers.items()}
    bits, steps = engine.image_bits(state_bits, activation_bits), engine.steps(time_steps)
    return Exported(*specification(plan, integers, bits, steps, tuple(images.shape[2:])), Path())
