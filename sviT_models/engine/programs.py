"""The programs of one network: one for each image size and number of time steps, made when it is first run."""

from __future__ import annotations

from threading import Lock

from torch import Tensor, nn

from sviT_models.engine.lowering.lower import lowered
from sviT_models.engine.program import Program
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_graph, check_shape, own_steps
from sviT_models.graph.network import GraphNetwork


class Programs:
    """Makes programs of a network of the zoo, or of a captured one, which has one size and one number of steps."""

    def __init__(self, network: nn.Module | Graph) -> None:
        self.network = network.graph if isinstance(network, GraphNetwork) else network
        self._made: dict[tuple[object, ...], Program] = {}
        self._lock = Lock()

    def of(self, images: Tensor, time_steps: int | None = None) -> Program:
        """The program for images of this size. Raises ModelError for others than the network takes."""
        steps = self.steps(time_steps)
        check_shape(self.network, images, steps)
        key = steps, tuple(images.shape[1:])
        with self._lock:
            if key not in self._made:
                self._made[key] = lowered(as_graph(self.network, images, steps))
            return self._made[key]

    def steps(self, time_steps: int | None) -> int:
        """The number of time steps, by default that of the network. Raises ModelError for one it cannot run."""
        if time_steps is not None and time_steps < 1:
            raise ModelError(f"time_steps is {time_steps}; expected at least 1")
        return own_steps(self.network) if time_steps is None else time_steps
