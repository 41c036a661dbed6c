"""Exports as ONNX: onnxruntime gives the integers of the golden vectors, and mistakes are one line."""

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models.errors import ModelError
from sviT_models.integer_network import onnx_model as model_file
from tests.sviT_models.graph.small import Inside, Leaky, LIFNode
from tests.sviT_models.small import IMAGES, network


def written(model, out: Path, bits, images=IMAGES, states=6) -> Path:
    bank = sviT_models.WeightBank(model, images=images)
    sviT_models.export(model, bank, bits(len(bank.layers)), states, out, golden_images=images[:3])
    sviT_models.write_onnx(out)
    return out


def mixed(layers: int) -> list[int]:
    return [*([1, 2, 3, 4, 8, 16] * layers)[: layers - 1], 32]


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    return written(network(), tmp_path_factory.mktemp("onnx") / "chip", mixed)


def test_a_transformer_gives_its_golden_vectors_bit_for_bit(chip):
    table = sviT_models.verify_onnx(chip)
    assert list(table["name"]) == list(sviT_models.verify_export(chip)["name"])
    assert table["values"].sum() > 50_000
    assert table["mismatches"].sum() == 0


class LoopOfLeaky(nn.Module):
    """Reset by subtraction in the step after, with a leak that is no binary fraction."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1, groups=1), nn.Linear(4, 5)
        self.lif = Leaky(beta=0.83)

    def forward(self, images):
        mem, total = self.lif.init_leaky(), 0.0
        for _ in range(3):
            spikes, mem = self.lif(self.conv(images), mem)
            total = total + self.fc(spikes.mean((2, 3)))
        return total / 3


FAMILIES = {
    "hard reset": lambda: Inside(LIFNode),
    "soft reset, slow leak": lambda: Inside(lambda: LIFNode(tau=4.0, v_reset=None)),
    "delayed reset": LoopOfLeaky,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_captured_networks_do_too(family, tmp_path):
    torch.manual_seed(0)
    images = 2 * torch.randn(6, 3, 8, 8)
    captured = sviT_models.capture(FAMILIES[family]().eval(), images)
    out = written(captured, tmp_path / "chip", lambda layers: [4] * layers, images, states=8)
    table = sviT_models.verify_onnx(out)
    assert table["mismatches"].sum() == 0
    assert len(table) > 1


@pytest.mark.campaign
@pytest.mark.parametrize("name", [n for n in sviT_models.shipped_names() if not n.endswith("_glyphs")])
def test_every_family_with_trained_weights_does(name, tmp_path):
    found = sviT_models.open_checkpoint(name)
    data = "fashion_mnist" if name.endswith("_fashion_mnist") else "digits"
    images = sviT_models.load_data(data, "search", count=32).images
    opened = sviT_models.opened(found.model, images[:2], name, found.path)
    out = written(opened.model, tmp_path / "chip", lambda layers: [4] * layers, images, states=8)
    assert sviT_models.verify_onnx(out)["mismatches"].sum() == 0


def test_the_model_is_valid_and_says_what_its_tensors_hold(chip):
    model = onnx.load(chip / model_file.MODEL)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {""}  # operators of the standard only
    types = {a.tensor_name: a.quant_parameter_tensor_names[0].value for a in model.graph.quantization_annotation}
    held = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    ranges = {"BIPOLAR": (-1, 1), **{f"INT{b}": (-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in range(2, 25)}}
    weights = [name for name in types if name in held]
    assert len(weights) >= 138
    for name in weights:
        low, high = ranges[types[name]]
        assert low <= held[name].min() <= held[name].max() <= high, name
    assert {types["image"], types["spikes.lif"]} == {"INT8", "BINARY"}


def test_a_changed_weight_is_found(chip, tmp_path):
    folder = Path(shutil.copytree(chip, tmp_path / "chip"))
    model = onnx.load(folder / model_file.MODEL)
    last = next(t for t in reversed(model.graph.initializer) if "head.weight" in t.name)
    last.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(last) + 2**16, last.name))
    onnx.save(model, folder / model_file.MODEL)
    table = sviT_models.verify_onnx(folder).set_index("name")
    assert table.loc["logits", "mismatches"] > 0
    assert table["mismatches"].drop("logits").sum() == 0


def test_mistakes_are_one_line(chip, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(chip, tmp_path / "chip"))
    (folder / model_file.MODEL).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"network\.onnx: cannot be read as a model") as error:
        sviT_models.verify_onnx(folder)
    assert "\n" not in str(error.value)
    (folder / model_file.MODEL).unlink()
    with pytest.raises(ModelError, match="export with --format qonnx"):
        sviT_models.verify_onnx(folder)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"onnx is not installed; install svit-dse\[onnx\]"):
        sviT_models.write_onnx(folder)
    assert not (folder / model_file.MODEL).exists()


def test_a_model_that_no_file_can_hold_is_refused(chip):
    exported = sviT_models.load_export(chip)
    entry = next(iter(exported.spec["weights"].values()))
    entry["shape"] = [2**15, 2**15, 1, 1]
    with pytest.raises(ModelError, match="2 GB"):
        sviT_models.onnx_model(exported)


@pytest.mark.parametrize("right", [0, 1, 40, 62])
def test_the_shift_is_the_floor_of_signed_numbers(right):
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    from sviT_models.integer_network.onnx_builder import Builder

    values = np.array([-(2**53), -5, -4, -1, 0, 1, 7, 2**53], np.int64)
    graph = Builder()
    made = graph.shift_right("x", right)
    info = [helper.make_tensor_value_info(n, TensorProto.INT64, [8]) for n in ("x", made)]
    parts = (graph.nodes, "g", info[:1], info[1:], list(graph.constants.values()))
    model = helper.make_model(helper.make_graph(*parts), opset_imports=[helper.make_opsetid("", 18)])
    (found,) = ReferenceEvaluator(model).run(None, {"x": values})
    assert found.tolist() == [int(v) // 2**right for v in values]
