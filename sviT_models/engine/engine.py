"""The exact integer evaluator: a design's logits and spikes, bit for bit what `exact_run` defines, fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from sviT_models.engine.arithmetic import IntegerWeight, integer_weight
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.plan_cache import FixedPlans, Widths
from sviT_models.engine.fixed_point.run import FixedRun
from sviT_models.engine.fixed_point.work import FIXED
from sviT_models.engine.kernels import kernels_for
from sviT_models.engine.prepared_weights import BYTE, Cache, Prepared, Weights, prepare
from sviT_models.engine.program import Depthwise, Layer, Operation, Program
from sviT_models.engine.programs import Programs
from sviT_models.engine.run import Run
from sviT_models.engine.values import PLANES, Integers
from sviT_models.engine.work import WORK
from sviT_models.engine.workers import joined, workers
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
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
        self._fixed = FixedPlans(self.programs, bank.images)

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
        if state_bits is None and activation_bits is not None:
            raise ModelError("activation_bits needs state_bits; only the fixed-point network has such widths")
        program, bits = self.program(images, time_steps), self.bits(weight_bits)
        plan = None if state_bits is None else self._planned(program, bits, state_bits, activation_bits)
        work = partial(self.batch, program, bits, plan=plan)
        parts: list[Output] = []
        for part in self.each(program, images, work, batch_size):
            parts.append(part)
            if on_batch is not None and on_batch(part):
                break
        return joined(parts)

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

    def start(self, program: Program, bits: Mapping[str, int], images: Tensor, plan: Plan | None = None) -> Run:
        """One batch before its first operation; with a plan, in the fixed-point network."""
        given = program, self.kernels, self.weights(program, bits), len(images)
        run = Run(*given, WORK) if plan is None else FixedRun(*given, FIXED, plan=plan)
        run.begin(images)
        return run

    def batch(self, program: Program, bits: Mapping[str, int], images: Tensor, plan: Plan | None = None) -> Output:
        """One batch from its images to its logits."""
        run = self.start(program, bits, images, plan)
        with torch.no_grad():
            run.go()
        return run.output()

    def steps(self, time_steps: int | None) -> int:
        """The number of time steps, by default that of the network."""
        return self.programs.steps(time_steps)

    def plan(
        self,
        images: Tensor,
        weight_bits: Sequence[int],
        state_bits: Widths,
        activation_bits: Widths | None = None,
        time_steps: int | None = None,
    ) -> Plan:
        """The constants of the fixed-point network for images of this size; raises ModelError as `run`."""
        return self._planned(self.program(images, time_steps), self.bits(weight_bits), state_bits, activation_bits)

    def _planned(
        self, program: Program, bits: Mapping[str, int], state_bits: Widths, activation_bits: Widths | None
    ) -> Plan:
        return self._fixed.plan(program, self.weights(program, bits), state_bits, activation_bits)

    def spikes(
        self,
        images: Tensor,
        weight_bits: Sequence[int],
        state_bits: Widths,
        activation_bits: Widths | None = None,
        time_steps: int | None = None,
    ) -> list[tuple[str, Tensor]]:
        """What every call of a neuron layer of the fixed-point network emits on one batch: its name, and (T, B, ...).

        Where neurons have levels up to D, level k is a spike in the first k of D steps. Raises ModelError as `run`.
        """
        program, bits = self.program(images, time_steps), self.bits(weight_bits)
        plan = self._planned(program, bits, state_bits, activation_bits)
        run = self.start(program, bits, images, plan)
        assert isinstance(run, FixedRun)
        run.emitted = {}
        with torch.no_grad():
            run.go()
        found = []
        for node in plan.nodes:
            if node["op"] in ("fire", "levels"):
                emitted = torch.from_numpy(run.emitted[node["output"]]).reshape(node["shape"])
                if node["op"] == "levels":
                    emitted = torch.stack([emitted > level for level in range(node["levels"])])
                images_at = node["shape"].index(-1) + (node["op"] == "levels")
                found.append((node["name"], emitted.movedim(images_at, 1)))
        return found

    def activation_names(self, images: Tensor) -> tuple[str, ...]:
        """What has an activation width, in network order, for images of this size; raises ModelError as `run`.

        First the image, by the layer that sees it; then streams, whose names have no dot, and layers whose inputs are
        sums without neurons in between.
        """
        return self._fixed.streams(self.program(images)).names

    def each(
        self, program: Program, images: Tensor, work: Callable[[Tensor], T], batch_size: int | None = None
    ) -> Iterator[T]:
        """`work(batch)` for the batches of `images` in order, on all threads."""
        widest = max(1, program.widest * self.steps(None) // 2)
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
