"""Graphs in files: what is opened is what was saved, and needs none of the code it came from."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.files import open_graph, save_graph
from sviT_models.graph.run import run
from tests.sviT_models.graph.small import Inside, LIFNode, Recurrent, images, seeded


@pytest.fixture(scope="module")
def graph():
    return capture(seeded(lambda: Inside(lambda: LIFNode(tau=3.0, v_reset=None))), images())


def test_a_graph_comes_back_as_it_was(graph, tmp_path):
    save_graph(tmp_path / "net.safetensors", graph)
    again = open_graph(tmp_path / "net.safetensors")
    assert again.nodes == tuple(graph.nodes)
    assert again.time_steps == graph.time_steps
    assert torch.equal(run(again, images()), run(graph, images()))
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


def test_a_neuron_that_does_not_leak_is_kept(tmp_path):
    graph = capture(seeded(lambda: Recurrent(beta=1.0)), images())
    save_graph(tmp_path / "net.safetensors", graph)
    assert open_graph(tmp_path / "net.safetensors").nodes == graph.nodes


def test_a_graph_runs_where_its_code_is_not(graph, tmp_path):
    save_graph(tmp_path / "net.safetensors", graph)
    code = """
import sys, torch
from sviT_models.graph.files import open_graph
from sviT_models.graph.run import run
images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(7)) * 2
print(run(open_graph(sys.argv[1]), images).flatten().tolist())
assert not [name for name in sys.modules if name.startswith("tests")]
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "net.safetensors")], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == run(graph, images()).flatten().tolist()


def broken(path, change):
    """A saved graph with its JSON changed."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        content, tensors = json.loads(file.metadata()["graph"]), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    change(content)
    save_file(tensors, path, metadata={"graph": json.dumps(content)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version=9), "graph of version 9; this program reads 1"),
        (lambda c: c["nodes"][3].update(op="shell"), "no operation 'shell'"),
        (lambda c: c["nodes"].pop(1), "does not come before it"),
        (lambda c: c["nodes"][2].pop("shape"), "its graph cannot be read"),
        (lambda c: c["nodes"][1]["parameters"].update(weight="none"), "there is no parameter 'none'"),
    ],
)
def test_a_damaged_graph_is_refused(graph, tmp_path, change, message):
    path = tmp_path / "net.safetensors"
    save_graph(path, graph)
    broken(path, change)
    with pytest.raises(ModelError, match=message) as raised:
        open_graph(path)
    assert "\n" not in str(raised.value)


def test_other_files_are_refused(graph, tmp_path):
    with pytest.raises(ModelError, match="no such graph"):
        open_graph(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors here")
    with pytest.raises(ModelError, match="truncated or corrupt"):
        open_graph(tmp_path / "text.safetensors")
    save_file({"weight": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="holds no graph"):
        open_graph(tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="name it"):
        save_graph(tmp_path / "net.pth", graph)
    with pytest.raises(ModelError, match="no such folder"):
        save_graph(tmp_path / "none" / "net.safetensors", graph)
