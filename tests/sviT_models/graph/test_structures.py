"""Structures that are kept: another process reads the same graph, and nothing is read that does not fit."""

import importlib

import pytest
import torch

import sviT_models
from sviT_models.graph import capture, structures
from sviT_models.graph.files import fingerprint
from sviT_models.kept import Store

IMAGES = torch.zeros(2, 1, 16, 16)


def small(classes: int = 4) -> torch.nn.Module:
    torch.manual_seed(0)
    return sviT_models.build("sdtv1_tiny", num_classes=classes, in_channels=1, resolution=16).eval()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder, and a process that has traced nothing."""
    monkeypatch.setenv("SVIT_CACHE", str(tmp_path))
    monkeypatch.setattr(capture, "_structures", {})
    return tmp_path / "graphs"


@pytest.fixture
def kept(cache, monkeypatch):
    """A structure that an earlier process has traced, its file, and the graph that process had."""
    graph = capture.graph_of(small(), IMAGES)
    monkeypatch.setattr(capture, "_structures", {})
    (file,) = (path for path in cache.iterdir() if path.is_file())
    return file, graph


def test_the_kept_graph_is_the_traced_one(kept, monkeypatch):
    monkeypatch.setattr(capture, "traced", None)  # a second tracing would fail
    again = capture.graph_of(small(), IMAGES)
    assert fingerprint(again) == fingerprint(kept[1])
    assert [node.value for node in again.nodes] == [node.value for node in kept[1].nodes]


def test_a_network_of_the_zoo_is_captured_from_the_kept_structure_with_its_own_weights(kept, monkeypatch):
    other = small()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    images = torch.rand(2, 1, 16, 16)
    with monkeypatch.context() as patch:
        patch.setattr(capture, "_is_of_the_zoo", lambda module: False)
        expected = fingerprint(capture.capture(other, images))
    monkeypatch.setattr(capture, "traced", None)  # a second tracing would fail
    assert fingerprint(capture.capture(other, images)) == expected != fingerprint(kept[1])


def test_a_structure_that_weights_decide_is_not_kept(cache):
    """QSD computes its weights of learned codes and steps, which stand in the graph."""
    images, found = torch.rand(2, 3, 32, 32), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = sviT_models.build("qsd_tiny", num_classes=4, embed_dims=(8, 8, 8, 8), resolution=32).eval()
        found.append(fingerprint(capture.capture(model, images)))  # which compares with the module
    assert found[0] != found[1]
    assert not list(cache.glob("*"))


def test_another_network_image_or_code_is_another_structure(monkeypatch):
    keys = {structures.key(small(), (1, 16, 16)), structures.key(small(5), (1, 16, 16))}
    keys.add(structures.key(small(), (1, 32, 32)))
    monkeypatch.setattr(structures, "_code", lambda: "an older version")
    keys.add(structures.key(small(), (1, 16, 16)))
    assert len(keys) == 4


def test_a_damaged_file_is_no_structure(kept):
    for text in ("", "{", "[]", '{"nodes": 3}', '{"nodes": [{}]}', '{"nodes": [], "version": 9}'):
        kept[0].write_text(text)
        assert structures.read(kept[0].name, small().state_dict()) is None
        Store(kept[0].parent).keep(kept[0].name, text.encode())  # whole, and yet no structure
        assert structures.read(kept[0].name, small().state_dict()) is None


def test_one_changed_number_is_noticed(kept):
    content = kept[0].read_text()
    assert '"time_steps": 4' in content
    kept[0].write_text(content.replace('"time_steps": 4', '"time_steps": 3', 1))
    assert structures.read(kept[0].name, small().state_dict()) is None


def test_a_damaged_file_is_traced_again_and_replaced(kept):
    file, graph = kept
    before = file.read_text()
    file.write_text("{")
    assert fingerprint(capture.graph_of(small(), IMAGES)) == fingerprint(graph)
    assert file.read_text() == before


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SVIT_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(capture, "_structures", {})
    assert capture.graph_of(small(), IMAGES).nodes


def test_only_the_newest_structures_stay(kept, monkeypatch):
    monkeypatch.setattr(structures, "MOST", 1)
    capture.graph_of(small(5), IMAGES)
    assert len([path for path in kept[0].parent.iterdir() if path.is_file()]) == 1


def test_code_outside_of_the_package_is_part_of_the_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_block.py").write_text("SCALE = 1\n\n\ndef scaled(x):\n    return SCALE * x\n")
    (tmp_path / "own_block.py").write_text(
        "import torch\nfrom helper_of_block import scaled\n\n\n"
        "class Own(torch.nn.Module):\n    def forward(self, x):\n        return scaled(x)\n"
    )
    network = torch.nn.Sequential(importlib.import_module("own_block").Own())
    keys = {structures.key(network, (1,)), structures.identity(network)}
    for name in ("own_block.py", "helper_of_block.py"):
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        keys |= {structures.key(network, (1,)), structures.identity(network)}
    assert len(keys) == 6
