"""Widths as configurations of quantization libraries: their own layouts, and back."""

import json
from pathlib import Path

import pytest

from dse.commands.export import FORMATS
from dse.errors import ConfigError
from dse.problem.design import Design
from dse.problem.tool_layouts import LAYOUTS, TOOLS, layout
from dse.problem.widths_file import Target, one_of

LAYERS = ("stem.conv", "block1.fc", "head")
TARGET = Target(LAYERS, 4, {"state": (), "stream": (), "between": ()})
DESIGN = Design(LAYERS, (8, 3, 32), 4)

# what torchao 0.18 itself gives: config_to_dict(FqnToConfig({"a.b": IntxWeightOnlyConfig(torch.int4), "c": None}))
INTX = {
    "_type": "IntxWeightOnlyConfig",
    "_version": 2,
    "_data": {
        "weight_dtype": {"_type": "torch.dtype", "_data": "int4"},
        "granularity": {"_type": "PerAxis", "_version": 1, "_data": {"axis": 0}},
        "mapping_type": {"_type": "MappingType", "_data": "SYMMETRIC"},
        "scale_dtype": None,
        "intx_packing_format": {"_type": "IntxPackingFormat", "_data": "UNPACKED_TO_INT8"},
        "intx_choose_qparams_algorithm": {"_type": "IntxChooseQParamsAlgorithm", "_data": "AFFINE"},
    },
}
TORCHAO = {
    "_type": "FqnToConfig",
    "_version": 1,
    "_data": {"fqn_to_config": {"a.b": INTX, "c": None}, "module_fqn_to_config": {"a.b": INTX, "c": None}},
}
# an example in the form of ModelOpt's guide: ordered entries, later ones win
MODELOPT = {
    "quant_cfg": [
        {"quantizer_name": "*", "enable": False},
        {"quantizer_name": "a.b.weight_quantizer", "cfg": {"num_bits": 8, "axis": 0}},
        {"quantizer_name": "a.b.input_quantizer", "cfg": {"num_bits": 8}},
        {"quantizer_name": "a.b.weight_quantizer", "cfg": {"num_bits": 4, "axis": 0}, "enable": True},
        {"quantizer_name": "c.weight_quantizer", "enable": False},
    ],
    "algorithm": "max",
}


@pytest.mark.parametrize("tool", LAYOUTS)
def test_what_is_written_is_read_back(tool: str, tmp_path: Path):
    (tmp_path / "bits.json").write_text(json.dumps(layout(DESIGN, tool)))
    assert one_of(tmp_path / "bits.json", TARGET) == DESIGN


@pytest.mark.parametrize("tree", [TORCHAO, MODELOPT], ids=["torchao", "modelopt"])
def test_what_the_libraries_write_is_read(tree: dict, tmp_path: Path):
    (tmp_path / "bits.json").write_text(json.dumps(tree))
    target = Target(("a.b", "c"), 4, {"state": (), "stream": (), "between": ()})
    assert one_of(tmp_path / "bits.json", target).weight_bits == (4, 32)


def test_torchao_has_the_keys_and_values_of_its_own_dump():
    made = layout(Design(("a.b", "c"), (4, 32), 1), "torchao")
    own = made["_data"]["fqn_to_config"]
    assert {key: made[key] for key in ("_type", "_version")} == {"_type": "FqnToConfig", "_version": 1}
    assert own["c"] is None
    assert {key: own["a.b"][key] for key in ("_type", "_version")} == {k: INTX[k] for k in ("_type", "_version")}
    assert own["a.b"]["_data"].items() <= INTX["_data"].items()  # what is left out has the library's defaults


def test_modelopt_turns_everything_off_first_and_every_layer_on_by_its_name():
    made = layout(DESIGN, "modelopt")
    assert made["algorithm"] == "max"
    assert made["quant_cfg"][0] == {"quantizer_name": "*", "enable": False}
    assert made["quant_cfg"][2] == {
        "quantizer_name": "block1.fc.weight_quantizer",
        "enable": True,
        "cfg": {"num_bits": 3, "axis": 0},
    }


