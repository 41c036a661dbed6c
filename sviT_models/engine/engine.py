"""The exact integer evaluator: a design's logits and spikes, bit for bit what `exact_run` defines, fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.engine.arithmetic import IntegerWeight, integer_weight
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.fixed_point.batch import FixedRun
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.plan_cache import FixedPlans, Widths
from sviT_models.engine.kernels import kernels_for
from sviT_models.engine.prepared_weights import BYTE, Cache, Prepared, Weights, prepare
from sviT_models.engine.program import PLANES, Depthwise, Integers, Layer, Operation, Program
from sviT_models.engine.programs import Programs
from sviT_models.engine.run import Run
from sviT_models.engine.segments import Segment, geometry, segments
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers
from sviT_models.network.topology import wiring
from sviT_models.output import Output
from sviT_models.quantization.weight_bank import WeightBank

NEURONS = 14_000_000  # half of those of the largest layer, over all steps, that a thread works on at once
AT_ONCE = 256  # images, at most: whoever watches the batches of a small network wants to hear from them
T = TypeVar("T")


class Engine:
    """Runs a network with the integer weights of a bank; the network and its bank must not change meanwhile.

    model  a network of the zoo, or the graph of any network

    `threads` workers (torch's number of threads by default) share the images, each on its own. Weights that have been
    used stay prepared, up to `max_bytes`. `fast` False takes plain torch in place of int8 and compiled kernels;
    `device` may name a CUDA device. Results do not depend on any of these.
    Raises ModelError for a bank of another network and for a number of threads below 1.
    """

    def __init__(
        self,
        model: nn.Module | Graph,
        bank: WeightBank,
        *,
        threads: int | None = None,
        max_bytes: int | None = None,
        device: str | torch.device = "cpu",
        fast: bool = True,
    ) -> None:
        threads = torch.get_num_threads() if threads is None else threads
        if threads < 1:
            raise ModelError(f"threads is {threads}; expected at least 1")
        if not bank.belongs_to(model):
            raise ModelError("the weight bank belongs to another network; make it from the model of the engine")
        self.layers = tuple(bank.layers)
        self.threads = threads
        self.kernels = kernels_for(torch.device(device), fast)
        self.programs = Programs(model)
        self._bank = bank
        self._prepared = Cache(max_bytes)
        self._constants: dict[object, object] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.segments: tuple[Segment, ...] = ()  # of the fixed-point network, which a captured network has none of
        if isinstance(model, MetaSpikeFormer):
            self.segments = tuple(segments(model))
            self._lifs = lif_layers(model)
            self._sees_bytes = {wire.name for wire in wiring(model) if wire.input_bits > 1}
            self._model = model
            self._fixed = FixedPlans(model, bank, self.segments)

    @property
    def nbytes(self) -> int:
        """Memory of the prepared weights [B], about."""
        return self._prepared.total

    def run(
        self,
        images: Tensor,
        weight_bits: Sequence[int],
        *,
        state_bits: Widths | None = None,
        activation_bits: Widths | None = None,
        time_steps: int | None = None,
        batch_size: int | None = None,
        on_batch: Callable[[Output], bool | None] | None = None,
    ) -> Output:
        """Logits and spikes of the network with `weight_bits` (L,) on `images` (N, 3, H, W).

        `batch_size` bounds the images that one worker holds. `on_batch` sees every finished batch in order; where it
        returns True, the run ends and what is finished so far is given.
        `state_bits`, the widths of the membrane potentials of all LIF layers by name or in order, makes everything
        integer as docs/integer-network.md defines it, with `activation_bits` for streams and activations (16, and 8
        for the image); without, membranes are float32.
        Raises ModelError for another number of widths, for a width that does not exist, and for images of another shape
        or that are not finite.
        """
        if state_bits is not None:
            weights, steps = self.fixed_weights(weight_bits), self.steps(time_steps)
            start = self.fixed(images, weights, steps, state_bits, activation_bits)
            work: Callable[[Tensor], Output] = partial(self._finish_fixed, start)
        elif activation_bits is not None:
            raise ModelError("activation_bits needs state_bits; only the fixed-point network has such widths")
        else:
            work = partial(self.batch, self.program(images, time_steps), self.bits(weight_bits))
        parts: list[Output] = []
        for part in self.each(images, work, batch_size):
            parts.append(part)
            if on_batch is not None and on_batch(part):
                break
        return joined(parts)

    def _finish_fixed(self, start: Callable[[], FixedRun], batch: Tensor) -> Output:
        return self.finish(start(), batch)

    def program(self, images: Tensor, time_steps: int | None = None) -> Program:
        """The operations of the network on images of this size; raises ModelError as `run`."""
        return self.programs.of(images, time_steps)

    def bits(self, weight_bits: Sequence[int]) -> dict[str, int]:
        """Widths by layer. Raises ModelError for another number of them."""
        if len(weight_bits) != len(self.layers):
            raise ModelError(f"{len(weight_bits)} widths for {len(self.layers)} weight layers")
        return dict(zip(self.layers, map(int, weight_bits), strict=True))

    def weights(self, program: Program, bits: Mapping[str, int]) -> Weights:
        """The prepared layers of a design; raises ModelError for a width that does not exist."""
        layers = {operation.name: self._get(operation, bits) for operation in program.operations if operation.layers}
        integers = {name: self.integers(name, width) for name, width in bits.items()}
        prepared = {name: layer for name, layer in layers.items() if layer is not None}
        return Weights(prepared, integers, dict(bits), self._constants)

    def integers(self, layer: str, bits: int) -> IntegerWeight:
        """The integers of a layer at a width."""
        return self._prepared.get(
            (layer, bits),
            lambda: integer_weight(self._bank.modules[layer], self._bank.get(layer, bits)),
            lambda value: sum(digit.nbytes for digit in value.digits),
        )

    def batch(self, program: Program, bits: Mapping[str, int], images: Tensor) -> Output:
        """One batch from its images to its logits."""
        run = Run(program, self.kernels, self.weights(program, bits), len(images))
        run.begin(images)
        with torch.no_grad():
            run.go()
        return run.output()

    def fixed_weights(self, weight_bits: Sequence[int]) -> Weights:
        """The prepared layers of a design for the fixed-point network. Raises ModelError for a captured network."""
        bits = self.bits(weight_bits)
        if isinstance(self.programs.network, Graph):
            raise ModelError("fixed-point potentials are for SDTv2 as it is built; run a captured network without them")
        layers = {layer: self._fixed_layer(layer, width) for layer, width in bits.items()}
        return Weights(layers, {name: made.integers for name, made in layers.items()}, bits, self._constants)

    def steps(self, time_steps: int | None) -> int:
        """The number of time steps, by default that of the network."""
        return self.programs.steps(time_steps)

    def finish(self, run: FixedRun, state: object, begin: int = 0) -> Output:
        """Take a batch from what stands before segment `begin` (0: images) to its logits."""
        with torch.no_grad():
            for segment in self.segments[begin:]:
                state = segment.run(run, state)
        return self.output(state, run)

    def output(self, logits: Tensor, run: FixedRun) -> Output:
        """What a finished batch gives."""
        return Output(logits.numpy(force=True), np.stack([run.spikes[name] for name in self._lifs]))

    def fixed(
        self,
        images: Tensor,
        weights: Weights,
        steps: int,
        state_bits: Widths,
        activation_bits: Widths | None = None,
        seen: dict[str, Tensor] | None = None,
    ) -> Callable[[], FixedRun]:
        """What starts batches of `images` in the fixed-point network; `seen` takes the spikes of the last of them."""
        plan, image_bits = self._fixed.plan(weights, steps, images, state_bits, activation_bits)
        return lambda: FixedRun(steps, self.kernels, weights, {}, plan, image_bits, seen)

    def plan(
        self,
        images: Tensor,
        weight_bits: Sequence[int],
        state_bits: Widths,
        activation_bits: Widths | None = None,
        time_steps: int | None = None,
    ) -> Plan:
        """The constants of the fixed-point network for images of this size; raises ModelError as `run`."""
        weights = self.fixed_weights(weight_bits)
        return self._fixed.plan(weights, self.steps(time_steps), images, state_bits, activation_bits)[0]

    def image_bits(self, state_bits: Widths, activation_bits: Widths | None = None) -> int:
        """Width of the image in the fixed-point network; raises ModelError as `run`."""
        return next(iter(self._fixed.widths(state_bits, activation_bits)[1].values()))

    def each(self, images: Tensor, work: Callable[[Tensor], T], batch_size: int | None = None) -> Iterator[T]:
        """`work(batch)` for the batches of `images` in order, on all threads."""
        widest = self.programs.widest(images)
        share = -(-len(images) // self.threads)
        size = min(share, max(NEURONS // widest, 1), AT_ONCE, batch_size or share)
        batches = images.to(self.kernels.device).split(size)
        if self._pool is None:
            self._pool = workers(self.threads)
        return self._pool.map(work, batches)

    def _get(self, operation: Operation, bits: Mapping[str, int]) -> Prepared | None:
        """The weights of an operation in the kernels' layout; None where it takes the integers themselves."""
        if not isinstance(operation, Layer | Depthwise):
            return None
        width = bits[operation.layer]

        def make() -> Prepared:
            integers = self.integers(operation.layer, width)
            if isinstance(operation, Depthwise):
                return prepare(self.kernels, integers, Geometry(1, 1, len(integers.scale)), BYTE)
            (given,) = operation.inputs
            assert isinstance(given.kind, Integers)
            raised, shape = given.kind.stored == PLANES, operation.geometry
            shape = replace(shape, padding=0) if raised else shape
            return prepare(self.kernels, integers, shape, BYTE if raised else given.kind.high)

        key = operation.name, width, operation.inputs[0].kind
        return self._prepared.get(key, make, lambda value: value.nbytes)

    def _fixed_layer(self, layer: str, bits: int) -> Prepared:
        def make() -> Prepared:
            module = self._model.get_submodule(layer)
            integers = integer_weight(module, self._bank.get(layer, bits))
            shape = geometry(module, padded=layer == self.layers[0])
            return prepare(self.kernels, integers, shape, BYTE if layer in self._sees_bytes else 1)

        return self._prepared.get(("fixed", layer, bits), make, lambda value: value.nbytes)


def workers(threads: int) -> ThreadPoolExecutor:
    """A pool whose threads run torch on one thread each; the caller's number of threads stays."""
    before = torch.get_num_threads()
    ready = Barrier(threads + 1)

    def begin() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes the process's number at its first operation: now, while that is one
        ready.wait()

    pool = ThreadPoolExecutor(threads)
    for _ in range(threads):
        pool.submit(begin)
    ready.wait()
    torch.set_num_threads(before)  # threads that others start take over what was set last
    return pool


def joined(parts: Sequence[Output]) -> Output:
    """The output of a run in several batches."""
    return Output(np.concatenate([part.logits for part in parts]), sum(part.spikes for part in parts))
