"""Integer weights of every layer at every width, made once and shared by all evaluations."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from sviT_models.errors import ModelError
from sviT_models.network import weight_layers
from sviT_models.quantize import QuantizedWeight, Scheme, quantize_weight

METHODS = ("nearest",)


@dataclass
class Counts:
    """How often weights were rounded, handed out again, and thrown away to stay within the memory limit."""

    builds: int = 0
    hits: int = 0
    evictions: int = 0


class WeightBank:
    """Quantized weights of a network by (layer, bits).

    `layers` are the weight layers in network order; `max_bytes` bounds the memory, the least recently used entries
    go first. Raises ModelError for options that do not exist.
    """

    def __init__(
        self,
        model: nn.Module,
        method: str = "nearest",
        *,
        granularity: str = "channel",
        clip: str = "mse",
        scale: str = "free",
        two_bit: str = "four",
        max_bytes: int | None = None,
    ) -> None:
        if method not in METHODS:
            raise ModelError(f"quantization.method is {method!r}; expected one of {', '.join(METHODS)}")
        self.method = method
        self.scheme = Scheme(granularity, clip, scale, "nearest", two_bit)
        self.layers = tuple(weight_layers(model))
        self._modules = {name: model.get_submodule(name) for name in self.layers}
        self._held: OrderedDict[tuple[str, int], QuantizedWeight] = OrderedDict()
        self._max_bytes = max_bytes
        self.counts = Counts()
        self.nbytes = 0

    def get(self, layer: str, bits: int) -> QuantizedWeight:
        """The weights of one layer at one width; raises ModelError naming the layer where they cannot be made."""
        held = self._held.get((layer, bits))
        if held is not None:
            self.counts.hits += 1
            self._held.move_to_end((layer, bits))
            return held
        if layer not in self._modules:
            raise ModelError(f"no weight layer {layer!r} in this network")
        scheme = self.scheme
        try:
            made = quantize_weight(
                self._modules[layer].weight,
                bits,
                granularity=scheme.granularity,
                clip=scheme.clip,
                scale=scheme.scale,
                two_bit=scheme.two_bit,
            )
        except ModelError as error:
            raise ModelError(f"{layer}: {error}") from None
        self.counts.builds += 1
        self._held[layer, bits] = made
        self.nbytes += made.nbytes
        while self._max_bytes is not None and self.nbytes > self._max_bytes and len(self._held) > 1:
            self.nbytes -= self._held.popitem(last=False)[1].nbytes
            self.counts.evictions += 1
        return made

    def design(self, weight_bits: list[int] | tuple[int, ...]) -> dict[str, QuantizedWeight]:
        """The weights of a design, one width per layer in network order.  Raises ModelError for another length."""
        if len(weight_bits) != len(self.layers):
            raise ModelError(f"{len(weight_bits)} widths for {len(self.layers)} weight layers")
        return {name: self.get(name, int(bits)) for name, bits in zip(self.layers, weight_bits, strict=True)}
