"""Find a Chromium that renders pages, or install one; needs nothing but Python's standard library.

`python -m tests.browser.chromium LOG` prints the path of the browser. What happens is told on stderr; the output of the
installers goes to the file LOG. Where no browser can be had, one line on stderr says what to type, and the status is 2.

Tried in this order: the browser that $CHROMIUM names, which must work; one on the path; the one that playwright has
downloaded; Debian's package, where apt-get may be called; a download by playwright.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import installing
from tests.installing import as_root, run, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN = "/usr/bin/chromium"  # where Debian's package puts the program, whatever the path says
PAGE = "data:text/html,<script>document.write(6 * 7)</script>"
DRAWN = "42"  # in the page only after its script has run
PATIENCE = 60  # s for one page
MISSING = "no browser for the report's tests"
DOWNLOAD = (sys.executable, "-m", "playwright", "install", "chromium")


class NoBrowser(Exception):
    """There is no browser; the message says what to type."""


def on_path() -> Iterator[str]:
    """The browsers on the path."""
    for name in NAMES:
        if found := shutil.which(name):
            yield found


def playwrights() -> str:
    """Where playwright keeps the browser that it downloads, present or not; empty without playwright."""
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def complaint(browser: str) -> str:
    """Why a browser renders no page, in one line; empty if it renders one."""
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom", PAGE]
        try:
            done = subprocess.run(
                [browser, *options], capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return f"no page after {PATIENCE} s"
        except OSError as error:
            return error.strerror or str(error)
    if DRAWN in done.stdout:
        return ""
    return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]


def present() -> str | None:
    """The browser that $CHROMIUM names, else the first one that renders a page."""
    if named := os.environ.get("CHROMIUM"):
        path = shutil.which(named)
        why = complaint(path) if path else "there is no such program"
        if path and not why:
            return path
        raise NoBrowser(f"CHROMIUM={named}: {why}; name another browser, or none: unset CHROMIUM")
    for browser in (*on_path(), playwrights()):
        if browser and not complaint(browser):
            return browser
    return None


def by_apt(log: Path) -> str | None:
    """Debian's Chromium, where this user may install packages."""
    if installing.by_apt("chromium", MISSING, log) and not complaint(DEBIAN):
        return DEBIAN
    return None


def by_playwright(log: Path) -> str | None:
    """The Chromium that playwright downloads into the user's cache."""
    say(f"{MISSING}: downloading one with playwright, about a minute")
    if run(list(DOWNLOAD), log) and not complaint(path := playwrights()):
        return path
    return None


def advice(log: Path) -> str:
    """What to type where nothing could be installed, in one line."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    downloaded = playwrights()
    if downloaded and Path(downloaded).exists():
        remedy = f"{sudo}{sys.executable} -m playwright install-deps chromium"
    elif shutil.which("apt-get") and as_root() is None:
        remedy = "sudo apt-get update && sudo apt-get install chromium"
    else:
        remedy = "make test CHROMIUM=/path/to/chrome"
    return (
        f"{MISSING}, and none could be installed (see {log}); type: {remedy}; "
        f"or leave these tests out: {sys.executable} -m pytest --ignore=tests/browser"
    )


def main(log: Path) -> int:
    """Print the path of a browser, installed if need be; the exit status is 2 if there is none."""
    try:
        browser = present() or by_apt(log) or by_playwright(log)
        if browser is None:
            raise NoBrowser(advice(log))
    except NoBrowser as error:
        say(str(error))
        return 2
    print(browser)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
