"""What workers of one machine prepare for each other: integer weights, outputs of the float network, scores.

Each is kept on disk under the hash of all that it depends on (`sviT_models.kept`), and made by one process while the
others wait for it.  A search alone keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any, TypeVar

import pandas as pd
import torch

import sviT_models
from dse.problem.design import FLOAT
from sviT_models.graph.layers import as_network
from sviT_models.graph.structures import identity
from sviT_models.kept import Store, folder, hashed, packed, unpacked

T = TypeVar("T")
OUTPUTS, SCORES = "outputs", "scores"


@dataclass(frozen=True)
class SharedFloat:
    """An engine whose float network another worker may have run already on the same images.

    engine: what runs designs; model: the network.
    """

    engine: Any
    model: Any

    @cached_property
    def _key(self) -> str:
        return identity(as_network(self.model))

    def run(self, images: Any, weight_bits: Any, **options: Any) -> Any:
        """What the engine gives: `logits` and `spikes` at least."""
        heard = options.get("on_batch")
        if set(weight_bits) != {FLOAT} or options.keys() - {"time_steps", "batch_size", "on_batch"}:
            return self.engine.run(images, weight_bits, **options)

        made = False

        def packed_anew() -> bytes:
            nonlocal made
            made, out = True, self.engine.run(images, weight_bits, **options)
            return packed({"logits": torch.as_tensor(out.logits), "spikes": torch.as_tensor(out.spikes)})

        key = hashed(self._key, images, options.get("time_steps"))
        out = SimpleNamespace(**unpacked(Store(folder(OUTPUTS)).once(key, packed_anew))[0])
        if heard is not None and not made:
            heard(out)  # all images at once
        return out


def shared(
    parts: Sequence[Any] | None, make: Callable[[], T], written: Callable[[T], Any], read: Callable[[Any], T]
) -> T:
    """Scores that another worker may have made already.

    parts: what they depend on, as `hashed` takes them; None: they are made here and not kept.  make: makes them;
    written: as JSON; read: from JSON.
    """
    if parts is None:
        return make()
    content = Store(folder(SCORES)).once(hashed(*parts), lambda: json.dumps(written(make())).encode())
    return read(json.loads(content))


def as_json(table: pd.DataFrame) -> Any:
    """A table as JSON, every number to its last bit."""
    return {name: column.tolist() for name, column in table.items()}


def chaos_of(record: Any) -> sviT_models.ChaosFloor:
    """A chaos floor that was written as JSON."""
    pairs = {key: tuple(map(tuple, record[key])) for key in ("shared", "alone")}
    return sviT_models.ChaosFloor(**record | pairs)
