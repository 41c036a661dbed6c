"""A search on a folder of pictures whose names come from a system with another encoding."""

import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.dse.conftest import Run

CONFIG = """\
data: {name: pictures, resolution: 32, search_images: 60, verify_images: 60, fisher_images: 16, batch_size: 60}
quantization: {method: nearest}
search: {strategy: random, evaluations: 4, widths: [4, 8], granularity: stage, state_widths: []}
"""


@pytest.mark.campaign
def test_a_class_and_a_picture_whose_names_are_no_utf8_come_to_a_report(svit: Run, tmp_path):
    r"""Both in Latin-1: the class `caf\xe9` stands for the digit 3, the picture `\xfc.png` is a 4."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:300], digits.target[:300], strict=True)):
        folder = tmp_path / "pictures" / (os.fsdecode(b"caf\xe9") if label == 3 else str(label))
        folder.mkdir(parents=True, exist_ok=True)
        name = os.fsdecode(b"\xfc.png") if number == 4 else f"{number:03d}.png"
        Image.fromarray((np.kron(image, np.ones((8, 8))) * 255 / 16).astype(np.uint8)).save(folder / name)
    assert digits.target[4] == 4
    (tmp_path / "my.yaml").write_text(CONFIG)
    said = svit("search", "my.yaml", "--out", "run")
    assert (said.status, "Traceback" in said.err) == (0, False)
    classes = pd.read_csv(tmp_path / "run" / "classes.csv", dtype=str)
    assert {r"caf\xe9", "4"} <= set(classes["class"])
    assert r"caf\xe9" in (tmp_path / "run" / "manifest.json").read_text(encoding="utf-8").replace(r"\\", "\\")
    assert (tmp_path / "run" / "report" / "index.html").is_file()
