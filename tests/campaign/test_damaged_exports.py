"""Whatever an export holds, it is verified or refused on one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

import sviT_models
from sviT_models import ModelError
from sviT_models.graph.capture import capture
from sviT_models.integer_network.read import GOLDEN, SPECIFICATION, WEIGHTS, content_hash
from sviT_models.network.neuron import LIF, IntegerNeuron
from tests.campaign.answers import answers
from tests.campaign.mutations import damaged_bytes, damaged_tree
from tests.sviT_models.graph.small import Recurrent, images, seeded
from tests.sviT_models.graph.test_random_networks import (
    Attention,
    Convolution,
    MembraneShortcut,
    Net,
    Pool,
    SpikeShortcut,
)

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("error")]
TRIALS = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
FILES = (SPECIFICATION, WEIGHTS, GOLDEN)
NETWORKS = {
    "shortcuts and attention": lambda: Net(
        2, [Convolution(1, 1, LIF), MembraneShortcut(Convolution(3, 2, LIF)), Attention(2, False, LIF)], LIF()
    ),
    "levels": lambda: Net(
        1,
        [SpikeShortcut(integer), Pool(True, integer), Attention(2, True, integer)],
        None,
    ),
    "delayed resets": lambda: Recurrent(beta=0.9),
}


def integer():
    return IntegerNeuron(4, half_up=True)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The three files of every network's export."""
    found = {}
    for name, make in NETWORKS.items():
        pictures = images() if name == "delayed resets" else images(3, 3, 8, 8)
        graph = capture(seeded(make), pictures)
        bank, folder = sviT_models.WeightBank(graph, images=pictures), tmp_path_factory.mktemp("chip") / "chip"
        sviT_models.export(graph, bank, [4] * len(bank.layers), 8, folder, golden_images=pictures[:2])
        assert sviT_models.verify_export(folder)["mismatches"].sum() == 0
        found[name] = {file: (folder / file).read_bytes() for file in FILES}
    return found


def verified(folder: Path, files: dict[str, bytes]) -> None:
    """Written with hashes that fit, so that what they hold is looked at."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    answers(lambda: sviT_models.verify_export(folder), ModelError)


def hashed(spec: object, folder: Path, files: dict[str, bytes]) -> bytes:
    """A specification with the hashes of the files beside it and its own."""
    if isinstance(spec, dict) and isinstance(spec.get("files"), dict):
        folder.mkdir(exist_ok=True)
        for name in (WEIGHTS, GOLDEN):
            if name in spec["files"]:
                (folder / name).write_bytes(files[name])
                spec["files"][name] = sviT_models.sha256(folder / name)
    if isinstance(spec, dict):
        spec["sha256"] = content_hash(spec)
    return json.dumps(spec).encode()


@TRIALS
@given(data=st.data(), network=st.sampled_from(sorted(NETWORKS)))
def test_specifications(tmp_path, originals, data, network):
    files = dict(originals[network])
    spec = data.draw(damaged_tree(json.loads(files[SPECIFICATION])))
    files[SPECIFICATION] = hashed(spec, tmp_path / "chip", files)
    verified(tmp_path / "chip", files)


@TRIALS
@given(data=st.data(), network=st.sampled_from(sorted(NETWORKS)))
def test_operations(tmp_path, originals, data, network):
    files = dict(originals[network])
    spec = json.loads(files[SPECIFICATION])
    spec |= data.draw(damaged_tree({"nodes": spec["nodes"]}))
    files[SPECIFICATION] = hashed(spec, tmp_path / "chip", files)
    verified(tmp_path / "chip", files)


CHANGES = {
    "float": lambda t: t.astype(np.float64),
    "int8": lambda t: t.astype(np.int8),
    "short": lambda t: t[:-1],
    "long": lambda t: np.concatenate([t, t]),
    "nothing": lambda t: t[:0],
    "a number": lambda t: np.array(1, t.dtype),
    "negative": lambda t: (-t.astype(np.int64) - 1).astype(t.dtype),
    "huge": lambda t: np.full_like(t, np.iinfo(t.dtype).max),
    "another shape": lambda t: t.reshape(-1, 1),
}


@TRIALS
@given(
    data=st.data(),
    network=st.sampled_from(sorted(NETWORKS)),
    file=st.sampled_from((WEIGHTS, GOLDEN)),
    change=st.sampled_from((*sorted(CHANGES), "gone", "renamed")),
)
def test_tensors(tmp_path, originals, data, network, file, change):
    files = dict(originals[network])
    tensors = load(files[file])
    name = data.draw(st.sampled_from(sorted(tensors)))
    tensor = tensors.pop(name)
    if change == "renamed":
        tensors["x"] = tensor
    elif change != "gone":
        tensors[name] = np.ascontiguousarray(CHANGES[change](tensor))
    files[file] = save(tensors)
    files[SPECIFICATION] = hashed(json.loads(files[SPECIFICATION]), tmp_path / "chip", files)
    verified(tmp_path / "chip", files)


@TRIALS
@given(data=st.data(), file=st.sampled_from(FILES), fitting=st.booleans())
def test_bytes(tmp_path, originals, data, file, fitting):
    files = dict(originals["delayed resets"])
    files[file] = data.draw(damaged_bytes(files[file]))
    if fitting and file != SPECIFICATION:
        files[SPECIFICATION] = hashed(json.loads(files[SPECIFICATION]), tmp_path / "chip", files)
    verified(tmp_path / "chip", files)
