"""Exports: what is read back is what was written, and every damage is one line."""

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import sviT_models
from sviT_models.errors import ModelError
from sviT_models.integer_network.packing import pack, unpack
from sviT_models.integer_network.read import GOLDEN, SPECIFICATION, WEIGHTS, content_hash
from tests.sviT_models.small import IMAGES, network

SCHEMA = Path(__file__).parents[3] / "docs" / "export-format.schema.json"


@pytest.fixture(scope="module")
def made():
    model = network()
    bank = sviT_models.WeightBank(model, images=IMAGES)
    return model, bank, [*([1, 2, 3, 4, 8, 16] * 23)[:137], 32]


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    model, bank, bits = made
    folder = tmp_path_factory.mktemp("written") / "chip"
    sviT_models.export(model, bank, bits, 6, folder, golden_images=IMAGES[:2])
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "chip"))


@given(st.integers(1, 24), st.lists(st.integers(0, 2**24 - 1), max_size=20))
def test_packed_integers_come_back(bits, values):
    values = np.array(values, np.int64) % 2**bits
    assert len(pack(values, bits)) == -(-len(values) * bits // 8)
    np.testing.assert_array_equal(unpack(pack(values, bits), bits, values.shape), values)


def test_packing_by_hand():
    # 1, 2, 3 of three bits, lowest bit first: 100 010 110 -> 10001011 0, read from the right 0b11010001 and 0
    assert pack(np.array([1, 2, 3]), 3).tolist() == [0b11010001, 0]
    with pytest.raises(ValueError, match="do not fit"):
        pack(np.array([8]), 3)


def test_a_loaded_export_is_the_engine(made, folder):
    model, bank, bits = made
    wanted = sviT_models.Engine(model, bank).run(IMAGES, bits, state_bits=6)
    found = sviT_models.load_export(folder).run(IMAGES.numpy())
    np.testing.assert_array_equal(found.logits, wanted.logits)
    np.testing.assert_array_equal(found.spikes, wanted.spikes)


def test_the_golden_vectors_hold(folder):
    table = sviT_models.verify_export(folder)
    assert len(table) == 78
    assert table["mismatches"].sum() == 0


def test_images_of_class_folders_have_golden_vectors_that_hold(made, tmp_path):
    """They lie in memory as they are decoded, channels innermost."""
    model, bank, bits = made
    images = IMAGES[:2].contiguous(memory_format=torch.channels_last)
    assert not images.is_contiguous()
    sviT_models.export(model, bank, bits, 6, tmp_path / "chip", golden_images=images)
    assert sviT_models.verify_export(tmp_path / "chip")["mismatches"].sum() == 0


def test_the_specification_follows_its_schema(folder):
    spec = json.loads((folder / SPECIFICATION).read_text())
    jsonschema.validate(spec, json.loads(SCHEMA.read_text()))
    packed = load_file(folder / WEIGHTS)
    for layer, entry in spec["weights"].items():
        assert packed[f"{layer}.weight"].nbytes == -(-np.prod(entry["shape"]) * entry["bits"] // 8)


def test_a_wrong_spike_is_found(folder):
    vectors = load_file(folder / GOLDEN)
    vectors["spikes.lif"][0] ^= 1
    save_file(vectors, folder / GOLDEN)
    with pytest.raises(ModelError, match=r"golden\.safetensors: its SHA-256"):
        sviT_models.verify_export(folder)
    spec = json.loads((folder / SPECIFICATION).read_text())
    spec["files"][GOLDEN] = sha256(folder / GOLDEN)
    write(folder, spec)
    table = sviT_models.verify_export(folder)
    assert table[table["mismatches"] > 0][["name", "mismatches"]].to_numpy().tolist() == [["lif", 1]]


def sha256(path):
    return sviT_models.sha256(path)


def write(folder, spec):
    spec["sha256"] = content_hash(spec)
    (folder / SPECIFICATION).write_text(json.dumps(spec))


def another_version(folder):
    write(folder, json.loads((folder / SPECIFICATION).read_text()) | {"version": 1})


def another_threshold(folder):
    spec = json.loads((folder / SPECIFICATION).read_text())
    spec["states"]["lif"]["threshold"] += 1
    (folder / SPECIFICATION).write_text(json.dumps(spec))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (another_version, "version is 1; this release reads 2"),
        (another_threshold, "sha256 does not fit"),
        (lambda f: (f / SPECIFICATION).write_text("{"), "is not JSON"),
        (lambda f: (f / SPECIFICATION).write_text("[]"), "format is not"),
        (lambda f: (f / SPECIFICATION).unlink(), "no such file"),
        (lambda f: (f / WEIGHTS).unlink(), "not complete"),
        (lambda f: (f / WEIGHTS).write_bytes(b"x"), "changed or damaged"),
    ],
)
def test_damage_is_one_line(folder, damage, said):
    damage(folder)
    with pytest.raises(ModelError, match=said) as error:
        sviT_models.load_export(folder)
    assert "\n" not in str(error.value)


def test_what_cannot_be_exported(made, folder, tmp_path):
    model, bank, bits = made
    with pytest.raises(ModelError, match="already there"):
        sviT_models.export(model, bank, bits, 6, folder)
    with pytest.raises(ModelError, match="belongs to another network"):
        sviT_models.export(network(), bank, bits, 6, tmp_path / "a")
    with pytest.raises(ModelError, match="137 widths"):
        sviT_models.export(model, bank, bits[1:], 6, tmp_path / "a")
    with pytest.raises(ModelError, match="golden images have shape"):
        sviT_models.export(model, bank, bits, 6, tmp_path / "a", golden_images=IMAGES[:, :, :16])
    assert not (tmp_path / "a").exists()
    without = sviT_models.export(model, bank, bits, 6, tmp_path / "b")
    assert "golden" not in without
    with pytest.raises(ModelError, match="no golden vectors"):
        sviT_models.verify_export(tmp_path / "b")
    with pytest.raises(ModelError, match="images have shape"):
        sviT_models.load_export(tmp_path / "b").run(IMAGES[:, :, :16].numpy())
