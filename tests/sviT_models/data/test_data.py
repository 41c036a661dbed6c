"""The data sets: splits, subsets, hashes, and what holds of the generated characters."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from sviT_models.data import dataset_names, event_glyphs, glyphs, load_data, loader_speed
from sviT_models.data.digits import EMBEDDED
from sviT_models.data.idx_folder import read_pair
from sviT_models.data.imageset import SPLITS, TURNS, evaluation_members, stratified_order
from sviT_models.errors import ModelError

WHOLE = [name for name in dataset_names() if name != "fashion_mnist"]  # the package has no training images of that one
STILL = [name for name in WHOLE if name != event_glyphs.EVENTS]


def shares(labels: torch.Tensor) -> np.ndarray:
    return np.bincount(labels.numpy())


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize("split", SPLITS)
def test_every_embedded_split_is_normalised_named_and_repeatable(name, split):
    images = load_data(name, split, count=70, seed=3)
    again = load_data(name, split, count=70, seed=3)
    assert images.images.shape == (70, 3, 32, 32)
    assert images.images.dtype == torch.float32
    assert images.labels.dtype == torch.int64
    assert -1 <= images.images.min() < -0.5 < 0.5 < images.images.max() <= 1
    assert (images.name, images.split, len(images), len(set(images.ids))) == (name, split, 70, 70)
    assert torch.equal(images.images, again.images)
    assert (images.sha256, images.ids) == (again.sha256, again.ids)


@pytest.mark.parametrize("name", WHOLE)
def test_splits_share_no_image(name):
    parts = [load_data(name, split, count=180, seed=seed) for seed, split in enumerate(SPLITS)]
    assert len({image for part in parts for image in part.ids}) == 4 * 180
    assert len({image.numpy().tobytes() for part in parts for image in part.images}) == 4 * 180


def test_digits_are_scikit_learns_and_every_one_is_in_exactly_one_split():
    source = load_digits()
    images, labels = read_pair(EMBEDDED / "images-idx3-ubyte.xz", EMBEDDED / "labels-idx1-ubyte.xz")
    assert (images == source.images).all()
    assert (labels == source.target).all()
    parts = [load_data("digits", split) for split in SPLITS]
    assert [len(part) for part in parts] == [997, 200, 300, 300]  # 1797 together; search and verify are the test, 600
    positions = [int(image.removeprefix("digits/")) for part in parts for image in part.ids]
    assert sorted(positions) == list(range(1797))
    assert torch.cat([part.labels for part in parts]).tolist() == source.target[positions].tolist()
    # a 4 x 4 block of the enlarged image is about the pixel it came from: 0..16 became -1..1
    blocks = torch.nn.functional.avg_pool2d(parts[0].images[:, :1], 4)[:, 0]
    original = torch.from_numpy(source.images[positions[:997]]) / 8 - 1
    assert (blocks - original).abs().mean() < 0.1
    assert torch.equal(parts[0].images[:, 0], parts[0].images[:, 2])


def test_a_larger_subset_holds_the_smaller_one_and_another_seed_gives_another():
    small, large = (load_data("digits", "search", count=count, seed=1) for count in (50, 120))
    assert large.ids[:50] == small.ids
    assert torch.equal(large.images[:50], small.images)
    other = load_data("digits", "search", count=50, seed=2)
    assert set(other.ids) != set(small.ids)
    assert other.sha256 != small.sha256


@settings(max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 5), st.floats(0, 1))
def test_every_prefix_of_a_stratified_order_holds_the_classes_in_proportion(sizes, seed, share):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    order = stratified_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    length = round(share * len(labels))
    taken = np.bincount(labels[order[:length]], minlength=len(sizes))
    # each class may be half an image off at the moment at which the prefix ends, and ties come one after the other
    assert (np.abs(taken - length * np.array(sizes) / len(labels)) < 1 + len(sizes) / 2).all()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 8), min_size=60, max_size=120))
def test_data_without_splits_are_dealt_out_without_overlap(labels):
    labels = np.array(labels)
    parts = [evaluation_members(labels, split, "x", "y") for split in ("validation", "search", "verify")]
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for label in np.unique(labels):
        size = (labels == label).sum()
        for part, split in zip(parts, ("validation", "search", "verify"), strict=True):
            each = TURNS.count(split)  # of 7 images in turn
            assert each * (size // 7) <= (labels[part] == label).sum() <= each * -(-size // 7)


def test_the_hash_sees_pixels_labels_names_and_order():
    from sviT_models.data.imageset import CENTRED, IMAGENET, from_pixels

    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (4, 3, 8, 8), dtype=np.uint8), np.array([0, 1, 0, 1])
    changed = pixels.copy()
    changed[3, 2, 7, 7] ^= 1
    given_ = (pixels, labels, list("abcd"), ["x", "y"], CENTRED)
    variants = [
        given_,
        (changed, *given_[1:]),
        (pixels, 1 - labels, *given_[2:]),
        (pixels, labels, list("abce"), *given_[3:]),
        (*given_[:3], ["x", "z"], CENTRED),
        (*given_[:4], IMAGENET),
        (pixels[::-1], labels[::-1], list("dcba"), *given_[3:]),
    ]
    assert len({from_pixels("n", "s", *variant).sha256 for variant in variants}) == len(variants)
    assert from_pixels("n", "s", *given_).sha256 == from_pixels("other", "t", *given_).sha256


def test_batches_cover_the_set_in_order():
    images = load_data("digits", "validation", count=25)
    batches = list(images.batches(10))
    assert [len(labels) for _, labels in batches] == [10, 10, 5]
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), images.images)
    assert torch.equal(torch.cat([labels for _, labels in batches]), images.labels)
    assert loader_speed(images, 10) > 0


def test_digits_at_another_resolution():
    assert load_data("digits", "search", count=3, resolution=48).images.shape == (3, 3, 48, 48)


@settings(max_examples=15)
@given(st.integers(0, 3), st.sampled_from(SPLITS), st.integers(0, 5000), st.integers(1, 9), st.integers(0, 8))
def test_a_glyph_depends_on_seed_split_and_index_alone(seed, split, begin, number, pick):
    several = glyphs.draw(seed, split, begin, begin + number)
    pick %= number
    alone = glyphs.draw(seed, split, begin + pick, begin + pick + 1)
    assert np.array_equal(several[pick], alone[0])
    for other in (glyphs.draw(seed + 1, split, begin, begin + 1), glyphs.draw(seed, split, begin + 1, begin + 2)):
        assert not np.array_equal(other[0], several[0])


def test_glyphs_of_a_count_are_the_beginning_of_the_split_and_balanced():
    images = load_data("glyphs", "search", count=100, seed=5)
    assert [glyphs.CLASSES[label] for label in images.labels[:38]] == [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789AB"]
    assert set(shares(images.labels)) == {2, 3}  # 100 = 36 * 2 + 28
    assert images.ids[99] == "glyphs/5/search/000099"
    expected = glyphs.draw(5, "search", 0, 100)
    assert np.array_equal(((images.images + 1) * 127.5).round().numpy().astype(np.uint8), expected)


def boxes(cells: list[np.ndarray]) -> np.ndarray:
    """Every character stretched over a square of 24 pixels, (classes, 576)."""
    cut = [Image.fromarray(cell).crop(Image.fromarray(cell).getbbox()).resize((24, 24)) for cell in cells]
    return np.array([np.asarray(image, float).ravel() for image in cut])


def test_every_font_draws_the_character_of_the_class():
    atlas = glyphs._atlas()
    for border in (atlas[:, 0], atlas[:, -1], atlas[:, :, 0], atlas[:, :, -1]):
        assert border.max() == 0  # the empty border that sampling relies on
    stretched = boxes(list(atlas)).reshape(len(glyphs.FONTS), 36, -1)
    for number, font in enumerate(glyphs.FONTS):
        others = np.delete(stretched, number, axis=0).mean(axis=0)
        likeness = np.diag(np.corrcoef(stretched[number], others)[:36, 36:])
        assert min(likeness[:26].mean(), likeness[26:].mean()) > 0.4, font
    # the font of TeX's symbols, which is bundled too, has no digits and would be found out
    symbols = boxes(glyphs._cells(Path(matplotlib.get_data_path(), "fonts", "ttf", "cmsy10.ttf")))
    likeness = np.diag(np.corrcoef(symbols, stretched.mean(axis=0))[:36, 36:])
    assert likeness[26:].mean() < 0.2


def test_the_same_glyph_at_twice_the_resolution_is_the_same_picture():
    coarse = glyphs.draw(0, "search", 0, 72, 32).astype(float)
    fine = glyphs.draw(0, "search", 0, 72, 64).astype(float).reshape(72, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(coarse, fine, strict=True)]
    assert np.median(likeness) > 0.9


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ("digit", "search"),
            r"no data set 'digit'; there are: digits, fashion_mnist, glyphs, event_glyphs, or the path",
        ),
        (("digits", "test"), r"no split 'test'; there are: train, validation, search, verify"),
        (("fashion_mnist", "tests"), r"no split 'tests'; there are: train, validation, search, verify, test"),
        (("digits", "search", {"count": 301}), r"digits, split search: asked for 301 images, there are 300"),
        (("digits", "search", {"count": 0}), r"count is 0; expected an integer of at least 1"),
        (("digits", "search", {"seed": -1}), r"seed is -1; expected an integer of at least 0"),
        (("digits", "search", {"resolution": True}), r"resolution is True; expected an integer"),
        (("glyphs", "search", {"count": 10_000_000}), r"glyphs, split search: asked for 10000000 images; expected 1"),
    ],
)
def test_mistakes_are_named_on_one_line(arguments, complaint):
    *where, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(ModelError, match=complaint) as caught:
        load_data(*where, **options)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_data_set_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelError, match=r"notes.txt: is not a data set; expected an .npz file or a folder"):
        load_data(tmp_path / "notes.txt", "search")


def test_batches_of_no_images_are_refused():
    with pytest.raises(ModelError, match="batch size is 0"):
        load_data("digits", "search", count=2).batches(0)