def test_a_width_that_a_library_lacks_is_refused():
    with pytest.raises(ConfigError, match=r"--format torchao: a has 16 bits; torchao has 1 to 8"):
        layout(Design(("a",), (16,), 1), "torchao")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"quant_cfg": [{"cfg": {"num_bits": 4}}]}, "quant_cfg[0]: has no quantizer_name"),
        ({"quant_cfg": ["a"]}, "quant_cfg[0]: has no quantizer_name"),
        ({"quant_cfg": [{"quantizer_name": "*weight_quantizer", "cfg": {"num_bits": 4}}]}, "is a pattern"),
        (
            {"quant_cfg": [{"quantizer_name": "head.weight_quantizer", "cfg": {"num_bits": [4]}}]},
            "num_bits is [4]",
        ),
        ({"_type": "FqnToConfig", "_data": {}}, "_data.fqn_to_config is empty"),
        ({"_type": "FqnToConfig", "_data": {"fqn_to_config": {"_default": None}}}, "is a pattern"),
        ({"_type": "FqnToConfig", "_data": {"fqn_to_config": {"head": {"_data": 3}}}}, "weight_dtype is None"),
    ],
)
def test_a_mistake_is_one_line_with_its_entry(tree: dict, said: str, tmp_path: Path):
    (tmp_path / "bits.json").write_text(json.dumps(tree))
    with pytest.raises(ConfigError) as error:
        one_of(tmp_path / "bits.json", TARGET)
    assert said in str(error.value)
    assert str(tmp_path / "bits.json") in str(error.value)
    assert "\n" not in str(error.value)


# an encodings file as aimet_torch 2.42 writes it (0.6.1), shortened; brevitas: arguments of layerwise_quantize
AIMET = {
    "version": "0.6.1",
    "activation_encodings": {"a.b": {"input": {"0": {"bitwidth": 8, "dtype": "int"}}}},
    "param_encodings": {
        "a.b.weight": [
            {"bitwidth": 4, "dtype": "int", "is_symmetric": "True", "min": -8.0, "max": 7.0, "scale": 1.0, "offset": -8}
        ],
        "a.b.bias": [{"bitwidth": 32, "dtype": "float"}],
        "c.weight": [{"bitwidth": 32, "dtype": "float"}],
    },
}
BREVITAS = {"weight_bit_width": {"a.b": 4}, "name_blacklist": ["c"]}
SCALES = {"stem.conv": (0.5, 0.25), "block1.fc": (0.125,), "head": ()}


@pytest.mark.parametrize("tree", [AIMET, BREVITAS], ids=["aimet", "brevitas"])
def test_aimet_and_brevitas_are_read(tree: dict, tmp_path: Path):
    (tmp_path / "bits.json").write_text(json.dumps(tree))
    target = Target(("a.b", "c"), 4, {"state": (), "stream": (), "between": ()})
    assert one_of(tmp_path / "bits.json", target).weight_bits == (4, 32)


def test_aimet_has_an_encoding_for_every_channel_and_is_read_back(tmp_path: Path):
    made = layout(DESIGN, "aimet", SCALES)
    (tmp_path / "bits.json").write_text(json.dumps(made))
    assert one_of(tmp_path / "bits.json", TARGET) == DESIGN
    # 8 bit: -128 to 127 steps of 0.5 and of 0.25; 3 bit: -4 to 3 steps of 0.125
    ends = {name: [(e["min"], e["max"]) for e in made["param_encodings"][name]] for name in ("stem.conv.weight",)}
    assert ends["stem.conv.weight"] == [(-64.0, 63.5), (-32.0, 31.75)]
    (narrow,) = made["param_encodings"]["block1.fc.weight"]
    assert (narrow["min"], narrow["max"], narrow["offset"]) == (-0.5, 0.375, -4)
    assert set(narrow) == set(AIMET["param_encodings"]["a.b.weight"][0])


def test_one_bit_is_refused_where_a_library_has_none():
    for tool in ("aimet", "brevitas"):
        with pytest.raises(ConfigError, match=f"--format {tool}: a has 1 bits; {tool} has 2 to 31"):
            layout(Design(("a",), (1,), 1), tool, {"a": (1.0,)})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"param_encodings": {"a.weight": []}}, r"param_encodings\['a.weight'\]: bitwidth is None"),
        ({"weight_bit_width": {"a": "four"}}, r"weight_bit_width\['a'\] is four; expected a whole number"),
        ({"weight_bit_width": {"a": 4}, "name_blacklist": "b"}, r"name_blacklist is b; expected a list of layers"),
    ],
)
def test_what_is_wrong_with_them_is_named(tree: dict, message: str, tmp_path: Path):
    (tmp_path / "bits.json").write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match=message):
        one_of(tmp_path / "bits.json", TARGET)


def test_the_command_line_knows_every_layout():
    assert set(FORMATS[2:]) == set(TOOLS)
