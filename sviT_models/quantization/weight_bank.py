"""Integer weights of every layer at every width, made once and shared by all evaluations."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, check_ordered, layers_with_constants, weight_layers
from sviT_models.network.layers import weight_of
from sviT_models.quantization.calibration import Inputs, calibrate
from sviT_models.quantization.compensated import compensated, spread
from sviT_models.quantization.quantizers import FLOAT, Nearest, QuantizedWeight, Scheme, quantize_weight
from sviT_models.threads import one_thread

PLAIN = ("nearest", "truncate", "stochastic")
CALIBRATED = ("corrected", "gptq", "compensated")
METHODS = (*PLAIN, *CALIBRATED)


@dataclass
class Counts:
    """How often weights were rounded, handed out again, and thrown away to stay within the memory limit."""

    builds: int = 0
    hits: int = 0
    evictions: int = 0


class WeightBank:
    """Quantized weights of a network by (layer, bits); the weights must not change while the bank is in use.

    model  a network, or the graph of one

    `layers` are the weight layers in network order. `method` is a rounding on its own (`nearest`, `truncate`,
    `stochastic`) or one that looks at `images` (N, 3, H, W), unlabelled, when it is first needed:

        corrected    nearest, and the mean output error that is left goes into the layer's bias
        gptq         GPTQ, with that correction
        compensated  nearest codes improved until no change of a single weight lowers the expected squared output error,
                     with that correction

    A layer without constants of its own on the chip (inside RepConv, SepConv's depthwise) has its mean error not
    corrected but counted in the error that is made small. A layer that never sees a spike on the images is rounded
    to nearest, and `notes` says so. `max_bytes` bounds the memory of the weights, the least recently used go first.
    Raises ModelError for options that do not exist, for a method that lacks its images, and for images that are the
    same number everywhere; a single channel that is becomes one of the `notes`.
    """

    def __init__(
        self,
        model: nn.Module | Graph,
        method: str = "nearest",
        *,
        images: Tensor | Iterable[Tensor] | None = None,
        granularity: str = "channel",
        clip: str = "mse",
        scale: str = "free",
        two_bit: str = "four",
        max_bytes: int | None = None,
    ) -> None:
        if method not in METHODS:
            raise ModelError(f"quantization.method is {method!r}; expected one of {', '.join(METHODS)}")
        if method in CALIBRATED and images is None:
            raise ModelError(f"quantization.method {method!r} needs calibration images; pass images, or use 'nearest'")
        check_ordered(model)
        self.method = method
        self.scheme = Scheme(granularity, clip, scale, method if method in PLAIN else "nearest", two_bit)
        self.layers = tuple(weight_layers(model))
        self._model, self._images = as_network(model), images
        self.modules = {name: self._model.get_submodule(name) for name in self.layers}
        self._held: OrderedDict[tuple[str, int], QuantizedWeight] = OrderedDict()
        self._max_bytes = max_bytes
        self.counts = Counts()
        self.notes = _constant_channels(images) if isinstance(images, Tensor) else []
        self.nbytes = 0

    @property
    def images(self) -> Tensor | Iterable[Tensor] | None:
        """The calibration images, if there are any."""
        return self._images

    @cached_property
    def _with_constants(self) -> frozenset[str]:
        return layers_with_constants(self._model)

    def belongs_to(self, model: nn.Module | Graph) -> bool:
        """Whether the weights are those of `model`, or of a copy that shares them."""
        network = as_network(model)
        return all(network.get_submodule(name) is module for name, module in self.modules.items())

    @cached_property
    def calibration(self) -> dict[str, Inputs]:
        """What every layer's inputs look like on the calibration images; one pass, when first asked for."""
        assert self._images is not None  # a method that is calibrated has them
        return calibrate(self._model, self._images)

    def get(self, layer: str, bits: int) -> QuantizedWeight:
        """The weights of one layer at one width; raises ModelError naming the layer where they cannot be made."""
        held = self._held.get((layer, bits))
        if held is not None:
            self.counts.hits += 1
            self._held.move_to_end((layer, bits))
            return held
        if layer not in self.modules:
            raise ModelError(f"no weight layer {layer!r} in this network")
        try:
            made = self.make(layer, bits)
        except ModelError as error:
            raise ModelError(f"{layer}: {error}") from None
        self.counts.builds += 1
        self._held[layer, bits] = made
        self.nbytes += made.nbytes
        while self._max_bytes is not None and self.nbytes > self._max_bytes and len(self._held) > 1:
            self.nbytes -= self._held.popitem(last=False)[1].nbytes
            self.counts.evictions += 1
        return made

    def nonzero(self, layer: str, bits: int) -> float:
        """Share of a layer's weights at one width that are not zero."""
        codes = self.get(layer, bits).codes
        return int(codes.count_nonzero()) / codes.numel()

    def design(self, weight_bits: Sequence[int]) -> dict[str, QuantizedWeight]:
        """The weights of a design, one width per layer in network order. Raises ModelError for another length."""
        if len(weight_bits) != len(self.layers):
            raise ModelError(f"{len(weight_bits)} widths for {len(self.layers)} weight layers")
        return {name: self.get(name, int(bits)) for name, bits in zip(self.layers, weight_bits, strict=True)}

    @one_thread()
    def make(self, layer: str, bits: int) -> QuantizedWeight:
        """The weights of one layer at one width, rounded anew; `get` keeps them. A kind of bank is a kind of `make`."""
        weight, scheme = weight_of(self.modules[layer]), self.scheme
        plain = quantize_weight(
            weight,
            bits,
            granularity=scheme.granularity,
            clip=scheme.clip,
            scale=scheme.scale,
            rounding=scheme.rounding,
            two_bit=scheme.two_bit,
            rng=torch.Generator().manual_seed(zlib.crc32(f"{layer}:{bits}".encode())),
        )
        if bits == FLOAT or self.method in PLAIN:
            return plain
        inputs = self.calibration[layer]
        if inputs.dead == 1.0:
            note = f"{layer}: all its inputs are zero on the calibration images; its weights are rounded to nearest"
            if note not in self.notes:
                self.notes.append(note)
            return plain
        return self._calibrated(layer, plain, inputs)

    def _calibrated(self, layer: str, plain: QuantizedWeight, inputs: Inputs) -> QuantizedWeight:
        groups = len(inputs.mean)
        weight = weight_of(self.modules[layer]).detach().double().reshape(groups, -1, inputs.mean.shape[1])
        codes = plain.codes.double().reshape(weight.shape)
        scale = plain.scale.double().reshape(groups, -1)
        corrects = layer in self._with_constants
        moment = inputs.covariance if corrects else inputs.moment.double()

        rounding = Nearest(plain.bits, self.scheme.two_bit)
        if self.method == "gptq":
            codes = spread(weight, scale, moment, rounding)
        elif self.method == "compensated":
            shared, fixed = self.scheme.granularity == "tensor", self.scheme.scale == "power_of_two"
            codes, scale = compensated(weight, codes, scale, moment, rounding, shared=shared, fixed=fixed)
        scale = scale.float()
        shift = plain.shift
        if corrects:
            error = codes * scale.double()[:, :, None] - weight
            shift = -(error @ inputs.mean[:, :, None]).flatten().float()
        return replace(
            plain, codes=codes.to(plain.codes.dtype).view_as(plain.codes), scale=scale.flatten(), shift=shift
        )


def _constant_channels(images: Tensor) -> list[str]:
    """What has to be said of image channels without variance; raises ModelError where no channel has any."""
    if images.ndim != 4 or not images.numel():
        return []  # refused with its shape where the images are first used
    values = images.transpose(0, 1).flatten(1)
    constant = [i for i, (low, high) in enumerate(zip(values.amin(1), values.amax(1), strict=True)) if low == high]
    said = [f"channel {i} is {float(values[i, 0]):g} in every pixel of all {len(images)}" for i in constant]
    if len(constant) == len(values):
        raise ModelError(f"calibration images: {said[0]}, and no other channel varies; take images as in training")
    return [f"calibration images: {line}; weights that read it are rounded without evidence" for line in said]
