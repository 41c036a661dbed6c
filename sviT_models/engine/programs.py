"""The programs of one network: one for each image size and number of time steps, made when it is first run."""

from __future__ import annotations

from threading import Lock

from torch import Tensor, nn

from sviT_models.engine.lowering import lowered
from sviT_models.engine.program import Program
from sviT_models.errors import ModelError
from sviT_models.graph.capture import graph_of
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.run import check_images
from sviT_models.graph.time_steps import with_steps
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, with_time_steps

TRACED = 2  # steps at which SDTv2 is traced for all numbers of them: one step would leave no axis of time


class Programs:
    """Makes programs of a network of the zoo, or of a captured one, which has one size and one number of steps."""

    def __init__(self, network: nn.Module | Graph) -> None:
        self.network = network.graph if isinstance(network, GraphNetwork) else network
        self._made: dict[tuple[object, ...], Program] = {}
        self._lock = Lock()

    def of(self, images: Tensor, time_steps: int | None = None) -> Program:
        """The program for images of this size. Raises ModelError for others than the network takes."""
        steps = self.steps(time_steps)
        self._check(images, steps)
        key = steps, tuple(images.shape[1:])
        with self._lock:
            if key not in self._made:
                self._made[key] = lowered(self._graph(images, steps))
            return self._made[key]

    def steps(self, time_steps: int | None) -> int:
        """The number of time steps, by default that of the network. Raises ModelError for one it cannot run."""
        own = self.network.time_steps if isinstance(self.network, Graph) else _steps_of(self.network)
        if time_steps is not None and time_steps < 1:
            raise ModelError(f"time_steps is {time_steps}; expected at least 1")
        return own if time_steps is None else time_steps

    def widest(self, images: Tensor, time_steps: int | None = None) -> int:
        """Half of the neurons of the largest layer, per image and over all steps."""
        steps, network = self.steps(time_steps), self.network
        if isinstance(network, MetaSpikeFormer):  # known without tracing it, which integer networks do not need
            self._check(images, steps)
            return max(1, steps * network.config.embed_dims[0] * images.shape[-2] * images.shape[-1] // 4)
        return max(1, self.of(images, time_steps).widest * steps // 2)

    def _check(self, images: Tensor, steps: int) -> None:
        if isinstance(self.network, Graph):
            check_images(self.network, images)
            return
        channels = getattr(getattr(self.network, "config", None), "in_channels", 3)
        shown = f"(batch, {channels}, height, width)"
        if images.ndim == 5:
            shown = f"(batch, {steps}, {channels}, height, width)"
        expected = (channels,) if images.ndim == 4 else (steps, channels)
        if images.ndim not in (4, 5) or tuple(images.shape[1:-2]) != expected or len(images) == 0:
            raise ModelError(f"images have shape {tuple(images.shape)}; expected {shown}")

    def _graph(self, images: Tensor, steps: int) -> Graph:
        network = self.network
        if isinstance(network, Graph):
            return with_steps(network, steps)
        still = isinstance(network, MetaSpikeFormer) and images.ndim == 4
        return with_steps(graph_of(with_time_steps(network, TRACED) if still else network, images.cpu()), steps)


def _steps_of(network: nn.Module) -> int:
    return int(getattr(getattr(network, "config", None), "time_steps", 1))
