"""docs/imagenet.md rehearsed: its configuration, weights in the official layout, flat images, a kill, a resume."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.io import savemat

import sviT_models
from sviT_models.data.ground_truth import KIT, META, NUMBERS
from tests import goldens
from tests.campaign import test_killed_searches
from tests.campaign.test_killed_searches import ended, finished, started, until

pytestmark = pytest.mark.campaign
PAGE = Path(__file__).parents[2] / "docs" / "imagenet.md"
SIZE = os.environ.get("SVIT_IMAGENET_SIZE", "tiny")  # 8_512 is the size of the page, and takes far longer
CLASSES, IMAGES, SEEN = 1000, 64, 8  # classes of the network; images and their classes here
EVALUATIONS = 6


def configuration(folder: Path) -> Path:
    """The file that the page shows, as it stands there but for the size of the network."""
    found = re.search(r"<!-- file: imagenet.yaml -->\n```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    (folder / "imagenet.yaml").write_text(found[1].replace("sdtv2_8_512", f"sdtv2_{SIZE}"), encoding="utf-8")
    return folder


def checkpoint(path: Path) -> None:
    """A file of the official layout, with the distillation head, and values of a generator."""
    shapes = {k: tuple(v.shape) for k, v in sviT_models.build(f"sdtv2_{SIZE}", distilled=True).state_dict().items()}
    if SIZE == "8_512":
        official = goldens.official_state("8_512")
        assert official.items() <= shapes.items()
    state = {key: torch.from_numpy(goldens.weight(key, shape)) for key, shape in shapes.items()}
    torch.save({"model": state, "optimizer": {"state": {}}, "epoch": 199, "scaler": {}}, path)


def validation_set(folder: Path) -> None:
    """Images with ImageNet's names in one folder, and the two files of its development kit."""
    (folder / "val").mkdir(parents=True)
    (folder / KIT / "data").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(1, IMAGES + 1):
        patches = np.kron(rng.normal(0, 1, (16, 18, 3)), np.ones((16, 16, 1)))
        pixels = np.clip(128 + 40 * patches + 40 * rng.normal(0, 1, patches.shape), 0, 255)
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "val" / name)
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    rows = [(i, f"n{7919 * i % 10**8:08d}", 0) for i in range(1, CLASSES + 1)]
    savemat(folder / KIT / "data" / META, {"synsets": np.array(rows, dtype=kinds)})
    lines = "".join(f"{1 + number % SEEN}\n" for number in range(IMAGES))
    (folder / KIT / "data" / NUMBERS).write_text(lines, encoding="ascii")


def search(folder: Path) -> subprocess.Popen[str]:
    """The page's command, with fewer designs."""
    words = ["search", "imagenet.yaml", "--out", "run", "--evaluations", EVALUATIONS, "--workers", 2]
    return started(folder, *words, group=True)


def test_the_page_leads_from_checkpoint_and_images_to_a_report_through_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(test_killed_searches, "PATIENCE", 3000.0)  # [s]; large networks prepare for long
    if SIZE != "tiny":  # a large network needs more than the limit of this folder
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    folder = configuration(tmp_path)
    checkpoint(folder / "55M_kd.pth")
    validation_set(folder / "imagenet")
    first = search(folder)
    until(lambda: finished(folder / "run" / "study.journal") >= 2, first)
    os.killpg(first.pid, signal.SIGKILL)
    ended(first)
    assert not (folder / "run" / "results.csv").exists()
    status, out, err = ended(search(folder))
    assert status == 0, err
    assert "resuming" in err
    table = pd.read_csv(folder / "run" / "results.csv")
    assert len(table) == EVALUATIONS + 1  # the float network is the first row
    assert (folder / "run" / "report" / "index.html").is_file(), out
