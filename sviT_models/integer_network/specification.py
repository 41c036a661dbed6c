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
from sviT_models.engine.fixed_point.run import codes_of
from sviT_models.engine.number_formats import signed_bits
from sviT_models.integer_network import interpreter
from sviT_models.integer_network.read import Exported

Arrays = dict[str, NDArray[np.int64]]


def specification(
    plan: Plan, weights: Mapping[str, IntegerWeight], image: Sequence[int]
) -> tuple[dict[str, Any], Arrays]:
    """Everything the integer network is: JSON values, and its tensors as int64.

    plan     the constants of the design
    weights  its integer weights by layer
    image    the shape of one image, (C, H, W) or (T, C, H, W)
    """
    arrays: Arrays = {f"{layer}.weight": codes_of(weight) for layer, weight in weights.items()}
    for name, rule in plan.rescales.items():
        arrays |= {f"{name}.{part}": getattr(rule, part) for part in ("multiplier", "offset", "right")}
    bits = int(plan.image.high).bit_length() + 1
    spec = {
        "image": {"bits": bits, "fraction": plan.image.fraction, "shape": list(image)},
        "logits": {"fraction": plan.logit_fraction},
        **plan.constants,
        "nodes": plan.nodes,
    }
    return spec, arrays


def accumulator_widths(spec: dict[str, Any], arrays: Arrays, plan: Plan, images: NDArray[np.int64]) -> pd.DataFrame:
    """Accumulator width of every weight layer: `layer, worst_case_bits, observed_bits`, signed, on integer `images`.

    spec    the specification, as `specification` gives it
    arrays  its integers by name
    plan    the plan it was made from
    images  (N, ...) integers

    The worst case is over all inputs of the layer that its format can hold; where sums are added over steps before
    anything else is done with them, it is that of all steps together.
    """
    seen: dict[str, list[int]] = {}

    def look(layer: str, sums: NDArray[np.int64]) -> None:
        seen.setdefault(layer, []).extend((int(sums.min()), int(sums.max())))

    interpreter.run(spec, arrays, images, look)
    rows: dict[str, tuple[int, int]] = {}
    for node in spec["nodes"]:
        if node["op"] == "conv":
            layer, (low, high) = node["layer"], plan.largest[node["output"].removesuffix(":sums")]
            before = rows.get(layer, (0, 0))
            rows[layer] = max(before[0], signed_bits(low, high)), signed_bits(min(seen[layer]), max(seen[layer]))
    return pd.DataFrame([(n, *bits) for n, bits in rows.items()], columns=["layer", "worst_case_bits", "observed_bits"])


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
    state_bits       widths [bit] of the membrane potentials: one, by neuron layer, or (layers,)
    images           (N, 3, H, W) floats, or (N, T, C, H, W) frames
    activation_bits  widths [bit] between layers: one, or by `Engine.activation_names`; default: the engine's
    time_steps       time steps to run; default: the network's own

    Raises ModelError as `Engine.run`.
    """
    plan = engine.plan(images, weight_bits, state_bits, activation_bits, time_steps)
    weights = {layer: engine.integers(layer, bits) for layer, bits in engine.bits(weight_bits).items()}
    return Exported(*specification(plan, weights, images.shape[1:]), Path())
