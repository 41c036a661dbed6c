"""Whether a network can be evaluated exactly: some that can be captured, and costed, have operations without a rule."""

from __future__ import annotations

from torch import Tensor

from sviT_models.engine.engine import Engine
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.quantization.weight_bank import WeightBank

TRIED_BITS = 8


def exact_refusal(graph: Graph, images: Tensor) -> str | None:
    """Why the engine refuses a captured network, as one line that names the operation; None where it runs it.

    graph   a captured network
    images  (N, ...) as the network takes them; the first one is run, with weights of 8 bits
    """
    bank = WeightBank(graph)
    try:
        Engine(graph, bank, threads=1).run(images[:1], [TRIED_BITS] * len(bank.layers))
    except ModelError as error:
        return str(error)
    return None
