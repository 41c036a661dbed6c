"""Write the screenshots of the report that docs/report.md shows; tests/browser holds that they are those of this page.

python docs/make_screenshots.py docs/images runs/demo-fashion_mnist/report/index.html

The browser is the one named in CHROMIUM, or Playwright's.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

SECTIONS = ("decision", "front", "bits")
WIDTH, HEIGHT = 1280, 900  # px of the window
COLOURS = 48  # of a file: a page has few, and files stay small
TALLEST = 1100  # px of an image: the beginning of a long section


def screenshots(browser: Browser, index: Path, out: Path) -> list[Path]:
    """One PNG per section of the report at `index`, in the folder `out`."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.set_default_timeout(120_000)  # ms; a busy machine is slow
    page.goto(index.as_uri())
    written = []
    for name in SECTIONS:
        section = page.locator(f"section#{name}")
        for plot in section.locator("[data-plot]").all():
            plot.scroll_into_view_if_needed()
            plot.locator(".main-svg").first.wait_for()
        image = Image.open(io.BytesIO(section.screenshot()))
        image = image.crop((0, 0, image.width, min(image.height, TALLEST)))
        path = out / f"report-{name}.png"
        image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        written.append(path)
    page.close()
    return written


def main(out: Path, index: Path) -> None:
    """Write all of them, and say where."""
    with sync_playwright() as driver:
        given = {"executable_path": os.environ["CHROMIUM"]} if "CHROMIUM" in os.environ else {}
        browser = driver.chromium.launch(args=["--no-sandbox"], **given)
        for path in screenshots(browser, index.resolve(), out):
            print(path, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
