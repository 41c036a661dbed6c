"""The zeros of a design's own weights, from the integers that are evaluated to what a chip that skips them needs."""

from pathlib import Path

import pandas as pd
import pytest

import sviT_models
from costmodels import Designs, Workload, actions, estimate, load_hardware
from dse.config.schema import Config
from dse.evaluation.prepare import prepare
from dse.problem.design import uniform
from dse.results.run import open_run
from sviT_models.quantization.quantizers import quantize_weight
from tests.costmodels.small import plain_text

WIDTHS = (2, 4, 8)  # of small_run, whose weights are rounded to nearest


def counted(layer: str, bits: int) -> float:
    """Share of weights that are not zero, of the shipped network rounded anew."""
    module = sviT_models.open_checkpoint("sdtv2_tiny_digits").model.get_submodule(layer)
    codes = quantize_weight(module.weight, bits).codes
    return sum(code != 0 for code in codes.flatten().tolist()) / codes.numel()


@pytest.fixture(scope="module")
def skipping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chip") / "skips.yaml"
    text = plain_text(size=1 << 20).replace("table: horowitz", "table: horowitz\n  zero_weights: skipped")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_knows_how_many_of_its_weights_are_zero(small_run: Path):
    """Four levels have no zero; at 4 and 8 bits the shares are those of the network rounded anew."""
    table = pd.read_csv(small_run / "layers.csv").set_index("name")
    weighted = table[table["weights"] > 0]
    assert (weighted["nonzero_2"] == 1).all()
    assert 0.5 < weighted["nonzero_4"].min() < weighted["nonzero_4"].max() < 1
    for layer in ("downsample1_1.encode_conv", "block3.0.attn.q_conv.0.body.0", "head"):
        for bits in (4, 8):
            assert weighted.loc[layer, f"nonzero_{bits}"] == pytest.approx(counted(layer, bits), abs=1e-12), layer


def test_a_run_is_costed_again_with_the_zeros_of_its_designs(small_run: Path, skipping: Path, tmp_path: Path):
    """On a chip that skips them additions of every layer are its operations times its share at its width."""
    run = open_run(small_run)
    chip = load_hardware(skipping)
    costing = run.costing(chip)
    work = costing.workload
    mixed = [(4, 8, 2)[place % 3] for place in range(len(work.weight_layers))]
    found = actions(work, chip, Designs(mixed))
    happen = found["additions"] + found["multiplications"]
    table = run.layers.set_index("name")
    for place, layer in enumerate(work.weight_layers):
        row = work.names.index(layer)
        share = table.loc[layer, f"nonzero_{mixed[place]}"]
        assert happen[row] == pytest.approx(table.loc[layer, "synops"] * share, rel=1e-12), layer
    (tmp_path / "own.yaml").write_text(plain_text(size=1 << 20), encoding="utf-8")
    every = load_hardware(tmp_path / "own.yaml")
    four, eight = (estimate(work, chip, bits).energy_j / estimate(work, every, bits).energy_j for bits in (4, 8))
    assert four < eight < 1


def test_a_search_on_such_a_chip_counts_them(small_run: Path, skipping: Path):
    """The costs of a search are those of the run's layer table, and less than without zeros."""
    given = {"quantization": {"method": "nearest"}, "search": {"widths": WIDTHS}, "hardware": str(skipping)}
    given["data"] = {"search_images": 10, "verify_images": 10, "fisher_images": 10, "batch_size": 10}
    costing = prepare(Config.model_validate(given)).costing()
    design = uniform(costing.workload.weight_layers, 4, 4)
    again = open_run(small_run).costing(load_hardware(skipping))
    assert costing.columns([design])["energy_j"] == again.columns([design])["energy_j"]
    table = costing.workload.table()
    table = table.drop(columns=[name for name in table if name.startswith("nonzero")])
    works = costing.workload, Workload.from_table(table)
    own, without = (estimate(work, costing.hardware, 4).energy_by_component["compute"] for work in works)
    assert own < 0.95 * without
