"""Fashion-MNIST: what comes with the package is what was published, and its splits share nothing."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from sviT_models.data import fashion_mnist, has_test, idx, load_data
from sviT_models.data.idx_folder import shared_out
from sviT_models.errors import ModelError

HERE = ("validation", "search", "verify", "test")
PUBLISHED = {  # SHA-256 of the files of Debian's dataset-fashion-mnist 0.0~git20200523, unpacked
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def installed() -> bool:
    try:
        return bool(fashion_mnist.original_files())
    except ModelError:
        return False


needs_originals = pytest.mark.skipif(not installed(), reason="Debian's dataset-fashion-mnist is not installed")


@pytest.fixture(scope="module")
def parts():
    return {split: load_data("fashion_mnist", split) for split in HERE}


def test_sizes_classes_and_values(parts):
    assert [len(part) for part in parts.values()] == [1000, 2000, 3000, 10_000]
    for part in parts.values():
        assert torch.bincount(part.labels).tolist() == [len(part) // 10] * 10  # published: 10 classes of equal size
        assert part.classes[9] == "Ankle boot"
        assert part.images.shape[1:] == (3, 32, 32)
        assert (part.images.min(), part.images.max()) == (-1, 1)
    assert has_test("fashion_mnist")
    assert not has_test("digits")


def test_no_image_is_in_two_splits(parts):
    names = [name for part in parts.values() for name in part.ids]
    assert len(set(names)) == 16_000
    assert all(name.split("/")[1] == ("test" if i >= 6000 else "train") for i, name in enumerate(names))


def test_a_larger_subset_holds_the_smaller_one():
    small, large = (load_data("fashion_mnist", "search", count=count, seed=4) for count in (30, 90))
    assert large.ids[:30] == small.ids
    assert load_data("fashion_mnist", "search", count=30, seed=5).ids != small.ids
    with pytest.raises(ModelError, match=r"fashion_mnist, split search: asked for 2001 images, there are 2000"):
        load_data("fashion_mnist", "search", count=2001)


def test_the_test_files_in_the_package_are_the_published_ones():
    for name, file in (("images-idx3", "t10k-images-idx3-ubyte"), ("labels-idx1", "t10k-labels-idx1-ubyte")):
        values = idx.read(fashion_mnist.EMBEDDED / f"test-{name}-ubyte.xz")
        header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        assert hashlib.sha256(header + values.tobytes()).hexdigest() == PUBLISHED[file]


def test_the_embedded_files_are_small_and_licensed():
    files = [*fashion_mnist.EMBEDDED.iterdir()]
    assert sum(file.stat().st_size for file in files) < 7e6
    assert "Copyright (c) 2017 Zalando SE" in (fashion_mnist.EMBEDDED / "LICENSE").read_text()
    assert "github.com/zalandoresearch/fashion-mnist" in (fashion_mnist.EMBEDDED / "README.md").read_text()


@needs_originals
def test_the_installed_files_are_the_published_ones():
    for name, path in fashion_mnist.original_files().items():
        values = idx.read(path)
        header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        assert hashlib.sha256(header + values.tobytes()).hexdigest() == PUBLISHED[name], path


@needs_originals
def test_held_out_images_are_training_images_and_train_is_all_the_others():
    files = fashion_mnist.original_files()
    images, labels = (idx.read(files[f"train-{kind}-ubyte"]) for kind in ("images-idx3", "labels-idx1"))
    held = idx.read(fashion_mnist.EMBEDDED / "held-out-positions-idx1-int.xz")
    assert len(set(held.tolist())) == 6000
    for kind, originals in (("images-idx3", images), ("labels-idx1", labels)):
        kept = idx.read(fashion_mnist.EMBEDDED / f"held-out-{kind}-ubyte.xz")
        assert hashlib.sha256(kept.tobytes()).digest() == hashlib.sha256(originals[held].tobytes()).digest()
    shares = shared_out(labels.astype(np.int64))  # as any folder of IDX files is shared out
    assert np.array_equal(np.concatenate([shares[split] for split in HERE[:3]]), held)
    train = load_data("fashion_mnist", "train", count=200)
    places = [int(name.removeprefix("fashion_mnist/train/")) for name in train.ids]
    assert not set(places) & set(held.tolist())
    assert np.array_equal(((train.images[:, 0, 2:30, 2:30] + 1) * 127.5).round(), images[places])
    assert train.labels.tolist() == labels[places].tolist()


def test_a_missing_set_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(fashion_mnist, "SYSTEM", (str(tmp_path / "share"),))
    monkeypatch.setenv("SVIT_DATASETS", str(tmp_path))
    with pytest.raises(ModelError, match=r"install Debian's dataset-fashion-mnist, or put those of github") as caught:
        load_data("fashion_mnist", "train")
    assert f"in {tmp_path} or {tmp_path / 'share'};" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_set_under_its_name_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        header = bytes([0, 0, 8, 3]) + np.array([9, 28, 28], ">u4").tobytes()
        Path(folder, f"{part}-images-idx3-ubyte").write_bytes(header + bytes(9 * 28 * 28))
        Path(folder, f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 9]) + bytes(9))
    monkeypatch.setenv("SVIT_DATASETS", str(tmp_path))
    with pytest.raises(ModelError, match=r"train-images-idx3-ubyte: is not Fashion-MNIST's; fetch the file again"):
        load_data("fashion_mnist", "train")
