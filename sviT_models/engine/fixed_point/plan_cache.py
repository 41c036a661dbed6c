"""Plans of the designs of one network, each made once, with the ranges and the sums' extremes they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock

from torch import Tensor

from sviT_models.engine.fixed_point.plan import Plan, activation_names
from sviT_models.engine.fixed_point.planner import Planner
from sviT_models.engine.fixed_point.ranges import Ranges, observe
from sviT_models.engine.number_formats import IMAGE_BITS, extremes, widths_of
from sviT_models.engine.prepared_weights import Cache, Weights
from sviT_models.engine.segments import Segment
from sviT_models.errors import ModelError
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers
from sviT_models.quantization.weight_bank import WeightBank

Widths = int | Mapping[str, int] | Sequence[int]
ACTIVATION_BITS = 16
PLANS = 64  # that are held


class FixedPlans:
    """Makes plans for the designs of one network; the binary points follow from the bank's images."""

    def __init__(self, model: MetaSpikeFormer, bank: WeightBank, segments: tuple[Segment, ...]) -> None:
        self._model, self._bank, self._segments = model, bank, segments
        self._lifs, self._activations = lif_layers(model), activation_names(segments)
        self._extremes: dict[tuple[str, int, int, int], tuple[int, int]] = {}
        self._plans = Cache(PLANS)
        self._lock = Lock()

    @cached_property
    def ranges(self) -> Ranges:
        """What the float network does on calibration images; raises ModelError where the bank has none."""
        if self._bank.images is None:
            raise ModelError("fixed-point states need calibration images; make the weight bank with images=...")
        return observe(self._model, self._bank.images)

    def widths(self, state_bits: Widths, activation_bits: Widths | None) -> tuple[dict[str, int], dict[str, int]]:
        """Widths by LIF layer and by activation. Raises ModelError for those that do not exist."""
        states = widths_of(state_bits, self._lifs, "state_bits")
        image = self._activations[0]
        given = {} if activation_bits is None else activation_bits
        if isinstance(given, int):
            given = dict.fromkeys(self._activations[1:], given)
        if isinstance(given, Mapping):
            given = {image: IMAGE_BITS, **given}
        activations = widths_of(given, self._activations, "activation_bits", ACTIVATION_BITS)
        if activations[image] > IMAGE_BITS:
            raise ModelError(f"activation_bits: {image} sees images of {IMAGE_BITS} bits at most")
        return states, activations

    def plan(
        self, weights: Weights, steps: int, images: Tensor, state_bits: Widths, activation_bits: Widths | None
    ) -> tuple[Plan, int]:
        """The plan of a design, and the width of the image."""
        if images.ndim != 4:
            raise ModelError(f"frames have shape {tuple(images.shape)}; the fixed-point network takes still images")
        states, activations = self.widths(state_bits, activation_bits)
        size = tuple(images.shape[2:])
        key = tuple(weights.bits.values()), tuple(states.values()), tuple(activations.values()), steps, size

        def bound(layer: str, low: int, high: int) -> tuple[int, int]:
            place = layer, weights.bits[layer], low, high
            if place not in self._extremes:
                self._extremes[place] = extremes(weights[layer].integers.codes(), low, high)
            return self._extremes[place]

        def make() -> Plan:
            integers = {name: layer.integers for name, layer in weights.layers.items()}
            planner = Planner(self._model, integers, states, activations, self.ranges, steps, size, bound)
            return planner.plan(self._segments)

        with self._lock:
            return self._plans.get(key, make, lambda _: 1), activations[self._activations[0]]
