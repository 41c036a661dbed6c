"""IDX files: what is written by hand is read back, and every way in which a file can be broken is named."""

import gzip
import lzma
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sviT_models.data import has_test, idx, imageset, load_data
from sviT_models.data.idx_folder import prepared, shared_out
from sviT_models.errors import ModelError

TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}  # as published with MNIST
PACKED = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def encoded(array: np.ndarray) -> bytes:
    """The format written from its description: big-endian throughout."""
    start = bytes([0, 0, TYPES[array.dtype.str[1:]], array.ndim])
    return start + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)
NUMBERS = st.sampled_from([*TYPES]).flatmap(lambda kind: arrays.arrays(np.dtype(kind), SHAPES))


@given(NUMBERS, st.sampled_from([*PACKED]))
def test_what_is_written_is_read(tmp_path_factory, array, ending):
    path = tmp_path_factory.mktemp("idx") / f"any-name{ending[::-1]}"  # the content decides, not the ending
    path.write_bytes(PACKED[ending](encoded(array)))
    found = idx.read(path)
    assert found.dtype.newbyteorder("=") == array.dtype
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")


GOOD = encoded(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no IDX file: it starts with nothing, not with 00 00 TYPE"),
        (b"\x00\x01" + GOOD[2:], "is no IDX file: it starts with 00 01 08 03"),
        (b"\x00\x00\x0a" + GOOD[3:], "is no IDX file: it starts with 00 00 0a 03"),
        (GOOD[:3] + b"\x00", "announces 0 dimensions; expected 1 to 4"),
        (GOOD[:3] + b"\xff" + GOOD[4:], "announces 255 dimensions; expected 1 to 4"),
        (GOOD[:10], "ends within its header"),
        (GOOD[:-1], "ends after 23 of 24 bytes of values"),
        (GOOD + b"x", "goes on after the 24 bytes of values it announces"),
        # without the time in the header: every worker has to collect the same cases
        (gzip.compress(GOOD, mtime=0)[:-9], r"cannot be read as IDX \(Compressed file ended"),
        (gzip.compress(GOOD, mtime=0)[:-6] + b"xxxxxx", r"cannot be read as IDX \(CRC check failed"),
        (lzma.compress(GOOD)[:-9], r"cannot be read as IDX \(Compressed file ended"),
        (b"\0\0\x08\x04" + b"\xff" * 16, r"announces 3402823\d+ bytes of values; at most 1073741824 are read"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path, content, complaint):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ModelError, match=complaint) as caught:
        idx.read(tmp_path / "broken")
    assert str(caught.value).startswith(f"{tmp_path / 'broken'}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none: cannot be read as IDX \(.*No such file"):
        idx.read(tmp_path / "none")


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = encoded(np.zeros(10, np.uint8)) + bytes(2**26)  # 64 MiB in 65 kB
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="goes on after the 10 bytes"):
            idx.read(tmp_path / "bomb.gz")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


# --- folders ---------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)
LABELS = {"train": np.arange(240) % 4 + 1, "t10k": np.arange(12) % 4 + 1}  # from 1, as EMNIST's letters
IMAGES = {part: RANDOM.integers(0, 256, (len(labels), 28, 28)) for part, labels in LABELS.items()}


def write(folder: Path, prefix: str = "", joint: str = "-", parts: tuple[str, ...] = ("train", "t10k")) -> Path:
    for name, part in zip(parts, ("train", "t10k"), strict=True):
        for kind, values, dimensions in (("images", IMAGES, 3), ("labels", LABELS, 1)):
            raw = encoded(values[part].astype(np.uint8))
            path = folder / f"{prefix}{name}-{kind}{joint}idx{dimensions}-ubyte"
            if prefix:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(raw))
            else:
                path.write_bytes(raw)
    return folder


