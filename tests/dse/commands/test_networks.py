"""The list of networks that the command line prints."""

import json

import sviT_models
from tests.dse.conftest import Run


def test_every_network_has_a_line_of_80_columns_with_its_size(svit: Run):
    lines = svit("networks").out.splitlines()
    assert [line.split()[0] for line in lines[3:]] == sviT_models.names()
    assert max(len(line) for line in lines) <= 80
    (line,) = (line for line in lines if line.startswith("sdtv3_large_spikformer12_768_173m"))
    # 171,740,714 parameters; 55.01 G MACs on levels, 8.51 on real numbers, 0.35 in the attention
    assert line.split() == ["sdtv3_large_spikformer12_768_173m", "171.74", "D=4", "55011", "8505", "347", "85.60"]


def test_json_holds_every_column_and_the_source(svit: Run):
    (row,) = json.loads(svit("networks", "spikingformer_8_512", "--json").out)
    assert row["parameters"] == 29_705_768
    assert row["accuracy"] == 74.79
    assert "README" in row["source"]
    assert (row["time_steps"], row["levels"]) == (4, None)


def test_a_text_that_no_name_contains_is_named(svit: Run):
    said = svit("networks", "vgg")
    assert said.status == 2
    assert "no network's name contains 'vgg'" in said.err
