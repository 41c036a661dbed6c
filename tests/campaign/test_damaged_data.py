"""Whatever an `.npz` file or a folder of images holds, it is read or refused on one line."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import sviT_models
from sviT_models import ModelError
from tests.campaign.answers import answers
from tests.campaign.mutations import damaged_bytes

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(max_examples=400, suppress_health_check=list(HealthCheck))
SPLITS = ("search", "verify", "validation", "train")
N = 60
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
LABELS = np.arange(N) % 3
ARRAYS: dict[str, tuple[Any, ...]] = {
    "images": (
        *(PIXELS.astype(kind) for kind in (np.float32, np.int64, np.complex64, object, "U3")),
        *(PIXELS[..., :1], PIXELS[:5], PIXELS[:, :, :8], PIXELS[..., 0], PIXELS[:, None], np.array(3)),
        *(
            np.zeros((N, 3, 0, 0), np.uint8),
            np.zeros((0, 16, 16, 3), np.uint8),
            np.zeros((N, 3, 16, 16), np.longdouble),
        ),
        *(np.full((N, 3, 16, 16), value) for value in (np.nan, np.inf, 1e300)),
        PIXELS.transpose(0, 3, 1, 2).astype(np.float16),
    ),
    "labels": (
        *(LABELS.astype(kind) for kind in (float, bool, str, object, np.uint8)),
        *(LABELS - 1, LABELS * 10**9, LABELS[:5], LABELS[:, None], LABELS * 0, np.full(N, 2**62)),
        LABELS.astype(np.uint64) + np.uint64(2**63),
    ),
    "classes": (
        *(np.array(names) for names in (["a", "b", "c"], ["a"], [1, 2, 3], "a", [b"a", b"b", b"c"], ["a", "a", "a"])),
        *(np.array(["a", "b", "c"], object), np.array(["<script>", "\x00", ""])),
    ),
    "split": (
        *(np.array(names) for names in (["search"] * N, ["verify", "search", "train"] * 20, ["x"] * N, ["search"] * 5)),
        *(np.array([1] * N), np.array("search"), np.array(["search"] * N, object), np.array([b"search"] * N)),
    ),
}
SHAPES = ((30, 40), (1, 1), (1, 500), (256, 256))
MODES = {"PNG": ("RGB", "L", "1", "P", "RGBA", "I;16"), "JPEG": ("RGB", "L", "CMYK"), "TIFF": ("RGB", "I;16", "F")}
MODES |= {"BMP": ("RGB", "1", "P"), "PPM": ("RGB", "L"), "WEBP": ("RGB", "RGBA")}
ENDINGS = (".png", ".jpg", ".JPEG", ".tif", ".webp", ".bmp", ".txt", "")
CLASSES = (["a", "b"], ["<b>", "c&d"], ["x" * 200, "é"], [".hidden", "b"], ["train", "val"], ["a"], [])


def chosen(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of `load_data`."""
    given = {
        "split": st.sampled_from(SPLITS),
        "count": st.sampled_from((None, 5, 10, 1000)),
        "resolution": st.sampled_from((None, 16, 32)),
    }
    return st.fixed_dictionaries(given | more)


def some(arrays: dict[str, Any], *, packed: bool) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def reads(path: Path, asked: dict[str, Any]) -> None:
    answers(lambda: sviT_models.load_data(path, **asked), ModelError)


@TRIALS
@given(data=st.data(), packed=st.booleans(), asked=chosen())
def test_arrays(tmp_path: Path, data, packed: bool, asked: dict[str, Any]):
    arrays: dict[str, Any] = {"images": PIXELS, "labels": LABELS}
    for key in data.draw(st.sets(st.sampled_from(sorted(ARRAYS)), max_size=2)):
        arrays[key] = data.draw(st.sampled_from(ARRAYS[key]))
    if data.draw(st.integers(0, 9)) == 0:
        del arrays[data.draw(st.sampled_from(sorted(arrays)))]
    path = tmp_path / "set.npz"
    path.write_bytes(some(arrays, packed=packed))
    reads(path, asked)


@TRIALS
@given(data=st.data(), packed=st.booleans(), asked=chosen())
def test_bytes_of_arrays(tmp_path: Path, data, packed: bool, asked: dict[str, Any]):
    content = some({"images": PIXELS[:12], "labels": LABELS[:12]}, packed=packed)
    path = tmp_path / "set.npz"
    path.write_bytes(data.draw(damaged_bytes(content)))
    reads(path, asked)


@st.composite
def pictures(draw) -> bytes:
    """The content of an image file, sometimes damaged."""
    kind = draw(st.sampled_from(sorted(MODES)))
    file = io.BytesIO()
    Image.new(draw(st.sampled_from(MODES[kind])), draw(st.sampled_from(SHAPES))).save(file, kind)
    return draw(damaged_bytes(file.getvalue())) if draw(st.integers(0, 6)) == 0 else file.getvalue()


def fill(folder: Path, data: st.DataObject) -> None:
    """Class folders with images, and now and then what else lies in such folders."""
    names = data.draw(st.sampled_from(CLASSES))
    for name in names:
        inside = folder / name / data.draw(st.sampled_from(("", "", "", "deeper")))
        inside.mkdir(parents=True, exist_ok=True)
        for number in range(data.draw(st.sampled_from((0, 3, 8)))):
            ending = data.draw(st.sampled_from((".png", ".png", *ENDINGS)))
            (inside / f"{number}{ending}").write_bytes(data.draw(pictures()))
    extra = data.draw(st.sampled_from((None, None, None, "broken link", "loop", "pipe", "file")))
    if extra == "broken link":
        os.symlink("nowhere", folder / "broken.png")
    elif extra == "loop":
        os.symlink("..", folder / "loop")
    elif extra == "pipe" and names:
        os.mkfifo(folder / names[0] / "pipe.png")
    elif extra == "file":
        (folder / "notes.txt").write_text("not a class")


@TRIALS
@given(data=st.data(), asked=chosen(max_corrupt=st.sampled_from((0, 0.01, 1))))
def test_folders(tmp_path: Path, data, asked: dict[str, Any]):
    folder = tmp_path / "images"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fill(folder, data)
    reads(folder, asked)
