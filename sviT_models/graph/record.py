"""The operations of a network of the zoo, recorded while it runs on tensors without data.

torch.export takes ten times as long: it follows symbolic sizes through many layers of Python.  The zoo needs none of
its guards: no control flow there depends on images, and any batch will do.  So the batch is a large prime number here,
and an axis that it divides is one with the batch.  What cannot be recorded so is left to torch.export.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.experimental.proxy_tensor import ProxyTorchDispatchMode
from torch.utils._pytree import tree_map

from sviT_models.graph.builder import axis
from sviT_models.graph.graph import Axis
from sviT_models.graph.program import SHAPE, Program

BATCH = 10_007  # a prime that divides no other axis
ZOO, OURS = "sviT_models.zoo.", ("sviT_models.", "torch.")


class NotRecordedError(Exception):
    """The network does what only torch.export follows."""


def can_be_recorded(module: nn.Module) -> bool:
    """Whether a network is of the zoo and all its code this package's or torch's."""
    return type(module).__module__.startswith(ZOO) and all(
        type(part).__module__.startswith(OURS) for part in module.modules()
    )


def recorded(wrapped: nn.Module, images: Tensor) -> Program:
    """The operations of a network on images (B, ...), of which only the shape counts.

    wrapped  the network with opaque neurons, of which `can_be_recorded`; its parameters lose their values here

    Raises NotRecordedError.
    """
    held = dict(wrapped.named_parameters(remove_duplicate=False)) | dict(wrapped.named_buffers(remove_duplicate=False))
    wrapped.to("meta")
    recorder = _Recorder()
    for name in held:
        path, _, own = name.rpartition(".")
        recorder.input(getattr(wrapped.get_submodule(path), own), name)
    batch = torch.empty(BATCH, *images.shape[1:], dtype=torch.float64, device="meta")
    recorder.input(batch, "")
    try:
        with _paths(wrapped, recorder), torch.device("meta"), enable_python_dispatcher(), recorder:
            logits = wrapped(batch)
    except Exception as error:  # whatever the network raises without data: torch.export says it better
        raise NotRecordedError(str(error)) from error
    tensors = {node.name: (name, held[name]) for name, node in recorder.inputs.items() if name in held}
    return Program(list(recorder.graph.nodes), (recorder.node(logits),), tensors)


@contextmanager
def _paths(wrapped: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """While a network runs, the recorder knows in which of its modules."""
    hooks = []
    for path, module in wrapped.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda part, *_, at=path: recorder.path.append((at, type(part)))))
        hooks.append(module.register_forward_hook(lambda *_: recorder.path.pop() and None))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Recorder(ProxyTorchDispatchMode):
    """Notes every operation that the dispatcher sees before it takes it apart.

    Only torch's own mode may stand there, hence the base class, of which nothing else is used.
    """

    def __init__(self) -> None:
        super().__init__(None, "fake", pre_dispatch=True)  # type: ignore[arg-type]
        self.graph = fx.Graph()
        self.path: list[tuple[str, type]] = []
        self.inputs: dict[str, fx.Node] = {}
        self._nodes: dict[int, fx.Node] = {}
        self._alive: list[Tensor] = []  # identities are taken again once a tensor is gone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__  # as torch.export names it, so that derived constants have the same names
        node = self.graph.create_node("call_function", func, self._arguments(args), self._arguments(kwargs), name)
        result = func(*args, **kwargs)
        if self.path:
            node.meta["nn_module_stack"] = {"": self.path[-1]}
        self._keep(node, result)
        return result

    def input(self, tensor: Tensor, name: str) -> None:
        """A parameter by its name, or the images."""
        self.inputs[name] = node = self.graph.placeholder(name or "images")
        self._keep(node, tensor)

    def node(self, tensor: object) -> fx.Node:
        """The node whose value a tensor is.  Raises NotRecordedError for one that came from elsewhere."""
        if id(tensor) not in self._nodes:
            raise NotRecordedError("a tensor that is neither a parameter nor computed")
        return self._nodes[id(tensor)]

    def _keep(self, node: fx.Node, result: Any) -> None:
        if isinstance(result, Tensor):
            node.meta[SHAPE] = tuple(_axis(size) for size in result.shape)
            node.meta["val"] = torch.empty([_size(size) for size in result.shape], device="meta")
            self._alive.append(result)
            self._nodes[id(result)] = node
        elif isinstance(result, list | tuple) and all(isinstance(part, Tensor) for part in result):
            node.meta["val"] = [torch.empty([_size(size) for size in part.shape], device="meta") for part in result]
            for number, part in enumerate(result):
                self._keep(self.graph.call_function(operator.getitem, (node, number)), part)
        else:
            raise NotRecordedError(f"{node.target} gives no tensor")

    def _arguments(self, given: Any) -> Any:
        return tree_map(lambda each: self.node(each) if isinstance(each, Tensor) else _argument(each), given)


def _argument(given: object) -> object:
    """A plain argument; a size with the batch is not known, and nothing asks for it: shapes stand beside the values."""
    return None if isinstance(given, int) and given and given % BATCH == 0 else given


def _axis(size: int) -> Axis:
    return axis(size // BATCH, batched=True) if size % BATCH == 0 else axis(size)


def _size(size: int) -> int:
    """Of an axis for a batch of two."""
    return size // BATCH * 2 if size % BATCH == 0 else size
