"""Integer weights that the processes of one machine make for each other, kept on disk by what they depend on."""

from __future__ import annotations

from typing import Any

from torch import nn

from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network
from sviT_models.graph.structures import identity
from sviT_models.kept import Store, folder, hashed, packed, unpacked
from sviT_models.network.layers import weight_of
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight
from sviT_models.quantization.weight_bank import WeightBank


class SharedBank(WeightBank):
    """Integer weights that another worker may have made already.

    model   a network, or the graph of one
    sha256  of the calibration images, which the weights depend on

    The options are those of `WeightBank`.
    """

    def __init__(self, model: nn.Module | Graph, *, sha256: str, **options: Any) -> None:
        super().__init__(model, **options)
        self._key = hashed(identity(as_network(model)), sha256, {k: v for k, v in options.items() if k != "images"})
        self._store = Store(folder("weights"))

    def make(self, layer: str, bits: int) -> QuantizedWeight:
        """The weights of one layer at one width, as kept or rounded anew."""

        def packed_anew() -> bytes:
            made = super(SharedBank, self).make(layer, bits)
            tensors = {"codes": made.codes, "scale": made.scale, "shift": made.shift}
            return packed(tensors, [note for note in self.notes if note.startswith(f"{layer}: ")])

        if bits == FLOAT:
            return super().make(layer, bits)
        tensors, notes = unpacked(self._store.once(hashed(self._key, layer, bits), packed_anew))
        self.notes += [note for note in notes if note not in self.notes]
        device = weight_of(self.modules[layer]).device
        return QuantizedWeight(bits=bits, **{name: each.to(device) for name, each in tensors.items()})
