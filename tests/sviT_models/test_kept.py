"""What is kept on disk: read back to the last bit, made once, made again where damaged, never more than it may hold."""

import os
import time

import pytest
import torch

import sviT_models
from sviT_models.kept import Store, hashed, packed, unpacked
from sviT_models.quantization.shared_bank import SharedBank
from sviT_models.quantization.weight_bank import WeightBank
from tests.dse.exploration.test_workers import forked, status

CONTENT = packed({"a": torch.tensor([[0.1, 2.0]]), "b": torch.tensor([3], dtype=torch.int8)}, {"note": ["é"]})


def test_tensors_and_text_come_back_as_they_were():
    tensors, said = unpacked(CONTENT)
    assert torch.equal(tensors["a"], torch.tensor([[0.1, 2.0]]))
    assert tensors["b"].dtype == torch.int8
    assert said == {"note": ["é"]}


@pytest.mark.parametrize("at", [0, 20, 90, -1])
def test_a_changed_or_cut_file_is_made_again(tmp_path, at):
    store = Store(tmp_path)
    assert store.once("ab", lambda: CONTENT) == CONTENT
    whole = (tmp_path / "ab").read_bytes()
    for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at:][1:], b""):
        (tmp_path / "ab").write_bytes(damaged)
        assert store.read("ab") is None
        assert store.once("ab", lambda: CONTENT) == CONTENT
        assert (tmp_path / "ab").read_bytes() == whole


def test_what_was_used_last_stays(tmp_path):
    store = Store(tmp_path, most_bytes=3 * 200)
    for day, key in enumerate("abc"):
        store.keep(key, bytes(80))  # 161 bytes with its head
        os.utime(tmp_path / key, (day, day))
    assert store.read("a") is not None
    store.keep("d", bytes(80))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_processes_at_once_make_it_once(tmp_path):
    def work():
        def make():
            with (tmp_path / "made.log").open("a") as log:
                log.write("made\n")
            time.sleep(0.3)
            return CONTENT

        assert Store(tmp_path / "kept").once("ab", make) == CONTENT

    assert [status(pid) for pid in [forked(work) for _ in range(3)]] == [0] * 3
    assert (tmp_path / "made.log").read_text() == "made\n"


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert Store(tmp_path / "file").once("ab", lambda: CONTENT) == CONTENT


def test_every_part_and_its_place_is_in_the_hash():
    zeros = torch.zeros(4)
    parts = [("a", "b"), ("ab",), ("b", "a"), (zeros,), (zeros.reshape(2, 2),), (zeros.double(),), ({"a": 1},), ()]
    assert len({hashed(*each) for each in parts}) == len(parts)


def test_weights_of_another_process_are_those_made_here(tmp_path, monkeypatch):
    monkeypatch.setenv("SVIT_CACHE", str(tmp_path))
    torch.manual_seed(0)
    network = sviT_models.build("sdtv2_tiny", num_classes=4, in_channels=1).eval()
    images = torch.rand(4, 1, 32, 32)
    given = {"method": "compensated", "images": images}
    first, plain = SharedBank(network, sha256="x", **given), WeightBank(network, **given)
    wanted = [(layer, bits) for layer in plain.layers[:3] for bits in (2, 32)]
    made = {each: first.get(*each) for each in wanted}
    second = SharedBank(network, sha256="x", **given)
    monkeypatch.setattr(WeightBank, "_calibrated", None)  # rounding anew would fail
    for each in wanted:
        assert all(
            torch.equal(getattr(held, name), getattr(bank.get(*each), name))
            for held, bank in ((made[each], second),)
            for name in ("codes", "scale", "shift")
        )
    monkeypatch.undo()
    for each in wanted:
        assert torch.equal(made[each].codes, plain.get(*each).codes)
        assert torch.equal(made[each].shift, plain.get(*each).shift)
    assert second.notes == first.notes == plain.notes


def test_weights_of_another_network_or_other_images_are_others(tmp_path, monkeypatch):
    monkeypatch.setenv("SVIT_CACHE", str(tmp_path))
    network = sviT_models.build("sdtv2_tiny", num_classes=4, in_channels=1).eval()
    keys = {SharedBank(network, sha256="x")._key, SharedBank(network, sha256="y")._key}
    keys.add(SharedBank(network, sha256="x", clip="max")._key)
    with torch.no_grad():
        next(iter(network.parameters())).view(-1)[0] += 1e-3
    keys.add(SharedBank(network, sha256="x")._key)
    assert len(keys) == 4
