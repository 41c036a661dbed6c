"""Images from the user's disk: folders of class folders and `.npz` arrays, good and bad."""

import hashlib
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sviT_models.data import folder, load_data, loader_speed
from sviT_models.errors import ModelError

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SPLITS = ("validation", "search", "verify")


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth coloured pattern with some noise, (height, width, 3) uint8, from whole-number arithmetic alone."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.Generator(np.random.PCG64(seed)).integers(0, 32, (height, width, 3))
    waves = np.stack([(x * (3 + c) + y * (5 - c) + (x * y) // (40 + 10 * seed)) % 224 for c in range(3)], axis=2)
    return (waves + noise).astype(np.uint8)


def tree(root: Path, per_class: int = 7, classes=("ant", "bee", "cat"), size=(40, 36), ending: str = ".png") -> Path:
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            image = Image.fromarray(picture(*size, seed=10 * label + number))
            image.save(root / name / f"{number:03d}{ending}")
    return root


# --- the evaluation transform ----------------------------------------------------------------------------------------


def bicubic(values: np.ndarray, length: int) -> np.ndarray:
    """Rows of `values` (n, ...) resampled to `length` with an antialiased bicubic kernel (a = -1/2), by definition."""
    scale = len(values) / length
    spread = max(scale, 1.0)  # the kernel widens when the image shrinks: that is the antialiasing
    centres = (np.arange(length) + 0.5) * scale
    distance = np.abs((np.arange(len(values)) + 0.5)[None] - centres[:, None]) / spread
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    kernel = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    kernel /= kernel.sum(1, keepdims=True)
    return np.clip(np.rint(np.tensordot(kernel, values, axes=1)), 0, 255)  # stored as bytes between the two passes


@pytest.mark.parametrize("size", [(60, 45), (45, 61), (33, 33), (20, 70)])
def test_the_transform_is_resize_256_bicubic_antialias_then_centre_crop_224(size):
    """Against the definition of the filter: at 28 pixels, the shorter side becomes 32 and the crop takes 28."""
    width, height = size
    image = picture(width, height)
    short = 32
    wide, high = (short, short * height // width) if width <= height else (short * width // height, short)
    resized = bicubic(np.swapaxes(bicubic(np.swapaxes(image.astype(float), 0, 1), wide), 0, 1), high)
    top, left = round((high - 28) / 2), round((wide - 28) / 2)
    expected = resized[top : top + 28, left : left + 28].transpose(2, 0, 1)
    got = folder.evaluation_transform(Image.fromarray(image), 28)
    assert got.shape == (3, 28, 28)
    assert np.abs(got - expected).max() <= 1  # Pillow's filter has weights of 22 binary digits


def test_the_transform_gives_the_recorded_pixels():
    """Goldens: see tests/data/evaluation_transform.md for how they were made."""
    with np.load(Path(__file__).parents[2] / "data" / "evaluation_transform.npz") as golden:
        for key in golden.files:
            width, height = map(int, key.split("x"))
            got = folder.evaluation_transform(Image.fromarray(picture(width, height)))
            assert got.shape == (3, 224, 224)
            assert np.array_equal(got[:, ::7, ::7], golden[key]), key


def test_an_image_of_the_right_size_is_only_cropped():
    image = picture(256, 256)
    expected = image[16:240, 16:240].transpose(2, 0, 1)
    assert np.array_equal(folder.evaluation_transform(Image.fromarray(image)), expected)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_every_mode_become_rgb(mode):
    image = Image.fromarray(picture(40, 40)).convert(mode)
    assert folder.evaluation_transform(image, 28).shape == (3, 28, 28)


@pytest.mark.parametrize("ending", [".png", ".pgm", ".tif"])
def test_grey_values_of_16_bits_are_the_same_image_as_8_bits(tmp_path, ending):
    """A value v of 8 bits is 257 v in 16 bits, as 255 is the white of one and 65535 that of the other."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / f"wide{ending}")
    with Image.open(tmp_path / f"wide{ending}") as wide:
        got = folder.evaluation_transform(wide, 14)
    assert np.array_equal(got, folder.evaluation_transform(Image.fromarray(grey), 14))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_sorted_order_and_normalised(tmp_path):
    tree(tmp_path, per_class=1, classes=("b", "a10", "a9"))
    images = load_data(tmp_path, "search", resolution=28)
    assert images.classes == ("a10", "a9", "b")
    assert sorted(images.ids) == ["a10/000.png", "a9/000.png", "b/000.png"]
    for image, label, name in zip(images.images, images.labels, images.ids, strict=True):
        assert images.classes[label] == name.split("/")[0]
        pixels = folder.evaluation_transform(Image.open(tmp_path / name), 28)
        expected = (pixels / 255 - MEAN[:, None, None]) / STD[:, None, None]
        assert np.allclose(image, expected, atol=1e-6)


def test_the_splits_of_a_folder_share_no_image_and_cover_it(tmp_path):
    tree(tmp_path)
    parts = [load_data(tmp_path, split, resolution=28) for split in SPLITS]
    assert [len(part) for part in parts] == [3, 9, 9]  # of 7 images per class: 1, 3 and 3
    assert len({image for part in parts for image in part.ids}) == 21
    again = load_data(tmp_path, "search", resolution=28)
    assert (again.sha256, again.ids) == (parts[1].sha256, parts[1].ids)


def test_a_training_folder_beside_the_evaluation_folder_is_the_training_split(tmp_path):
    tree(tmp_path / "train", per_class=4)
    tree(tmp_path / "val", per_class=7)
    assert len(load_data(tmp_path, "train", resolution=28)) == 12
    assert all(image.startswith("val/") for split in SPLITS for image in load_data(tmp_path, split, resolution=28).ids)
    (tmp_path / "train" / "dog").mkdir()  # would move no label here, but a "bat" would
    with pytest.raises(ModelError, match="class folder 'dog' is not in both train and val; add it"):
        load_data(tmp_path, "search", resolution=28)


def test_images_on_disk_give_the_same_batches_as_images_in_memory(tmp_path):
    tree(tmp_path)
    stored = load_data(tmp_path, "search", resolution=28)
    lazy = load_data(tmp_path, "search", resolution=28, memory=0)
    assert isinstance(stored.images, torch.Tensor)
    assert isinstance(lazy.images, folder.FileImages)
    assert (lazy.sha256, lazy.ids, lazy.images.shape) == (stored.sha256, stored.ids, tuple(stored.images.shape))
    for size in (1, 4, 9, 100):
        batches = list(lazy.batches(size))
        assert torch.equal(torch.cat([images for images, _ in batches]), stored.images)
        assert torch.equal(torch.cat([labels for _, labels in batches]), stored.labels)
    for chosen in (slice(2, 5), slice(4, 4), slice(None), torch.tensor([7, 0, 7])):
        assert torch.equal(lazy.images[chosen], stored.images[chosen])
    assert torch.equal(torch.stack(list(lazy.images)), stored.images)
    assert loader_speed(lazy, 4) > 0


def test_the_next_batch_is_decoded_while_the_current_one_is_in_use(tmp_path, monkeypatch):
    tree(tmp_path)
    lazy = load_data(tmp_path, "search", resolution=28, memory=0)
    begun = []
    transform = folder.evaluation_transform
    monkeypatch.setattr(folder, "evaluation_transform", lambda *given: begun.append(1) or transform(*given))
    batches = lazy.batches(3)
    next(batches)  # and nobody asks for the second batch of 3
    end = time.monotonic() + 30
    while len(begun) < 6 and time.monotonic() < end:
        time.sleep(0.001)
    assert len(begun) >= 6


def test_the_hash_of_a_folder_sees_the_files(tmp_path):
    tree(tmp_path)
    before = load_data(tmp_path, "search", resolution=28, count=6)
    Image.fromarray(picture(40, 36, seed=99)).save(tmp_path / before.ids[5])
    after = load_data(tmp_path, "search", resolution=28, count=6)
    assert after.ids == before.ids
    assert after.sha256 != before.sha256
    assert load_data(tmp_path, "search", resolution=29, count=6).sha256 != after.sha256


def damage(tmp_path: Path, number: int) -> list[str]:
    """Truncate some files of the search split in the middle."""
    ids = load_data(tmp_path, "search", resolution=28).ids[:number]
    for name in ids:
        file = tmp_path / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return [str(tmp_path / name) for name in ids]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("memory", [0, 2**20])
def test_corrupt_images_are_left_out_and_listed_up_to_a_share(tmp_path, ending, memory):
    tree(tmp_path, ending=ending)
    damaged = damage(tmp_path, 2)
    images = load_data(tmp_path, "search", resolution=28, max_corrupt=0.25, memory=memory)  # 2 of 9 are 22 %
    assert sorted(images.corrupt) == sorted(damaged)
    assert len(images) == len(images.ids) == len(images.images) == 7
    assert len(torch.cat([batch for batch, _ in images.batches(4)])) == 7
    with pytest.raises(
        ModelError, match=r"2 of 9 images cannot be decoded .* raise max_corrupt, which is 0.2"
    ) as caught:
        load_data(tmp_path, "search", resolution=28, max_corrupt=0.2)
    assert all(name in str(caught.value) for name in damaged)


def test_nothing_but_corrupt_images_is_an_error_whatever_the_share(tmp_path):
    tree(tmp_path)
    damage(tmp_path, 9)
    with pytest.raises(ModelError, match="no image is left, all 9 are corrupt"):
        load_data(tmp_path, "search", resolution=28, max_corrupt=1.0)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_without_a_stated_range_are_refused_and_not_counted_as_corrupt(tmp_path, kind):
    tree(tmp_path, per_class=3)
    Image.fromarray(np.ones((36, 36), kind)).save(tmp_path / "bee" / "wide.tif")
    with pytest.raises(ModelError, match=r"bee/wide\.tif: its pixels are .*; store 8 or 16 bits per channel"):
        [load_data(tmp_path, split, resolution=28, max_corrupt=1.0) for split in SPLITS]


def test_an_image_with_too_many_pixels_is_called_so(tmp_path, monkeypatch):
    tree(tmp_path, per_class=1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)  # of 40 x 36 = 1440: more than twice the limit is an error
    with pytest.raises(ModelError, match=r"000\.png: Image size \(1440 pixels\) exceeds limit .*; store it smaller"):
        load_data(tmp_path, "search", resolution=28)


def test_names_that_are_no_utf8_are_shown_escaped(tmp_path):
    tree(tmp_path, per_class=3, classes=("a", os.fsdecode(b"caf\xe9")))
    images = load_data(tmp_path, "search", resolution=28)
    assert images.classes == ("a", r"caf\xe9")
    assert {name.split("/")[0] for name in images.ids} == set(images.classes)
    assert "".join(images.ids).encode()  # can be written


def test_folders_that_are_no_data_set_are_named(tmp_path):
    with pytest.raises(ModelError, match="has no class folders; expected one folder per class"):
        load_data(tmp_path, "search")
    (tmp_path / "ant").mkdir()
    with pytest.raises(ModelError, match="its class folders are empty; expected images"):
        load_data(tmp_path, "search")
    (tmp_path / "ant" / "readme.txt").write_text("x")
    with pytest.raises(ModelError, match=r"ant: has no images but readme.txt; expected .jpg, .jpeg, .png"):
        load_data(tmp_path, "search")


def test_a_folder_without_training_images_says_what_would_do(tmp_path):
    tree(tmp_path, per_class=2)
    with pytest.raises(ModelError, match="has no split 'train'; to train on it, give it a folder 'train' beside one"):
        load_data(tmp_path, "train")
    with pytest.raises(ModelError, match="6 images are too few for a split 'validation'; give at least 3 per class"):
        load_data(tmp_path, "validation")
    with pytest.raises(ModelError, match="max_corrupt is 2; expected a share from 0 to 1"):
        load_data(tmp_path, "search", max_corrupt=2)


# --- arrays ----------------------------------------------------------------------------------------------------------


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def arrays(number: int = 70, classes: int = 5, side: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (number, side, side, 3), dtype=np.uint8),
        "labels": np.arange(number) % classes,
    }


def test_bytes_are_normalised_and_dealt_out(tmp_path):
    content = arrays()
    path = save(tmp_path / "x.npz", **content)
    parts = [load_data(path, split) for split in SPLITS]
    assert [len(part) for part in parts] == [10, 30, 30]
    assert len({image for part in parts for image in part.ids}) == 70
    for part in parts:
        for image, label, name in zip(part.images, part.labels, part.ids, strict=True):
            index = int(name.removeprefix("x.npz/"))
            expected = (content["images"][index] / 255 - MEAN) / STD
            assert np.allclose(image, expected.transpose(2, 0, 1), atol=1e-6)
            assert label == content["labels"][index]
    channels_first = save(tmp_path / "y.npz", **content | {"images": content["images"].transpose(0, 3, 1, 2)})
    assert torch.equal(load_data(channels_first, "search").images, parts[1].images)


def test_floats_are_taken_as_they_are_and_grey_images_get_three_channels(tmp_path):
    content = arrays()
    values = np.random.default_rng(0).normal(size=(70, 3, 8, 8))
    images = load_data(save(tmp_path / "x.npz", **content | {"images": values}), "search", count=4)
    index = int(images.ids[3].removeprefix("x.npz/"))
    assert np.array_equal(images.images[3], values[index].astype(np.float32))
    grey = load_data(save(tmp_path / "y.npz", **content | {"images": content["images"][..., 0]}), "search", count=4)
    assert grey.images.shape == (4, 3, 8, 8)


def test_a_file_may_name_its_splits_and_classes(tmp_path):
    content = arrays(8, classes=2) | {"classes": np.array(["no", "yes"])}
    content["split"] = np.array(["train"] * 4 + ["search"] * 2 + ["verify", "verify"])
    path = save(tmp_path / "x.npz", **content)
    images = load_data(path, "train")
    assert sorted(images.ids) == [f"x.npz/{index:06d}" for index in range(4)]
    assert images.classes == ("no", "yes")
    with pytest.raises(ModelError, match="'split' names no image 'validation'; it has search, train, verify"):
        load_data(path, "validation")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"images": None}, "has no array 'images' \\(it has labels\\)"),
        ({"labels": None}, "has no array 'labels'"),
        ({"images": np.zeros((70, 8, 8, 4), np.uint8)}, r"'images' is uint8 \(70, 8, 8, 4\); expected uint8"),
        ({"images": np.zeros((70, 8, 8, 3))}, r"'images' is float64 \(70, 8, 8, 3\)"),
        ({"images": np.zeros((70, 3, 8, 8), int)}, r"'images' is int64"),
        ({"images": np.full((70, 3, 8, 8), np.nan)}, "'images' holds NaN or infinity"),
        ({"labels": np.zeros(69, int)}, r"'labels' is int64 \(69,\) for 70 images"),
        ({"labels": np.zeros(70)}, "'labels' is float64"),
        ({"labels": np.arange(70) - 1}, "'labels' is int64"),
        (
            {"labels": np.arange(70) + 2**62},
            "'labels' goes to 46116860184273879.*; expected class indices below 1000000",
        ),
        ({"classes": np.array(["a"])}, r"'classes' is <U1 \(1,\); expected a name"),
        ({"split": np.array(["test"] * 70)}, "'split' must hold one of train, validation, search, verify"),
        ({"labels": np.array([{}] * 70)}, "cannot be read as .npz"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, complaint):
    content = {key: value for key, value in (arrays() | change).items() if value is not None}
    with pytest.raises(ModelError, match=complaint) as caught:
        load_data(save(tmp_path / "x.npz", **content), "search")
    assert "x.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", ["{'descr': ('|u1', 'fortran_order'", "{'descr': '|u1', ]", "{0x: 1}"])
def test_an_array_header_that_is_no_python_is_told_in_one_line(tmp_path, header):
    text = header.ljust(117) + "\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())
    with pytest.raises(ModelError, match=r"x.npz: cannot be read as .npz") as caught:
        load_data(tmp_path / "x.npz", "search")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_npz_and_another_size_are_named(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK not really")
    with pytest.raises(ModelError, match=r"x.npz: cannot be read as .npz"):
        load_data(tmp_path / "x.npz", "search")
    with pytest.raises(ModelError, match=r"no data set .*missing.npz"):
        load_data(tmp_path / "missing.npz", "search")
    path = save(tmp_path / "y.npz", **arrays())
    with pytest.raises(ModelError, match=r"y.npz: images are 8 x 8 pixels, not 16; store them at that size"):
        load_data(path, "search", resolution=16)


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path):
    content = arrays()
    one, two = (save(tmp_path / name, **content) for name in ("x.npz", "y.npz"))
    assert load_data(one, "search").sha256 != load_data(one, "verify").sha256
    (tmp_path / "d").mkdir()
    two = save(tmp_path / "d" / "x.npz", **content)
    assert load_data(one, "search").sha256 == load_data(two, "search").sha256
    assert hashlib.sha256(one.read_bytes()).hexdigest() != load_data(one, "search").sha256
