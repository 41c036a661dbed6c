"""A real browser and a report to open in it; without a browser these tests fail and say what to type."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.reports.make_run import reported_run

QUIET = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 60 synthetic designs of the official 138-layer network."""
    return reported_run(tmp_path_factory) / "report" / "index.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; the sandbox is off because containers run tests as root."""
    with sync_playwright() as driver:
        downloaded = driver.chromium.executable_path
        path = os.environ.get("CHROMIUM") or next(chromium.on_path(), downloaded)
        if path == downloaded and not Path(downloaded).exists():
            pytest.fail("no browser on the path; `make test` installs one, or name one in CHROMIUM", pytrace=False)
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *QUIET])
        yield started
        started.close()
