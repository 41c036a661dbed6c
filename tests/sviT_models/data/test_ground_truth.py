"""ImageNet's validation images as they are distributed: one folder and a file that says which class each is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from sviT_models.data import load_data
from sviT_models.data.ground_truth import CSV, KIT, META, NUMBERS, SYNSETS
from sviT_models.errors import ModelError
from tests.sviT_models.data.test_files import picture

# Ids in the kit's own order, which is not that of the names: the folders' order is n01440764, n02123045, n07742313.
WNIDS = {1: "n02123045", 2: "n07742313", 3: "n01440764"}
ABOVE = (4, "n00001740", 3)  # a synset that has others below it
IDS = [3, 1, 2, 2, 1, 3, 3, 1, 2]  # of the images 1 to 9
OF_CLASS = {"n02123045": 1, "n07742313": 2, "n01440764": 0}  # places in sorted order


def flat(folder: Path) -> Path:
    """Nine images with the names of ImageNet's validation set."""
    folder.mkdir(parents=True)
    for number in range(1, len(IDS) + 1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        Image.fromarray(picture(40, 36, number)).save(folder / name, "JPEG")
    return folder


def kit(folder: Path) -> Path:
    """The two files of the development kit."""
    folder.mkdir(parents=True)
    rows = [(i, wnid, 0) for i, wnid in WNIDS.items()] + [ABOVE]
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    savemat(folder / META, {"synsets": np.array(rows, dtype=kinds)})
    (folder / NUMBERS).write_text("".join(f"{i}\n" for i in IDS), encoding="ascii")
    return folder


def labels(path: Path) -> dict[str, int]:
    """Label by the name of the image, of all splits together."""
    found = {}
    for split in ("validation", "search", "verify"):
        images = load_data(path, split, resolution=28)
        found |= dict(zip((Path(name).name for name in images.ids), images.labels.tolist(), strict=True))
    return found


EXPECTED = {f"ILSVRC2012_val_{number:08d}.JPEG": OF_CLASS[WNIDS[i]] for number, i in enumerate(IDS, 1)}


def test_the_development_kit_gives_each_image_the_label_of_its_class_folder(tmp_path):
    images = flat(tmp_path / "val")
    kit(tmp_path / KIT / "data")
    assert labels(images) == EXPECTED
    classed = tmp_path / "classed"
    for number, i in enumerate(IDS, 1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        (classed / WNIDS[i]).mkdir(parents=True, exist_ok=True)
        (classed / WNIDS[i] / name).write_bytes((images / name).read_bytes())
    assert labels(classed) == EXPECTED
    assert load_data(images, "search").classes == load_data(classed, "search").classes == tuple(sorted(WNIDS.values()))


def test_the_kit_may_be_unpacked_beside_the_images(tmp_path):
    images = flat(tmp_path / "val")
    kit(images / KIT / "data")
    assert labels(images) == EXPECTED


def test_kaggles_file_names_the_class_of_each_image(tmp_path):
    images = flat(tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val")
    rows = [f"{Path(name).stem},{WNIDS[IDS[n]]} 12 3 40 5 " for n, name in enumerate(EXPECTED)]
    (tmp_path / CSV).write_text("\n".join(["ImageId,PredictionString", *reversed(rows)]) + "\n", encoding="ascii")
    assert labels(images) == EXPECTED


def test_a_part_of_the_images_keeps_its_labels_and_all_classes(tmp_path):
    images = flat(tmp_path / "val")
    (tmp_path / SYNSETS).write_text("".join(f"{WNIDS[i]}\n" for i in IDS), encoding="ascii")
    assert labels(images) == EXPECTED
    for number in (1, 6, 7):  # every image of the first class
        (images / f"ILSVRC2012_val_{number:08d}.JPEG").unlink()
    assert load_data(images, "search").classes == tuple(sorted(WNIDS.values()))
    assert labels(images) == {name: label for name, label in EXPECTED.items() if label}


def test_training_folders_beside_a_flat_validation_set_have_the_same_classes(tmp_path):
    flat(tmp_path / "data" / "val")
    kit(tmp_path / KIT / "data")
    for wnid in WNIDS.values():
        (tmp_path / "data" / "train" / wnid).mkdir(parents=True)
        Image.fromarray(picture(40, 36)).save(tmp_path / "data" / "train" / wnid / "a.png")
    assert labels(tmp_path / "data") == EXPECTED
    assert load_data(tmp_path / "data", "train", resolution=28).classes == tuple(sorted(WNIDS.values()))
    (tmp_path / "data" / "train" / "n09999999").mkdir()
    with pytest.raises(ModelError, match="'n09999999' is not in both train and val"):
        load_data(tmp_path / "data", "search")


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        (CSV, "id,label\n", r"does not begin with ImageId,PredictionString; fetch it again"),
        (CSV, "ImageId,PredictionString\nILSVRC2012_val_00000001,\n", "line 2: has no class"),
        (CSV, "ImageId,PredictionString\nother,n01440764 1\n", "does not name ILSVRC2012_val_00000001.JPEG"),
        (SYNSETS, "n01440764\n", "its name has no number from 1 to 1 as in ILSVRC2012_val_00000001.JPEG"),
        (NUMBERS, "1\n", "meta.mat: is missing, which says what class an ILSVRC2012_ID is"),
        (SYNSETS, "\udcff", "cannot be read .*; fetch it again"),
    ],
)
def test_a_file_that_does_not_say_the_class_of_every_image_is_refused(tmp_path, file, text, complaint):
    images = flat(tmp_path / "val")
    (tmp_path / file).write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ModelError, match=complaint):
        load_data(images, "search")


def test_a_damaged_description_of_the_classes_and_unknown_ids_are_refused(tmp_path):
    images, place = flat(tmp_path / "val"), kit(tmp_path / KIT / "data")
    (place / NUMBERS).write_text("7\n", encoding="ascii")
    with pytest.raises(ModelError, match=r"'7' is no ILSVRC2012_ID of meta\.mat"):
        load_data(images, "search")
    (place / META).write_bytes(b"MATLAB 5.0" + bytes(200))
    with pytest.raises(ModelError, match="is no description of ImageNet's classes; fetch it again"):
        load_data(images, "search")


def test_images_without_a_ground_truth_say_what_would_do(tmp_path):
    with pytest.raises(ModelError, match=rf"or images with their ground truth in or above this folder \({CSV}"):
        load_data(flat(tmp_path / "val"), "search")
