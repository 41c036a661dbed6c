"""The report by keyboard, by screen reader and on paper: axe finds nothing, headings stay with their figures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

# WCAG 2.2, 2.5.8 beside axe's default rules; elements that pass are not listed, which takes two thirds of the time
RULES = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}


def opened(browser: Browser, index: Path, width: int, theme: str = "light") -> Page:
    """The report with every plot drawn."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if theme == "dark" else "light"
    )
    page.goto(index.as_uri())
    for name in page.locator("[data-plot]").evaluate_all("all => all.map(p => p.id)"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_function(f"document.querySelector('#{name} .main-svg') !== null")
    return page


@pytest.fixture
def page(browser: Browser, index: Path) -> Iterator[Page]:
    made = opened(browser, index, 1280)
    yield made
    made.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(browser, index, width, theme):
    page = opened(browser, index, width, theme)
    found = Axe().run(page, options=RULES).response["violations"]
    page.close()
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []


def test_the_table_is_one_stop_of_the_tab_key(page):
    stops = page.locator("#front-table tbody").evaluate(
        "b => [...b.querySelectorAll('*')].filter((e) => e.tabIndex >= 0).length"
    )
    assert stops == 1


def test_headings_stay_with_their_figures_on_paper(page):
    """No page may end between the heading of a section and its first plot, nor within a plot."""
    page.emulate_media(media="print")
    loose = page.evaluate(
        """() => {
          const out = [];
          for (const section of document.querySelectorAll("main > section")) {
            const plot = section.querySelector(".plot-frame");
            if (!plot) continue;
            const shown = [...section.children].filter((e) => getComputedStyle(e).display !== "none");
            const last = shown.findIndex((e) => e.contains(plot));
            const before = shown.slice(0, last).filter((e) => !e.matches(".scroll, .columns, dl"));
            const tables = shown.slice(0, last).some((e) => e.matches(".scroll"));
            const loose = before.filter((e) => !getComputedStyle(e).breakAfter.startsWith("avoid"));
            if (!tables) out.push(...loose.map((e) => [section.id, e.outerHTML.slice(0, 60)]));
            if (getComputedStyle(plot.querySelector(".plot")).breakInside !== "avoid") out.push([section.id, "plot"]);
          }
          return out;
        }"""
    )
    assert loose == []
