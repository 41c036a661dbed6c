"""Product sparsity of spike matrices, against the published example, brute force, and sums that are really reused."""

import itertools

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import sviT_models
from sviT_models.graph.product_sparsity import TILE, Window, reuse, spike_matrices
from tests.sviT_models import small

EXAMPLE = ("1010", "1001", "1011", "0010", "1101", "1101")  # figure 1 (d) of the paper: 14 additions become 6


def matrix(texts: tuple[str, ...]) -> torch.Tensor:
    return torch.tensor([[int(bit) for bit in text] for text in texts])


def random(rows: int, columns: int, rate: float, seed: int = 0) -> torch.Tensor:
    return (torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < rate).float()


def test_the_published_example():
    found = reuse(matrix(EXAMPLE))
    assert (found.spikes, found.left, found.made, found.reused) == (14, 6, 6, 4)


def by_brute_force(spikes: torch.Tensor, tile: tuple[int, int]) -> tuple[float, float, int, int]:
    """Sets instead of products, row by row: and the sums are really made from those of the other row."""
    weights = torch.arange(1.0, spikes.shape[1] + 1).double()
    total = left = made = reused = 0
    starts = range(0, spikes.shape[0], tile[0]), range(0, spikes.shape[1], tile[1])
    for top, side in itertools.product(*starts):
        part = spikes[top : top + tile[0], side : side + tile[1]]
        rows = [{place for place, bit in enumerate(row) if bit} for row in part.tolist()]
        own = weights[side : side + tile[1]].tolist()
        sums: dict[int, float] = {}
        for place in sorted(range(len(rows)), key=lambda at: (len(rows[at]), at)):  # those with fewer spikes first
            row = rows[place]
            inside = [at for at in sums if rows[at] <= row and rows[at]] if len(row) > 1 else []
            best = max(inside, key=lambda at: len(rows[at]), default=None)
            rest = row - rows[best] if best is not None else row
            sums[place] = (sums[best] if best is not None else 0.0) + sum(own[at] for at in rest)
            assert sums[place] == sum(own[at] for at in row)
            total, left, made = total + len(row), left + len(rest), made + bool(row)
            reused += best is not None
    return total, left, made, reused


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (40, 9), (33, 20)])
@pytest.mark.parametrize("rate", [0.0, 0.15, 0.5, 1.0])
def test_equals_brute_force(shape: tuple[int, int], rate: float):
    spikes = random(*shape, rate)
    for tile in ((16, 4), (8, 8)):
        assert tuple(reuse(spikes, tile)) == by_brute_force(spikes, tile)


def test_never_adds_work_and_a_batch_shares_nothing():
    spikes = torch.stack([random(300, 40, 0.2, seed) for seed in range(3)])
    each = [reuse(one) for one in spikes]
    assert reuse(spikes) == tuple(map(sum, zip(*each, strict=True)))
    assert all(one.left <= one.spikes and one.reused <= one.made <= 300 * 3 for one in each)


@pytest.mark.parametrize("groups", [1, 4])
def test_rows_of_a_convolution_are_its_patches_with_the_time_steps_side_by_side(groups: int):
    x = (torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    weight = torch.rand(8, 4 // groups, 3, 3, generator=torch.Generator().manual_seed(2))
    matrices = spike_matrices(x, Window((3, 3), (2, 2), (1, 1), groups=groups))
    out = F.conv2d(x, weight, stride=2, padding=1, groups=groups).flatten(2)  # (T, C, P)
    products = matrices @ weight.view(groups, 8 // groups, -1).transpose(1, 2)  # (G, P T, C / G)
    torch.testing.assert_close(products.permute(1, 0, 2).flatten(1), out.permute(2, 0, 1).flatten(0, 1))


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return small.network()


@pytest.fixture(scope="module")
def table(model: torch.nn.Module) -> pd.DataFrame:
    """The layer table of two images with what product sparsity leaves."""
    return sviT_models.profile(model, small.IMAGES[:2], products=True).set_index("name", drop=False)


def test_the_profile_counts_the_matrices_of_every_spiking_layer(model: torch.nn.Module, table: pd.DataFrame):
    wide = table[(table.input == "spike") & (table.kernel == 3) & (table.groups == 1)]
    row = wide.loc[wide.synops.idxmax()]
    seen: list[torch.Tensor] = []
    hook = dict(model.named_modules())[row["name"]].register_forward_hook(lambda _, given, out: seen.append(given[0]))
    with torch.no_grad():
        for image in small.IMAGES[:2]:
            model(image[None])
    hook.remove()
    left = moved = 0.0
    for x in seen:
        patches = F.unfold(x, int(row.kernel), padding=int(row.padding), stride=int(row.stride)).permute(2, 0, 1)
        found = by_brute_force(patches.flatten(0, 1), TILE)
        left, moved = left + found[1] * row.out_channels, moved + (found[2] + found[3]) * row.out_channels
    assert left / 2 == row.product_synops < row.synops
    assert moved / 2 == row.product_sums


def test_rows_without_spikes_share_nothing(table: pd.DataFrame):
    rest = table[((table.input == "multibit") | (table.kind == "attention")) & (table.kind != "add")]
    assert (rest.product_synops == rest.synops).all()
    assert (rest.product_sums == 0).all()
    layers = table[table.kind != "add"]
    assert (layers.product_synops <= layers.synops * (1 + 1e-12)).all()
