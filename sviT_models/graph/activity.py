"""What images cause in every row of the layer table: non-zero inputs, the operations they reach, spikes of neurons.

Batch norms count as folded into the constants of the layer before them. So between two layers without a neuron the
input of the second is the plain weighted sum of the first, zero where no spike arrived, without any shift.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sviT_models.graph.graph import Node, is_time, sizes
from sviT_models.graph.product_sparsity import Products, Window, spike_matrices
from sviT_models.graph.rows import FOLDED, WEIGHTED, Rows, inner, length
from sviT_models.graph.run import FLOAT, typed


def fan_out(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> np.ndarray:
    """How many outputs along one axis of `size` inputs see each input, borders included; (size,) int64."""
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    seen = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation - padding  # (outputs, kernel)
    return np.bincount(seen[(seen >= 0) & (seen < size)], minlength=size)


class Activity:
    """Sums over images and time steps by row: `spikes`, `events`, `synops`, `lif_spikes`; and the spikes by channel.

    `products` counts what product sparsity leaves of the spiking rows, image by image; None: not counted.
    """

    def __init__(self, rows: Rows, products: Products | None = None, dtype: torch.dtype = torch.float32) -> None:
        self.rows, self.graph, self.products = rows, rows.graph, products
        self.names = {node.name: name for name, nodes in rows.nodes.items() for node in nodes}
        self.charged = {neuron.name: name for name, neurons in rows.charged.items() for neuron in neurons}
        self.parameters = typed(self.graph.parameters, dtype)
        self.chained = self._between_layers()
        self.given = {rows.given(self.graph.by_name[name]).name for name in self.names}
        self.spikes: dict[str, float] = {}
        self.synops: dict[str, float] = {}
        self.lif_spikes: dict[str, float] = {}
        self.events: dict[str, float] = {}
        self.per_channel: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}  # results without shifts, of nodes between two layers
        self.fired: dict[str, Tensor] = {}  # spikes by channel of neurons that a product of streams sees
        self.sent: dict[str, float] = {}  # and their events

    def _between_layers(self) -> set[str]:
        """The nodes whose results pass from one layer to the next without a neuron."""
        found: set[str] = set()
        for node in self.graph.of(*WEIGHTED):
            path, before = [], self.graph.by_name[node.inputs[0]]
            while before.op in FOLDED:
                path.append(before.name)
                before = self.graph.by_name[before.inputs[0]]
            if before.op in WEIGHTED:
                found.update([*path, before.name])
        return found

    def see(self, node: Node, given: tuple[Tensor, ...], out: Tensor) -> None:
        """Count one node."""
        if node.op == "neuron":
            self._neuron(node, out)
        if node.name in self.names:
            if node.op in WEIGHTED:
                self._layer(node, self.sums.get(node.inputs[0], given[0]))
            else:
                self._product(node, given)
        if node.name in self.chained:
            self.sums[node.name] = self._without_shift(node, given, out)

    def balance(self, row: str) -> float:
        """Mean over maximum of the spikes of a row's input channels."""
        per_channel = self.per_channel.get(row)
        if per_channel is None or not per_channel.max().item():
            return 1.0
        return per_channel.mean().item() / per_channel.max().item()

    def _add(self, row: str, per_channel: Tensor, synops: float) -> None:
        self.per_channel[row] = self.per_channel.get(row, 0.0) + per_channel
        self.spikes[row] = self.spikes.get(row, 0.0) + per_channel.sum().item()
        self.synops[row] = self.synops.get(row, 0.0) + synops

    def _sent(self, node: Node, x: Tensor) -> float:
        """The sum of a value's integers: the binary spikes that would send it; NaN for numbers."""
        if node.value.largest is None:
            return float("nan")
        return (x / float(node.value.step)).sum(dtype=torch.float64).item() * self._repeats(node)

    def _count_events(self, row: str, count: float) -> None:
        self.events[row] = self.events.get(row, 0.0) + count

    def _repeats(self, node: Node) -> int:
        """How often a result counts: what is the same in every step does so T times."""
        return 1 if any(is_time(factor) for axis in node.shape for factor in axis) else self.graph.time_steps

    def _neuron(self, node: Node, out: Tensor) -> None:
        if node.name in self.charged:
            row = self.charged[node.name]
            self.lif_spikes[row] = self.lif_spikes.get(row, 0.0) + out.count_nonzero().item() * self._repeats(node)
        if node.name in self.given:
            self.fired[node.name] = self._by_channel(node, out)
            self.sent[node.name] = self._sent(node, out)

    def _by_channel(self, node: Node, out: Tensor) -> Tensor:
        """Non-zero elements by channel; channels are the first inner axis, or the last behind a linear layer."""
        axes, shape = inner(node), list(node.shape)
        where = (out != 0).double()
        if not axes:
            return where.sum().view(1)
        before = self.rows.back(node.inputs[0], (*FOLDED, "add", "max_pool")) if node.inputs else node
        channel = len(shape) - 1 if before.op == "linear" else shape.index(axes[0])
        return where.sum([i for i in range(len(shape)) if i != channel]).view(length(shape[channel])) * self._repeats(
            node
        )

    def _layer(self, node: Node, x: Tensor) -> None:
        source = self.graph.by_name[node.inputs[0]]
        repeats = self._repeats(source)
        self._count_events(self.names[node.name], self._sent(source, x))
        weight = self.parameters[node.parameters["weight"]]
        if self.products is not None and self.rows.sees(node)[0] == "spike":
            self._reused(self.products, node, x, weight)
        if node.op == "linear":
            per_channel = (x != 0).double().flatten(0, -2).sum(0) * repeats
            self._add(self.names[node.name], per_channel, per_channel.sum().item() * len(weight))
            return
        where = (x != 0).sum(0).double() * repeats  # (C, ...)
        reach = torch.ones((), dtype=torch.float64)
        a = node.attributes
        for position, kernel in enumerate(weight.shape[2:]):
            geometry = kernel, a["stride"][position], a["padding"][position], a["dilation"][position]
            along = torch.from_numpy(fan_out(x.shape[2 + position], *geometry)).double()
            reach = reach[..., None] * along
        self._add(
            self.names[node.name],
            where.flatten(1).sum(1),
            (where * reach).sum().item() * (len(weight) // a["groups"]),
        )

    def _reused(self, products: Products, node: Node, x: Tensor, weight: Tensor) -> None:
        """Count the spike matrices of a layer for one image; those of three axes are left out."""
        source = self.graph.by_name[node.inputs[0]]
        row, repeats = self.names[node.name], self._repeats(source)
        if node.op == "linear":
            time = next((at for at, axis in enumerate(source.shape) if any(map(is_time, axis))), 0)
            products.add(row, x.movedim(time, -2).reshape(-1, x.shape[-1]), len(weight), repeats)
        elif x.ndim <= 4:
            a = node.attributes
            sides = (tuple(weight.shape[2:]), a["stride"], a["padding"], a["dilation"])
            matrices = spike_matrices(x, Window.of(sides, a["groups"]))
            products.add(row, matrices, len(weight) // a["groups"], repeats)

    def _product(self, node: Node, given: tuple[Tensor, ...]) -> None:
        first, second = ((x != 0).float() for x in given)
        met = (first * second if node.op == "product" else first @ second).sum(dtype=torch.float64).item()
        streamed = self.rows.given(node)
        per_channel = self.fired.get(streamed.name)
        if per_channel is None:  # no neuron gives an operand: its non-zero elements count as one channel
            per_channel = (given[0] != 0).sum().double().view(1) * self._repeats(streamed)
        self._add(self.names[node.name], per_channel, met * self._repeats(node))
        self._count_events(self.names[node.name], self.sent.get(streamed.name, float("nan")))

    def _without_shift(self, node: Node, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        """The node's result as a sum of weighted inputs alone: without biases, and norms as their gain."""
        x = self.sums.pop(node.inputs[0], given[0]) if self._last_use(node) else self.sums.get(node.inputs[0], given[0])
        own = {role: self.parameters[name] for role, name in node.parameters.items()}
        if node.op == "shift":
            return x.expand_as(out)
        if node.op == "norm":
            gain = torch.rsqrt(own["variance"] + node.attributes["eps"]) * own.get("weight", 1.0)
            return x * gain.view(-1, *[1] * (x.ndim - 2))
        own.pop("bias", None)
        batch = self._batch(node, out)
        return FLOAT[node.op](node, (x,), own, sizes(node.shape, self.graph.time_steps, batch))

    def _batch(self, node: Node, out: Tensor) -> int:
        return out.numel() // max(1, int(np.prod(sizes(node.shape, self.graph.time_steps, 1))))

    def _last_use(self, node: Node) -> bool:
        consumers = self.graph.consumers[node.inputs[0]]
        return consumers[-1].name == node.name and node.op not in WEIGHTED
