"""Parts that a caller in Python puts in the place of the tool's: an evaluator of designs, functions that cost them."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.errors import ConfigError
from dse.problem.design import FLOAT

if TYPE_CHECKING:
    from dse.evaluation.evaluator import Runner  # brings the engine, which costing a run does without

Cost = Callable[[IntArray, IntArray], FloatArray]


@dataclass(frozen=True, eq=False)
class OwnParts:
    """The parts that are not the tool's; none by default.

    evaluator  gives logits at given weight widths, in the place of the integer engine
    costs      by column of results.csv: widths (N, L) [bit] and time steps (N,) -> costs (N,) [SI, mm2], in the place
               of the chip's model
    """

    evaluator: Runner | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.evaluator is not None or bool(self.costs)

    def record(self) -> dict[str, Any]:
        """What manifest and fingerprint say of them: what each is called, and a hash of its code where there is any."""
        found: dict[str, Any] = {}
        if self.evaluator is not None:
            found["evaluator"] = _named(self.evaluator)
        return found | ({"costs": {name: _named(cost) for name, cost in self.costs.items()}} if self.costs else {})

    def runner(self, engine: Any, sample: Any) -> Any:
        """The caller's evaluator in the place of the engine, or the engine; `sample` are images for float spikes."""
        return engine if self.evaluator is None else OwnRunner(self.evaluator, _float_spikes(engine, sample))


NONE = OwnParts()


@dataclass(frozen=True, eq=False)
class OwnRunner:
    """A caller's evaluator as the search calls it.

    runner: the evaluator; spikes: of the float network per image, (LIF layers, T), for an evaluator that counts none.
    """

    runner: Runner
    spikes: FloatArray

    def run(self, images: Any, weight_bits: Any, *, time_steps: int, batch_size: int, on_batch: Any = None) -> Any:
        """`logits` (N, classes) and `spikes` (LIF layers, T), summed over the images.

        Raises ConfigError for logits or spikes of another shape.
        """
        count, layers = len(images), len(self.spikes)
        out = self.runner.run(images, weight_bits, time_steps=time_steps, batch_size=batch_size)
        logits = np.asarray(out.logits, dtype=np.float64)
        if logits.ndim != 2 or len(logits) != count:
            raise ConfigError(
                f"evaluator: gave logits of shape {logits.shape} for {count} images; expected (N, classes)"
            )
        spikes = np.asarray(getattr(out, "spikes", ()))
        if not spikes.size:
            spikes = np.rint(self.spikes[:, :time_steps] * count)
        elif spikes.ndim != 2 or len(spikes) != layers:
            raise ConfigError(
                f"evaluator: gave spikes of shape {spikes.shape}; expected ({layers}, T), a row for every neuron "
                "layer, or none"
            )
        found = SimpleNamespace(logits=logits, spikes=spikes)
        if on_batch is not None:
            on_batch(found)
        return found


def _float_spikes(engine: Any, images: Any) -> FloatArray:
    """Spikes of the float network per image, (LIF layers, T)."""
    widths = [FLOAT] * len(engine.layers)
    return np.asarray(engine.run(images, widths).spikes, dtype=np.float64) / len(images)


def costs_of(costs: Mapping[str, Cost], bits: Any, steps: Any) -> dict[str, FloatArray]:
    """The caller's costs of designs by column, each (N,).

    costs  by column; bits  (N, L); steps  (N,)

    Raises ConfigError for a function that does not give one finite number per design.
    """
    found = {}
    for column, cost in costs.items():
        found[column] = one_per_design(cost(np.asarray(bits), np.asarray(steps)), bits, f"costs: {_name(cost)}", column)
    return found


def one_per_design(given: Any, bits: Any, source: str, column: str) -> FloatArray:
    """What `source` gave for a column of costs, as (N,) finite numbers for designs of widths `bits` (N, L).

    Raises ConfigError for any other shape and for numbers that are not finite.
    """
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (len(bits),):
        wrong = f"an array of shape {values.shape}"
    elif not np.isfinite(values).all():
        wrong = "numbers that are not finite"
    else:
        return values
    raise ConfigError(
        f"{source} gave {wrong} for {column}; expected {len(bits)} finite numbers for widths of shape {np.shape(bits)}"
    )


def _name(part: Any) -> str:
    """What a function, or the class of an object, is called."""
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}.{named.__qualname__}"


def _named(part: Any) -> dict[str, str]:
    found = {"name": _name(part)}
    try:
        source = inspect.getsource(part if hasattr(part, "__qualname__") else type(part))
    except (OSError, TypeError):  # made in a shell, or compiled
        return found
    return found | {"sha256": hashlib.sha256(source.encode()).hexdigest()}
