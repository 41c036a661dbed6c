"""A search on a trained network of every family that ships one, from the checkpoint's name to the report."""

from pathlib import Path

import pytest

import sviT_models
from dse.results.run import open_run

CONFIG = """
checkpoint: {name}
data: {{name: digits, search_images: {images}, verify_images: {images}, calibration_images: 64, fisher_images: 64}}
search: {{evaluations: {evaluations}, widths: [2, 3, 4, 8]}}
budgets: {{drop: 3}}
"""
TRAINED = [n for n in sviT_models.shipped_names() if n.endswith("_digits") and not n.startswith("sdtv2_")]
SIZES = {"images": 100, "evaluations": 20}, {"images": 60, "evaluations": 10}  # of the first family, and of others


@pytest.mark.campaign
@pytest.mark.parametrize("name", TRAINED)
def test_a_search_on_a_trained_network_of_the_family(unlimited, tmp_path, name):
    (tmp_path / "my.yaml").write_text(CONFIG.format(name=name, **SIZES[name != TRAINED[0]]))
    said = unlimited("search", "my.yaml", "--out", "run")
    assert said.status == 0, said.err
    run = open_run(Path("run"))
    table = run.table.set_index("origin")
    assert table.loc["float", "top1"] > 0.9
    best = run.table[run.table["feasible"]].sort_values("memory_bytes").iloc[0]
    assert best["memory_bytes"] < 0.75 * table.loc["uniform-8", "memory_bytes"]
    for words in (
        ("evaluate", "--run", "run", "--design", best["id"], "--images", 60),
        ("finetune", "run", "--design", "uniform-2", "--epochs", 1, "--images", 64),
        ("reestimate", "run", "--design", "uniform-2"),
        ("export", "run", "--design", best["id"], "--out", "chip", "--golden", 8),
        ("verify-export", "chip"),
    ):
        said = unlimited(*words)
        assert said.status == 0, (words, said.err)
