"""A module's operations, every neuron layer one opaque operation: recorded, or as torch.export sees them."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, fx, nn

from sviT_models.errors import ModelError
from sviT_models.graph.program import Program
from sviT_models.graph.recognise import Declared, Neuron, neurons_of
from sviT_models.graph.record import NotRecordedError, can_be_recorded, recorded

torch.library.define("svit::neuron", "(Tensor currents, str path, int step) -> Tensor")
torch.library.define("svit::potential", "(Tensor currents, str path) -> Tensor")


@torch.library.register_fake("svit::neuron")
def _spikes(currents: Tensor, path: str, step: int) -> Tensor:
    return torch.empty_like(currents)


@torch.library.register_fake("svit::potential")
def _potential(currents: Tensor, path: str) -> Tensor:
    return torch.empty_like(currents)


ALL_STEPS = -1  # in place of a step: the call takes all of them


class _Traced(nn.Module):
    """The network with opaque neurons; one that steps outside of `forward` is stepped here, its outputs averaged."""

    def __init__(self, network: nn.Module, neurons: dict[str, Neuron], outside: int) -> None:
        super().__init__()
        self.network, self.outside = network, outside
        self.calls: dict[str, int] = {}
        for path, neuron in neurons.items():
            module = network.get_submodule(path)
            module.forward = self._opaque(path, neuron)

    def _opaque(self, path: str, neuron: Neuron) -> Callable[..., Tensor | tuple[Tensor, Tensor]]:
        def forward(currents: Tensor, *_: object) -> Tensor | tuple[Tensor, Tensor]:
            if neuron.multi_step:
                every: Tensor = torch.ops.svit.neuron(currents, path, ALL_STEPS)
                return every
            step = self.calls.get(path, 0)
            self.calls[path] = step + 1
            spikes: Tensor = torch.ops.svit.neuron(currents, path, step)
            return (spikes, torch.ops.svit.potential(currents, path)) if neuron.returns_potential else spikes

        return forward

    def forward(self, images: Tensor) -> Tensor:
        self.calls.clear()
        if not self.outside:
            logits: Tensor = self.network(images)
            return logits
        steps = [self.network(images[:, t] if images.ndim == 5 else images) for t in range(self.outside)]
        return torch.stack(steps).mean(0)


def double(module: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode; states that a training left behind are copied without their history."""
    memo: dict[int, Tensor] = {}
    for part in module.modules():
        for held in (vars(part), *(value for value in vars(part).values() if isinstance(value, dict))):
            left = [value for value in held.values() if isinstance(value, Tensor) and value.grad_fn is not None]
            memo |= {id(value): value.detach().clone() for value in left}
    return copy.deepcopy(module, memo).double().eval()


def traced(module: nn.Module, images: Tensor, declared: Declared, outside: int) -> tuple[Program, dict[str, Neuron]]:
    """The operations of a module on `images` (two of them are taken), and its neuron layers.

    `outside` is the number of steps of a network that steps outside of `forward`, else 0.
    Raises ModelError where the module cannot be run or its operations depend on the data.
    """
    neurons = neurons_of(module, declared)
    if can_be_recorded(module):
        with suppress(NotRecordedError), torch.no_grad():
            return recorded(_Traced(double(module), neurons, outside), images), neurons
    network = double(module)
    batch = images[:2] if len(images) > 1 else images.expand(2, *images.shape[1:])
    wrapped = _Traced(network, neurons, outside)
    batched = ({0: torch.export.Dim.DYNAMIC},)
    try:
        with warnings.catch_warnings(), torch.no_grad(), _unlogged():
            warnings.simplefilter("ignore")  # of torch.export about itself
            program = torch.export.export(wrapped, (batch.double(),), dynamic_shapes=batched, strict=False)
    except ModelError:
        raise
    except Exception as error:  # whatever the user's forward or the exporter raises
        raise ModelError(_explained(error, images)) from error
    return _read(program), neurons


def _read(program: torch.export.ExportedProgram) -> Program:
    signature, tensors = program.graph_signature, {**program.state_dict, **program.constants}
    kinds = (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    )
    found = {name: (target, tensors[target]) for kind in kinds for name, target in kind.items()}
    outputs: list[fx.Node] = []
    for node in program.graph.nodes:
        if node.op == "get_attr":
            found[node.name] = node.name, getattr(program.graph_module, node.target).double()
        elif node.op == "output":
            returned: Any = node.args[0]
            outputs = [value for value in returned if isinstance(value, fx.Node)]
    return Program(list(program.graph.nodes), outputs[len(outputs) - len(signature.user_outputs) :], found)


@contextmanager
def _unlogged() -> Iterator[None]:
    """torch logs tracebacks and warnings about what fails to be exported; the error says it on one line."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _explained(error: Exception, images: Tensor) -> str:
    text = " ".join(str(error).split())
    if "specializ" in text.lower():
        return "the network is written for one batch size; take it from the images' shape, as x.shape[0]"
    if type(error).__name__.startswith("GuardOnDataDependent") or "data-dependent" in text:
        return "the network's control flow depends on the data (an if, a loop or an index made of tensor values)"
    size = " x ".join(map(str, images.shape[1:]))
    remedy = ""
    if isinstance(error, RuntimeError):  # what torch raises for shapes that do not fit
        remedy = "; if it is built for another side, give --resolution, or data.resolution in a configuration"
    return (
        f"the network cannot be captured on images of {size}: {type(error).__name__}: {text[:200].rstrip('.')}{remedy}"
    )
