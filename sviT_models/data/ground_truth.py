"""The classes of images in one folder, as ImageNet's validation set is distributed, from its ground-truth file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from sviT_models.errors import ModelError

CSV = "LOC_val_solution.csv"  # ImageId,PredictionString: the class is the first word of the latter
NUMBERS = "ILSVRC2012_validation_ground_truth.txt"  # line i: the ILSVRC2012_ID of image i
META = "meta.mat"  # beside it in the development kit: which class an ILSVRC2012_ID is
SYNSETS = "imagenet_2012_validation_synset_labels.txt"  # line i: the class of image i
FILES = (CSV, NUMBERS, SYNSETS)
KIT = "ILSVRC2012_devkit_t12"  # the folder of the unpacked development kit, which may lie beside the images
PLACES = ("", f"{KIT}/data")  # in a folder that is looked through
ABOVE = 4  # folders above that of the images
NUMBER = re.compile(r"_(\d{8})$")  # of an image, at the end of its name


def find(folder: Path) -> Path | None:
    """The ground-truth file of the images in `folder`: in it, or in one of the four folders above it; else None."""
    for place in (folder, *list(folder.resolve().parents)[:ABOVE]):
        for inside in PLACES:
            for name in FILES:
                if (place / inside / name).is_file():
                    return place / inside / name
    return None


def classes_of(truth: Path, images: list[Path]) -> tuple[tuple[str, ...], list[str]]:
    """All classes that a ground-truth file knows, sorted, and the class of every image.

    truth   one of `FILES`
    images  files of one folder

    Classes are WordNet ids, whose sorted order is that of the folders of the training images.  Raises ModelError for a
    file that is not what its name says, and for an image that it does not name.
    """
    try:
        return _csv(truth, images) if truth.name == CSV else _lines(truth, images)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{truth}: cannot be read ({error}); fetch it again") from error


def _csv(truth: Path, images: list[Path]) -> tuple[tuple[str, ...], list[str]]:
    """Of Kaggle's file."""
    with open(truth, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0][:2] != ["ImageId", "PredictionString"]:
        raise ModelError(f"{truth}: does not begin with ImageId,PredictionString; fetch it again")
    named = {}
    for line, row in enumerate(rows[1:], 2):
        words = row[1].split() if len(row) > 1 else []
        if not words:
            raise ModelError(f"{truth}, line {line}: has no class; fetch it again")
        named[row[0]] = words[0]
    for image in images:
        if image.stem not in named:
            raise ModelError(f"{truth}: does not name {image.name}; take that image away")
    return tuple(sorted(set(named.values()))), [named[image.stem] for image in images]


def _lines(truth: Path, images: list[Path]) -> tuple[tuple[str, ...], list[str]]:
    """Of a file whose line i is of image i; the number of an image stands in its name."""
    lines = truth.read_text(encoding="utf-8").split()
    if truth.name == NUMBERS:
        wnids = _wnids(truth.parent / META)
        if unknown := [each for each in lines if each not in wnids]:
            raise ModelError(f"{truth}: {unknown[0]!r} is no ILSVRC2012_ID of {META}; fetch both again")
        lines = [wnids[each] for each in lines]
        known = tuple(sorted(wnids.values()))
    else:
        known = tuple(sorted(set(lines)))
    found = []
    for image in images:
        number = NUMBER.search(image.stem)
        if number is None or not 1 <= int(number[1]) <= len(lines):
            raise ModelError(
                f"{image}: its name has no number from 1 to {len(lines)} as in ILSVRC2012_val_00000001.JPEG, by which "
                f"{truth.name} gives its class"
            )
        found.append(lines[int(number[1]) - 1])
    return known, found


def _wnids(meta: Path) -> dict[str, str]:
    """WordNet id by ILSVRC2012_ID, of the classes without further ones below them."""
    if not meta.is_file():
        raise ModelError(f"{meta}: is missing, which says what class an ILSVRC2012_ID is; copy it from the same kit")
    from scipy.io import loadmat  # takes a third of a second, and nothing else here needs it

    try:
        synsets = np.atleast_1d(loadmat(meta, squeeze_me=True, variable_names=["synsets"])["synsets"])
        columns = (synsets["ILSVRC2012_ID"], synsets["WNID"], synsets["num_children"])
        return {str(int(i)): str(wnid) for i, wnid, children in zip(*columns, strict=True) if int(children) == 0}
    except Exception as error:  # a damaged file fails wherever scipy meets the damage
        raise ModelError(f"{meta}: is no description of ImageNet's classes; fetch it again") from error
