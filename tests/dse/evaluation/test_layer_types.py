"""What layers are part of: of SDTv2 as its paper has it, of tables made by hand, and whatever the layers are called."""

from collections import Counter

import pandas as pd
import pytest

import sviT_models
from dse.evaluation.layer_types import layer_types, types_of


def renamed(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with numbers for names."""
    new = {name: str(row) for row, name in enumerate(table["name"])}
    return table.assign(**{column: table[column].map(lambda name: new.get(name, name)) for column in NAMES})


NAMES = "name", "after", "since"


@pytest.fixture(scope="module")
def sdtv2() -> dict[str, pd.DataFrame]:
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    return {
        form: sviT_models.layer_table(m, 32) for form, m in (("unfused", model), ("fused", sviT_models.fuse(model)))
    }


def test_every_layer_of_the_network_has_a_type(sdtv2):
    # 5 downsamplings; 5 ConvBlocks with 3 + 2 convolutions (one more in stage 2); 8 blocks of 3 and 1 RepConv with
    # 3 convolutions each, and of 2 MLP layers; one head
    assert Counter(layer_types(sdtv2["unfused"]).values()) == {
        "downsampling": 5,
        "SepConv": 12,
        "channel convolution": 8,
        "attention q, k, v": 72,
        "attention projection": 24,
        "MLP": 16,
        "head": 1,
    }
    # fused, SepConv has two layers and RepConv one
    assert Counter(layer_types(sdtv2["fused"]).values()) == {
        "downsampling": 5,
        "SepConv": 8,
        "channel convolution": 8,
        "attention q, k, v": 24,
        "attention projection": 8,
        "MLP": 16,
        "head": 1,
    }


@pytest.mark.parametrize("form", ["unfused", "fused"])
def test_names_do_not_matter(sdtv2, form):
    table = sdtv2[form]
    assert list(layer_types(renamed(table)).values()) == list(layer_types(table).values())


def test_another_family_with_another_attention():
    model = sviT_models.build("qkformer_cifar100_4_384", num_classes=10)
    types = layer_types(sviT_models.layer_table(model, 32))
    assert {types[name] for name in types if ".tssa." in name} == {"attention q, k, v", "attention projection"}
    assert types["stage3.0.ssa.v_conv"] == "attention q, k, v"
    assert types["stage3.0.ssa.proj_conv"] == "attention projection"
    assert types["stage1.0.mlp.mlp1_conv"] == "MLP"
    assert types["patch_embed1.proj_res_conv"] == "downsampling"  # a convolution of 1 on the shortcut alone
    assert types["head"] == "head"


def test_the_nearest_shortcut_counts():
    """Convolutions of 3 beside a shortcut, within a longer one that begins with a kernel of 1."""
    table = pd.DataFrame(
        [("a", "conv", 1), ("b", "conv", 3), ("c", "conv", 3), ("d", "conv", 1), ("e", "add", 1), ("f", "add", 1)],
        columns=["name", "kind", "kernel"],
    ).assign(stage="s", weights=[1, 1, 1, 1, 0, 0], after=["", "", "", "", "c", "d"], since=["", "", "", "", "a", ""])
    types = layer_types(table)
    assert types == {"a": "SepConv", "b": "channel convolution", "c": "channel convolution", "d": "SepConv"}
    assert types_of(["a", "b", "d"], types) == "SepConv + channel convolution"


def test_without_shortcuts_a_layer_has_its_stage():
    table = pd.DataFrame({"name": ["features.0", "classifier.1"], "stage": ["features", "classifier"]})
    assert layer_types(table) == {"features.0": "features", "classifier.1": "classifier"}
