"""Plans of the designs of one network, each made once, with the ranges and the sums' extremes they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from torch import Tensor

from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.planner import Planner
from sviT_models.engine.fixed_point.ranges import Ranges, observe
from sviT_models.engine.fixed_point.streams import Streams
from sviT_models.engine.fixed_point.sums import Design
from sviT_models.engine.number_formats import IMAGE_BITS, extremes, widths_of
from sviT_models.engine.prepared_weights import Cache, Weights
from sviT_models.engine.program import Program
from sviT_models.engine.programs import Programs
from sviT_models.errors import ModelError
from sviT_models.graph.layers import as_network
from sviT_models.measure.hooks import batches

Widths = int | Mapping[str, int] | Sequence[int]
ACTIVATION_BITS = 16
PIXELS = 8 * 224 * 224  # of images whose ranges are observed at once
PLANS = 64  # that are held


class FixedPlans:
    """Makes plans for the designs of one network; the binary points follow from calibration images.

    programs  those of the network
    images    the calibration images, None where there are none
    """

    def __init__(self, programs: Programs, images: Tensor | Iterable[Tensor] | None) -> None:
        self._programs, self._images = programs, images
        self._extremes: dict[tuple[str, int, int, int], tuple[int, int]] = {}
        self._streams: WeakKeyDictionary[Program, Streams] = WeakKeyDictionary()
        self._ranges: WeakKeyDictionary[Program, Ranges] = WeakKeyDictionary()
        self._plans = Cache(PLANS)
        self._lock = Lock()

    def streams(self, program: Program) -> Streams:
        """The streams of a program."""
        if program not in self._streams:
            self._streams[program] = Streams(program)
        return self._streams[program]

    def calibration(self) -> Iterable[Tensor]:
        """Batches of calibration images. Raises ModelError where there are none."""
        if self._images is None:
            raise ModelError("fixed-point states need calibration images; make the weight bank with images=...")
        return batches(as_network(self._programs.network), self._images, pixels=PIXELS)

    def ranges(self, program: Program) -> Ranges:
        """What the float network does on calibration images, at its own number of steps where that has all numbers."""
        sample = next(iter(self.calibration()))
        own = self._programs.of(sample[:1])
        mine, wanted = self.streams(own), self.streams(program)
        same = set(wanted.names) <= set(mine.names) and set(wanted.inputs) <= set(mine.inputs)
        chosen = own if same else self._programs.of(sample[:1], program.graph.time_steps)
        if chosen not in self._ranges:
            self._ranges[chosen] = observe(self.streams(chosen), self.calibration())
        return self._ranges[chosen]

    def widths(
        self, program: Program, state_bits: Widths, activation_bits: Widths | None
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Widths by neuron layer and by activation. Raises ModelError for those that do not exist."""
        states = widths_of(state_bits, program.neurons, "state_bits")
        names = self.streams(program).names
        image = names[0]
        given = {} if activation_bits is None else activation_bits
        if isinstance(given, int):
            given = dict.fromkeys(names[1:], given)
        if isinstance(given, Mapping):
            given = {image: IMAGE_BITS, **given}
        activations = widths_of(given, names, "activation_bits", ACTIVATION_BITS)
        if activations[image] > IMAGE_BITS:
            raise ModelError(f"activation_bits: {image} sees images of {IMAGE_BITS} bits at most")
        return states, activations

    def plan(self, program: Program, weights: Weights, state_bits: Widths, activation_bits: Widths | None) -> Plan:
        """The plan of a design."""
        states, activations = self.widths(program, state_bits, activation_bits)
        streams = self.streams(program)

        def bound(layer: str, low: int, high: int) -> tuple[int, int]:
            place = layer, weights.bits[layer], low, high
            if place not in self._extremes:
                self._extremes[place] = extremes(weights.integers[layer].codes(), low, high)
            return self._extremes[place]

        def make() -> Plan:
            design = Design(program, weights.integers, states, activations, self.ranges(program), bound)
            return Planner(design, streams).made()

        key = id(program), tuple(weights.bits.values()), tuple(states.values()), tuple(activations.values())
        with self._lock:
            found: Plan = self._plans.get(key, make, lambda _: 1)
            return found
