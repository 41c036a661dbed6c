"""What does not fit in an export, whatever it is, is named on one line before anything is computed."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import sviT_models
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.integer_network.read import GOLDEN, SPECIFICATION, WEIGHTS, content_hash
from sviT_models.network.neuron import LIF
from tests.sviT_models.graph.small import images, seeded
from tests.sviT_models.graph.test_random_networks import Attention, Convolution, MembraneShortcut, Net


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small network with most operations: attention, a shortcut, the mean over tokens."""
    pictures = images(3, 3, 8, 8)
    blocks = lambda: [Convolution(1, 1, LIF), MembraneShortcut(Convolution(3, 1, LIF)), Attention(2, False, LIF)]  # noqa: E731
    graph = capture(seeded(lambda: Net(2, blocks(), LIF())), pictures)
    bank, folder = sviT_models.WeightBank(graph, images=pictures), tmp_path_factory.mktemp("written") / "chip"
    sviT_models.export(graph, bank, [4] * len(bank.layers), 8, folder, golden_images=pictures[:2])
    assert sviT_models.verify_export(folder)["mismatches"].sum() == 0
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "chip"))


def write(folder, spec):
    spec["sha256"] = content_hash(spec)
    (folder / SPECIFICATION).write_text(json.dumps(spec))


def first(spec, op):
    return next(node for node in spec["nodes"] if node["op"] == op)


def adding(spec):
    return next(node for node in spec["nodes"] if "add" in node)


