"""A real browser and a report to open in it; without a browser these tests fail and say how to get one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import reports
from tests.reports.make_run import make_run

QUIET = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")


def executable() -> str:
    """The browser that $CHROMIUM names, else the first one on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    for name in (os.environ.get("CHROMIUM"), *names):
        if name and (found := shutil.which(name)):
            return found
    pytest.fail(
        "no Chromium on the path: install it (Debian: apt-get install chromium), or name one in CHROMIUM, or leave "
        "these tests out with --ignore=tests/browser",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 60 synthetic designs of the official 138-layer network."""
    return reports.build(make_run(tmp_path_factory.mktemp("runs") / "run", count=60))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; the sandbox is off because containers run tests as root."""
    path = executable()
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *QUIET])
        yield started
        started.close()