def test_every_training_image_is_in_one_split_and_the_test_files_are_the_test(tmp_path):
    write(tmp_path)
    parts = {split: load_data(tmp_path, split) for split in ("train", "validation", "search", "verify", "test")}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 216, "validation": 4, "search": 8, "verify": 12, "test": 12
    }  # fmt: skip
    ids = [name for split, part in parts.items() if split != "test" for name in part.ids]
    assert sorted(ids) == [f"train/{index:06d}" for index in range(240)]
    for split, part in parts.items():
        source = "t10k" if split == "test" else "train"
        assert part.classes == ("1", "2", "3", "4")
        for name, image, label in zip(part.ids, part.images, part.labels, strict=True):
            index = int(name[-6:])
            assert label == LABELS[source][index] - 1
            assert torch.equal(image[0], image[2])
            inner = ((image[1, 2:30, 2:30] + 1) * 127.5).round()
            assert np.array_equal(inner, IMAGES[source][index])
            assert image.sum(0).count_nonzero() <= 32 * 32
            assert (image[:, [0, 1, 30, 31]] == -1).all()
            assert (image[:, :, [0, 1, 30, 31]] == -1).all()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_shares_are_disjoint_complete_and_in_proportion(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = shared_out(labels)
    assert sorted(np.concatenate([*parts.values()])) == list(range(len(labels)))
    held = len(labels) // 10
    assert [len(part) for part in parts.values()] == [
        len(labels) - held, held // 6, held // 3, held - held // 6 - held // 3
    ]  # fmt: skip


def test_the_ways_in_which_the_files_are_named(tmp_path):
    for number, options in enumerate(({}, {"joint": "."}, {"parts": ("train", "test")})):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert load_data(write(folder, **options), "test").ids[0].startswith("test/")
        assert has_test(folder)
    assert not has_test(tmp_path)


def test_one_of_several_sets_in_a_folder(tmp_path):
    write(tmp_path, "emnist-letters-")
    write(tmp_path, "emnist-digits-", parts=("train", "test"))
    with pytest.raises(ModelError, match=r"holds 2 data sets; name one of them: .*emnist-digits, \.\.\."):
        load_data(tmp_path, "search")
    assert len(load_data(tmp_path / "emnist-letters", "search", count=5)) == 5
    with pytest.raises(ModelError, match=r"no data set .*emnist-mnist"):
        load_data(tmp_path / "emnist-mnist", "search")


def test_a_larger_subset_holds_the_smaller_one(tmp_path):
    write(tmp_path)
    small, large = (load_data(tmp_path, "train", count=count, seed=3) for count in (20, 100))
    assert large.ids[:20] == small.ids
    with pytest.raises(ModelError, match=r"split test: asked for 13 images, there are 12"):
        load_data(tmp_path, "test", count=13)


def test_sets_that_are_too_small_to_share_out(tmp_path):
    write(tmp_path)
    for number, enough in ((59, False), (60, True)):
        for kind, values, dimensions in (("images", IMAGES, 3), ("labels", LABELS, 1)):
            few = values["train"][:number].astype(np.uint8)
            (tmp_path / f"train-{kind}-idx{dimensions}-ubyte").write_bytes(encoded(few))
        if enough:
            assert len(load_data(tmp_path, "validation")) == 1
        else:
            with pytest.raises(ModelError, match=r"59 train images are too few for a split 'validation'; .* least 60"):
                load_data(tmp_path, "validation")


def test_large_sets_are_kept_as_pixels_and_give_the_same_images(tmp_path, monkeypatch):
    write(tmp_path)
    expected = load_data(tmp_path, "train")
    monkeypatch.setattr(imageset, "NORMALISED_BYTES", 1000)
    large = load_data(tmp_path, "train")
    assert isinstance(large.images, imageset.PixelImages)
    assert large.images.pixels.base.nbytes == 216 * 32 * 32  # one byte per pixel, one channel
    assert (large.sha256, large.ids) == (expected.sha256, expected.ids)
    assert tuple(large.images.shape) == expected.images.shape
    assert len(large.images) == 216
    order = torch.randperm(216, generator=torch.Generator().manual_seed(0))
    assert torch.equal(large.images[order], expected.images[order])
    assert torch.equal(large.images[5:9], expected.images[5:9])
    batches = list(large.batches(50))
    assert [len(labels) for _, labels in batches] == [50, 50, 50, 50, 16]
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), expected.images)
    assert batches[0][0].is_contiguous()


def test_files_that_do_not_belong_together(tmp_path):
    write(tmp_path)
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    kept = labels.read_bytes()
    labels.write_bytes(encoded(np.zeros(239, np.uint8)))
    with pytest.raises(ModelError, match=r"has 240 images, .*train-labels-idx1-ubyte has 239 labels"):
        load_data(tmp_path, "search")
    labels.write_bytes(images.read_bytes())
    with pytest.raises(
        ModelError, match=r"labels-idx1-ubyte: holds uint8 \(240, 28, 28\); expected one label per image"
    ):
        load_data(tmp_path, "search")
    labels.write_bytes(kept)
    images.write_bytes(encoded(np.zeros((240, 28), np.uint8)))
    with pytest.raises(ModelError, match=r"images-idx3-ubyte: holds uint8 \(240, 28\); expected grey images"):
        load_data(tmp_path, "search")
    images.unlink()
    with pytest.raises(ModelError, match=r"has no IDX file of the train images \(it has t10k-images"):
        load_data(tmp_path, "search")


def test_images_stand_in_the_middle_of_a_square_and_can_be_enlarged():
    images = RANDOM.integers(1, 256, (2, 20, 28)).astype(np.uint8)
    square = prepared(images, None)
    assert square.shape == (2, 3, 32, 32)
    assert np.array_equal(square[:, 1, 6:26, 2:30], images)
    assert square.sum(dtype=int) == 3 * images.sum(dtype=int)
    assert np.array_equal(prepared(images, 32), square)
    flat = prepared(np.full((1, 32, 32), 77, np.uint8), 48)
    assert flat.shape == (1, 3, 48, 48)
    assert (flat == 77).all()