CHANGES = {
    "a key is missing": (lambda s: s.pop("states"), "specification: states is missing"),
    "a key is unknown": (lambda s: s.update(extra=1), "unknown key 'extra'"),
    "nodes are no list": (lambda s: s.update(nodes={}), "specification.nodes is {}; expected a list"),
    "a node is no object": (lambda s: s["nodes"].insert(0, 3), r"nodes\[0\] is 3; expected an object"),
    "an operation is unknown": (lambda s: first(s, "fire").update(op="burn"), r"op is 'burn'; expected conv or"),
    "a node lacks a key": (lambda s: first(s, "conv").pop("stride"), "stride is missing"),
    "a stride is 0": (lambda s: first(s, "conv").update(stride=[0, 1]), r"stride\[0\] is 0; expected a whole number"),
    "a padding is huge": (lambda s: first(s, "conv").update(padding=[10**9, 0]), r"padding\[0\] is 1000000000"),
    "a padding is large": (lambda s: first(s, "conv").update(padding=[4096, 4096]), "numbers of one image"),
    "a layer is unknown": (lambda s: first(s, "conv").update(layer="x"), "there is no layer 'x'"),
    "groups do not divide": (lambda s: first(s, "conv").update(groups=3), "nodes.*are not|expected a divisor"),
    "an input is unknown": (lambda s: first(s, "conv").update(input="x"), "reads 'x', which nothing has written"),
    "an input is a number": (lambda s: first(s, "conv").update(input=1), "input is 1; expected a name"),
    "constants are unknown": (lambda s: first(s, "rescale").update(constants="x"), "there are no constants 'x'"),
    "an addition does not fit": (lambda s: adding(s).update(add="image"), "adds 192 numbers to 128"),
    "neurons are unknown": (lambda s: first(s, "fire").update(name="x"), "there are no neurons 'x'"),
    "a shift is huge": (lambda s: first(s, "fire").update(left_shift=99), "left_shift is 99; expected a whole number"),
    "a shape does not fit": (lambda s: first(s, "fire").update(shape=[2, -1, 5]), "numbers of one image are not"),
    "steps do not fit": (lambda s: first(s, "fire").update(steps=3), "3 steps drive 2"),
    "attention lacks an input": (lambda s: first(s, "attend")["inputs"].pop(), "3 shapes for 2 inputs"),
    "axes are missing": (lambda s: first(s, "sum").update(axes=[9]), r"axes are \[9\]"),
    "an order is none": (lambda s: first(s, "arrange").update(order=[0, 0, 1, 2, 3]), "do not fit"),
    "sizes are huge": (lambda s: first(s, "arrange").update(sizes=[2**31] * 9), "do not fit|expected 1 to"),
    "a state has no width": (lambda s: s["states"]["last"].update(bits=None), "bits is None; expected a whole number"),
    "a threshold is negative": (lambda s: s["states"]["last"].update(threshold=-1), "threshold is -1"),
    "guard is huge": (lambda s: s["states"]["last"].update(guard=10**6), "guard is 1000000"),
    "strict is a number": (lambda s: s["states"]["last"].update(strict=1), "strict is 1; expected true or false"),
    "a fraction is huge": (lambda s: s["image"].update(fraction=10**9), "image.fraction is 1000000000"),
    "an image has no size": (lambda s: s["image"].update(shape=[3, 0, 8]), r"shape\[1\] is 0"),
    "an image is larger": (lambda s: s["image"].update(shape=[3, 16, 8]), "numbers of one image"),
    "a limit is no number": (lambda s: s["rescales"]["head"].update(low="x"), "low is 'x'"),
    "a weight has a huge shape": (lambda s: s["weights"]["head"].update(shape=[2**30] * 4), "head.weight is uint8"),
    "a weight has no bits": (lambda s: s["weights"]["head"].update(bits=0), "bits is 0"),
    "classes are others": (lambda s: s.update(classes=7), "the logits are 3 numbers; expected 7"),
    "logits are missing": (lambda s: s["nodes"].pop(), "the logits are None numbers"),
    "golden spikes are missing": (lambda s: s["golden"]["spikes"].pop("last"), "differ in 'last'"),
    "golden shapes are others": (lambda s: s["golden"]["spikes"]["last"].update(shape=[1]), "golden.spikes"),
    "more golden images": (lambda s: s["golden"].update(images=3), "golden"),
    "files is a list": (lambda s: s.update(files=[]), "files is"),
}
TENSORS = {
    "a weight is missing": (WEIGHTS, lambda t: t.pop("head.weight"), "head.weight is missing"),
    "a weight is short": (WEIGHTS, lambda t: t.update({"head.weight": t["head.weight"][:-1]}), "head.weight is uint8"),
    "a weight is float": (WEIGHTS, lambda t: t.update({"head.weight": np.zeros(12)}), "head.weight is float64"),
    "constants are missing": (WEIGHTS, lambda t: t.pop("head.right"), "head.right is missing"),
    "constants are short": (WEIGHTS, lambda t: t.update({"head.right": t["head.right"][:2]}), "head: multiplier"),
    "constants are float": (WEIGHTS, lambda t: t.update({"head.offset": t["head.offset"] * 1.0}), "are not int64"),
    "a shift is negative": (WEIGHTS, lambda t: t.update({"head.right": t["head.right"] - 99}), "expected 0 to 62"),
    "an offset is huge": (WEIGHTS, lambda t: t.update({"head.offset": t["head.offset"] | 2**60}), "53 bits"),
    "a tensor is unknown": (WEIGHTS, lambda t: t.update(x=np.zeros(1)), "x belongs to nothing"),
    "images are missing": (GOLDEN, lambda t: t.pop("image"), "image is missing"),
    "images are float": (GOLDEN, lambda t: t.update(image=t["image"] * 1.0), "image is float64"),
    "images are small": (GOLDEN, lambda t: t.update(image=t["image"][:, :, :4].copy()), "image is int8"),
    "spikes are short": (GOLDEN, lambda t: t.update({"spikes.last": t["spikes.last"][1:]}), "spikes.last is uint8"),
    "logits are others": (GOLDEN, lambda t: t.update(logits=t["logits"][:, :2].copy()), "logits is int32"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_specification_that_does_not_fit_is_one_line(folder, what):
    change, said = CHANGES[what]
    spec = json.loads((folder / SPECIFICATION).read_text())
    change(spec)
    write(folder, spec)
    refused(folder, said)


def test_a_specification_nested_beyond_use_is_one_line(folder):
    (folder / SPECIFICATION).write_text("[" * 100_000)
    refused(folder, "is nested deeper than any export")


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_do_not_fit_are_one_line(folder, what):
    name, change, said = TENSORS[what]
    tensors, spec = load_file(folder / name), json.loads((folder / SPECIFICATION).read_text())
    change(tensors)
    save_file(tensors, folder / name)
    write(folder, spec | {"files": spec["files"] | {name: sviT_models.sha256(folder / name)}})
    refused(folder, said)


def test_names_in_an_export_never_lead_out_of_its_folder(written, folder, opened_files):
    """Whatever it calls its files and tensors: whole ones of the same content lie where the names lead."""
    for name in (WEIGHTS, GOLDEN):
        shutil.copy(written / name, folder.parent / name)
        (folder / name).unlink()
    spec = json.loads((folder / SPECIFICATION).read_text())
    away = {f"../{name}": hashed for name, hashed in spec["files"].items()}
    for files in (away, away | {WEIGHTS: f"../{WEIGHTS}"}, {str(folder.parent / n): h for n, h in away.items()}):
        write(folder, spec | {"files": files})
        refused(folder, f"{WEIGHTS}: no such file; the export is not complete")
    tensors = load_file(written / WEIGHTS)
    tensors["../x"] = tensors.pop("head.weight")
    save_file(tensors, folder / WEIGHTS)
    named = spec | {"files": spec["files"] | {WEIGHTS: sviT_models.sha256(folder / WEIGHTS)}}
    write(folder, named)
    refused(folder, "head.weight is missing")
    before = len(opened_files)
    with pytest.raises(ModelError):
        sviT_models.load_export(folder)
    looked_at = [path for path in opened_files[before:] if path.is_relative_to(folder.parent)]
    assert {path.parent for path in looked_at} == {folder}


@pytest.fixture(scope="module")
def opened_files():
    """Every file that this process opens from now on."""
    seen, hearing = [], [True]

    def hear(event, given):
        if hearing and event == "open" and isinstance(given[0], str | bytes):
            seen.append(Path(os.fsdecode(given[0])))

    sys.addaudithook(hear)
    yield seen
    hearing.clear()


def refused(folder, said):
    with pytest.raises(ModelError, match=said) as error:
        sviT_models.verify_export(folder)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(folder))
    assert len(str(error.value)) < len(str(folder)) + 400
