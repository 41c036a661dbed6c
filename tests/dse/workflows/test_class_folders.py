"""A search on a folder of pictures whose names come from a system with another encoding."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.dse.conftest import Run

NETWORK = """\
from torch import nn

from sviT_models import LIF


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.lif = nn.Conv2d(3, 4, 3, 4, 1), nn.BatchNorm2d(4), LIF()
        self.fc = nn.Linear(4 * 8 * 8, 10)

    def forward(self, images):
        x = self.bn(self.conv(images)).expand(2, -1, -1, -1, -1)
        return self.fc(self.lif(x).flatten(2)).mean(0)


def make():
    return Net()
"""

CONFIG = """\
data: {name: pictures, resolution: 32, search_images: 60, verify_images: 60, fisher_images: 16, batch_size: 60}
quantization: {method: nearest}
search: {strategy: random, evaluations: 4, widths: [4, 8], granularity: stage, state_widths: []}
"""


def _pictures(folder: Path, names: dict[int, str], count: int) -> None:
    """Digits of 64 x 64 pixels in `folder`, one folder per class; `names` are those of classes not named by a figure.

    The digit at place 4 has a name in Latin-1.
    """
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:count], digits.target[:count], strict=True)):
        within = folder / names.get(int(label), str(label))
        within.mkdir(parents=True, exist_ok=True)
        name = os.fsdecode(b"\xfc.png") if number == 4 else f"{number:03d}.png"
        Image.fromarray((np.kron(image, np.ones((8, 8))) * 255 / 16).astype(np.uint8)).save(within / name)


def test_the_side_of_pictures_is_an_option_of_every_command_that_reads_them(svit: Run, tmp_path):
    """Class folders give 224 pixels unless told otherwise, and this network is built for 32."""
    _pictures(tmp_path / "pics" / "train", {}, 60)
    _pictures(tmp_path / "pics" / "val", {}, 120)
    (tmp_path / "net.py").write_text(NETWORK)
    own = ("--network", "net.py:make", "--data", "pics")
    commands = [
        ("train", *own, "--epochs", 1, "--batch-size", 16, "--out", "net.safetensors"),
        ("profile", *own, "--images", 10, "--out", "layers.csv"),
        ("evaluate", *own, "--images", 20),
    ]
    for words in commands:
        refused = svit(*words)
        assert (refused.status, list(tmp_path.glob("*.[cs][sa][vf]*"))) == (2, [])
        assert "cannot be captured on images of 3 x 224 x 224" in refused.err.splitlines()[-1]
        assert refused.err.rstrip().endswith("give --resolution, or data.resolution in a configuration")
    for words in commands:
        assert svit(*words, "--resolution", 32).status == 0
    table = pd.read_csv(tmp_path / "layers.csv")
    assert table.loc[table["name"] == "conv", "in_height"].tolist() == [32]


@pytest.mark.campaign
def test_a_class_and_a_picture_whose_names_are_no_utf8_come_to_a_report(svit: Run, tmp_path):
    r"""Both in Latin-1: the class `caf\xe9` stands for the digit 3, the picture `\xfc.png` is a 4."""
    _pictures(tmp_path / "pictures", {3: os.fsdecode(b"caf\xe9")}, 300)
    assert load_digits().target[4] == 4
    (tmp_path / "my.yaml").write_text(CONFIG)
    said = svit("search", "my.yaml", "--out", "run")
    assert (said.status, "Traceback" in said.err) == (0, False)
    classes = pd.read_csv(tmp_path / "run" / "classes.csv", dtype=str)
    assert {r"caf\xe9", "4"} <= set(classes["class"])
    assert r"caf\xe9" in (tmp_path / "run" / "manifest.json").read_text(encoding="utf-8").replace(r"\\", "\\")
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert svit("export", "run", "--golden", "2", "--out", "chip").status == 0
    assert "0 mismatches" in svit("verify-export", "chip").out
