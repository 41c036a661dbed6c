"""The layer table: shapes and operations of every layer, and what images make of them (docs/design.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import pandas as pd
import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph import layer_table as graph_table
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_graph, own_steps
from sviT_models.graph.network import GraphNetwork
from sviT_models.measure.hooks import batches

CAPTURED = ["sees", "largest", "events", "leak_bits"]  # columns that the table of a network as it is built has not


def layer_table(model: nn.Module, resolution: int) -> pd.DataFrame:
    """The layer table of square images of `resolution` pixels, computed from shapes alone.

    model  a network as it is built

    The measured columns `lif_spikes`, `spikes`, `synops` and `balance` are NaN.
    """
    if resolution < 1:
        raise ModelError(f"resolution is {resolution}; expected at least 1 pixel")
    image = torch.empty(1, 3, resolution, resolution, device="meta")
    return graph_table.layer_table(as_graph(model, image, own_steps(model))).drop(columns=CAPTURED)


def profile(
    model: nn.Module | Graph,
    images: Tensor | Iterable[Tensor],
    progress: Callable[[int], None] | None = None,
    *,
    products: bool = False,
) -> pd.DataFrame:
    """The layer table with what `images` cause, as a mean per image; one batch at a time is held in memory.

    model     a network, or the graph of one
    products  whether to count what product sparsity leaves, image by image, which takes longer: the columns
              `product_synops` (operations) and `product_sums` (sums read and written), for the data flow of that name

    `images` is (B, 3, H, W) or an iterable of such batches, all of one resolution. The image is counted as the input
    of every time step, although its convolution has the same result each time. In the row `qkv`, `synops` are pairs
    of a spike of Q and a non-zero entry of K^T V. `progress(done)` hears of the images.
    Of a captured network (`sviT_models.capture`) the table has further columns and rows: see graph.layer_table.
    Raises ModelError where there is no image.
    """
    if isinstance(model, GraphNetwork):
        model = model.graph
    if isinstance(model, Graph):
        return graph_table.profile(model, images, progress, products)
    parts: Iterator[Tensor] = batches(model, images)
    first = next(parts)
    graph, dtype = as_graph(model, first), next(model.parameters()).dtype
    table = graph_table.profile(graph, chain([first], parts), progress, products, dtype=dtype)
    return table.drop(columns=CAPTURED)
