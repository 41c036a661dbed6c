"""The screenshots of docs/report.md are those that docs/make_screenshots.py writes of a report."""

import importlib.util
import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]


def test_the_page_shows_what_the_script_writes():
    spec = importlib.util.spec_from_file_location("make_screenshots", ROOT / "docs" / "make_screenshots.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    shown = re.findall(r"!\[[^]]+\]\(images/(report-\w+\.png)\)", (ROOT / "docs" / "report.md").read_text())
    assert sorted(shown) == sorted(f"report-{name}.png" for name in script.SECTIONS)
    for name in shown:
        path = ROOT / "docs" / "images" / name
        with Image.open(path) as image:
            assert image.height <= script.TALLEST
            assert len(image.getcolors()) > 20  # not an empty page
        assert path.stat().st_size < 100_000
