"""The report in a real browser: one click selects everywhere, sliders filter, keys work, nothing leaves the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from scipy.stats import norm

from dse.problem.widths_file import Target, read_widths

LOCAL = ("file:", "data:", "blob:")
SLACK = 1  # px that rounding may add to a width


class Opened:
    """A page of the report together with everything that it complained about or asked for."""

    def __init__(self, page: Page, index: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("request", lambda r: self.requests.append(r.url))
        page.goto(index.as_uri())
        self.show("plot-front-memory")

    def scroll_through(self) -> None:
        """Bring every plot into view, so that all of them are drawn."""
        for name in self.page.locator("[data-plot]").evaluate_all("all => all.map(p => p.id)"):
            self.show(name)
        self.page.evaluate("scrollTo(0, 0)")

    def show(self, place: str) -> None:
        """Scroll to a plot; it is drawn when it comes near the window."""
        self.page.locator(f"#{place}").scroll_into_view_if_needed()
        self.page.wait_for_function(f"document.querySelector('#{place} .main-svg') !== null")

    def place_of(self, plot: str, design: str) -> tuple[float, float]:
        """Where a design stands in a front plot, in pixels of the window."""
        self.page.locator(f"#plot-{plot}").scroll_into_view_if_needed()
        x, y = self.page.evaluate(
            """([plot, design]) => {
              const place = document.getElementById(`plot-${plot}`);
              for (const trace of place.data) {
                const i = (trace.ids || []).indexOf(design);
                if (i < 0) continue;
                const box = place.querySelector(".nsewdrag").getBoundingClientRect();
                const { xaxis, yaxis } = place._fullLayout;
                return [box.left + xaxis.d2p(trace.x[i]), box.top + yaxis.d2p(trace.y[i])];
              }
            }""",
            [plot, design],
        )
        return x, y

    def selected_row(self) -> str:
        """Id of the selected row of the front table; exactly one is."""
        rows = self.page.locator('#front-table tbody tr[aria-selected="true"]')
        assert rows.count() == 1
        return rows.get_attribute("data-id") or ""

    def marked_bits_row(self) -> int | None:
        """Index of the row of the heat map that is framed."""
        row = self.page.evaluate(
            """() => {
              const shapes = document.getElementById("plot-bits").layout.shapes;
              const frame = shapes.find((s) => s.type === "rect" && s.y1 - s.y0 === 1);
              return frame ? frame.y0 + 0.5 : null;
            }"""
        )
        return None if row is None else int(row)


@pytest.fixture(scope="module")
def numbers(index: Path) -> dict:
    return json.loads((index.parent / "report.json").read_text(encoding="utf-8"))


@pytest.fixture
def opened(browser: Browser, index: Path) -> Iterator[Opened]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield Opened(page, index)
    page.close()


def another(numbers: dict) -> str:
    """A front design inside the frame of the plot that is neither recommended nor a baseline, away from the others."""
    front = [d for d in numbers["designs"] if d["on_front"] and not d["baseline"] and not d["pick"]]
    points = [(d["memory_bytes"], d["drop"]) for d in numbers["designs"]]

    def lonely(d: dict) -> float:
        here = (d["memory_bytes"], d["drop"])
        return min(abs(m / here[0] - 1) + abs(x - here[1]) / 5 for m, x in points if (m, x) != here)

    return str(max((d for d in front if 0.2 < d["drop"] < 6), key=lonely)["id"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_plot_is_drawn_without_a_complaint_a_request_or_a_sideways_scroll(browser, index, width, theme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    opened = Opened(page, index)
    opened.scroll_through()
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(LOCAL)] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width + SLACK
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    ink, paper = (page.evaluate(f"getComputedStyle(document.body).{p}") for p in ("color", "backgroundColor"))
    assert contrast(ink, paper) >= 7  # WCAG 2.2, 1.4.6 (AAA)
    page.close()


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two CSS rgb() colours by WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(p) / 255 for p in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_a_click_on_a_point_selects_the_design_everywhere(opened, numbers):
    opened.scroll_through()
    design = another(numbers)
    assert opened.selected_row() == numbers["recommended"]
    opened.page.mouse.click(*opened.place_of("front-memory", design))
    assert opened.selected_row() == design
    assert opened.page.locator("#card strong").inner_text() == design
    assert design in opened.page.locator("#chosen").inner_text()
    assert opened.marked_bits_row() == numbers["sections"]["bits"]["ids"].index(design)
    energy = numbers["sections"]["breakdown"]["parts"]["energy"]["by_component"][design]
    drawn = opened.page.evaluate(
        """() => {
          const place = document.getElementById("plot-energy-component");
          return place.data.map((t) => [t.y[0], t.x[0] * place.layout.meta.factor]);
        }"""
    )
    assert [name for name, _ in drawn] == ["selected"] * len(energy)
    assert [joules for _, joules in drawn] == pytest.approx(energy)
    assert opened.complaints == []


def test_hovering_shows_the_bits_and_the_costs_of_a_design(opened, numbers):
    design = another(numbers)
    x, y = opened.place_of("front-memory", design)
    opened.page.mouse.move(x - 3, y)
    opened.page.mouse.move(x, y)
    card = opened.page.locator("#hover")
    card.wait_for(state="visible")
    bits = next(d["bits"] for d in numbers["designs"] if d["id"] == design)
    assert design in card.inner_text()
    for width in set(bits):
        assert f"{width} bit: {bits.count(width)} layers" in card.inner_text()
    blocks = numbers["layers"]["blocks"]
    first = [b for b, block in zip(bits, blocks, strict=True) if block == blocks[0]]
    label = card.locator("canvas").get_attribute("aria-label") or ""
    assert f"{blocks[0]} {sum(first) / len(first):.1f}," in label
    opened.page.keyboard.press("Escape")
    card.wait_for(state="hidden")


def test_sliders_leave_the_designs_within_the_budget(opened, numbers):
    others = [d for d in numbers["designs"] if d["origin"] != "float"]
    memories = sorted({d["memory_bytes"] for d in others})
    slider = opened.page.locator('input[data-budget="memory_bytes"]')
    at = len(memories) // 3
    slider.fill(str(at))
    inside = {d["id"] for d in others if d["memory_bytes"] <= memories[at]}
    assert opened.page.locator("#slider-state").inner_text().startswith(f"{len(inside)} of {len(others)} designs")
    rows = opened.page.locator("#front-table tbody tr:not([hidden])")
    shown = set(rows.evaluate_all("all => all.map(r => r.dataset.id)"))
    table = {r["id"] for r in numbers["sections"]["table"]["rows"]}
    assert shown == table & inside
    assert 0 < len(shown) < len(table)
    faint = """() => document.getElementById("plot-front-memory").data
        .filter((trace) => trace.ids && Array.isArray(trace.marker.opacity))
        .flatMap((trace) => trace.ids.filter((_, i) => trace.marker.opacity[i] < 1))"""
    opened.page.wait_for_function(f"({faint})().length > 0")
    beyond = {d["id"] for d in numbers["designs"] if d["memory_bytes"] > memories[at]}
    assert set(opened.page.evaluate(faint)) == beyond
    opened.page.get_by_role("button", name="Show all").click()
    assert rows.count() == len(table)


def test_the_sliders_can_be_set_to_the_budgets_of_the_run(opened, numbers):
    opened.page.get_by_role("button", name="Set to budgets").click()
    good = [
        d
        for d in numbers["designs"]
        if d["origin"] != "float"
        and all(
            (d["unseen"] if column == "drop" else d)[column] <= limit for column, limit in numbers["budgets"].items()
        )
    ]
    assert opened.page.locator("#slider-state").inner_text().startswith(f"{len(good)} of ")


def test_the_sliders_pick_by_the_rule_of_the_report_and_never_say_ok(opened, numbers):
    """Least memory among the designs that keep the run's budget of the drop with 95 %, verified ones first."""
    opened.page.get_by_role("button", name="Show all").click()
    limit = numbers["budgets"]["drop"]
    sure = {}
    for d in numbers["designs"]:
        u = d["unseen"]
        if d["origin"] != "float" and u["status"] == "verified":
            sure[d["id"]] = norm.cdf(limit, loc=u["drop"], scale=(u["high"] - u["low"]) / (2 * norm.ppf(0.975)))
    memory = {d["id"]: d["memory_bytes"] for d in numbers["designs"]}
    best = min((i for i, p in sure.items() if p >= 0.95), key=memory.__getitem__)
    said = opened.page.locator("#slider-state").inner_text()
    assert best in said
    assert f"P(drop ≤ {limit:.2f} pp) = {sure[best]:.2f}, by its unseen images" in said
    assert "OK" not in said


def test_the_address_keeps_selection_sliders_and_view(browser, opened, index, numbers):
    """Reloaded, or opened by a colleague, the page is the same; a link to a section drops nothing."""
    design = another(numbers)
    opened.page.mouse.click(*opened.place_of("front-memory", design))
    opened.page.locator('input[data-budget="memory_bytes"]').fill("7")
    opened.page.get_by_role("button", name="Everything").click()
    opened.page.locator("nav a", has_text="Bits per layer").click()
    said = opened.page.locator("#slider-state").inner_text()
    address = opened.page.url
    assert address.startswith(index.as_uri() + "#bits&")

    other = browser.new_page(viewport={"width": 1280, "height": 900})
    again = Opened.__new__(Opened)
    again.page = other
    other.goto(address)
    assert again.selected_row() == design
    assert other.locator("#slider-state").inner_text() == said
    assert other.get_by_role("button", name="Everything").get_attribute("aria-pressed") == "true"
    other.close()
    opened.page.reload()
    assert opened.selected_row() == design
    opened.page.evaluate("location.hash = ''")  # an address without anything shows what is recommended
    opened.page.wait_for_function("document.getElementById('slider-state').textContent.startsWith('59 of 59')")
    assert opened.selected_row() == numbers["recommended"]


def test_only_picks_and_the_selected_design_have_intervals(opened, numbers):
    design = another(numbers)
    opened.page.mouse.click(*opened.place_of("front-memory", design))
    bars = opened.page.evaluate(
        """() => document.getElementById("plot-front-memory").data.filter((t) => t.error_y)
          .map((t) => [t.meta, t.x.map((x, i) => [x, t.y[i], t.error_y.array[i], t.error_y.arrayminus[i]])])"""
    )
    assert [key for key, _ in bars] == ["pick", "selected"]
    by_id = {d["id"]: d for d in numbers["designs"]}
    chosen = {"pick": [d["id"] for d in numbers["designs"] if d["pick"]], "selected": [design]}
    for key, drawn in bars:
        ends = sorted((x, (y + up) ** 2, (y - down) * abs(y - down)) for x, y, up, down in drawn)
        unseen = [(by_id[i]["memory_bytes"], by_id[i]["unseen"]) for i in chosen[key]]
        assert ends == [pytest.approx((x, u["high"], u["low"])) for x, u in sorted(unseen, key=lambda p: p[0])]


def test_the_plot_shows_the_designs_within_the_budgets_on_request(opened, numbers):
    def spans() -> list[float]:
        ranges = "['xaxis', 'yaxis'].map((a) => document.getElementById('plot-front-memory')._fullLayout[a].range)"
        return [high - low for low, high in opened.page.evaluate(ranges)]

    before = spans()
    opened.page.get_by_role("button", name="Designs within the budgets").click()
    near = spans()
    opened.page.get_by_role("button", name="Everything").click()
    assert near < before < spans()


def test_the_table_sorts_and_comes_down_as_csv_and_json(opened, numbers, tmp_path):
    opened.page.locator("#front-table th button", has_text="Energy").press("Enter")
    ids = opened.page.locator("#front-table tbody tr").evaluate_all("all => all.map(r => r.dataset.id)")
    rows = numbers["sections"]["table"]["rows"]
    energy = {r["id"]: r["energy_j"] for r in rows}
    assert [energy[i] for i in ids] == sorted(energy.values())
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name="Download CSV").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(rows)
    assert lines[0].split(",")[0] == "id"
    waiting.value.save_as(tmp_path / "front.csv")
    layers = tuple(numbers["layers"]["names"])
    read = read_widths(tmp_path / "front.csv", Target(layers, 1, {"state": (), "stream": (), "between": ()}))
    bits = {d["id"]: (d["time_steps"], tuple(d["bits"])) for d in numbers["designs"]}
    assert {i: (d.time_steps, d.weight_bits) for i, d in read.items()} == {r["id"]: bits[r["id"]] for r in rows}
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name="Download JSON").click()
    told = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert [{k: v for k, v in r.items() if not k.startswith("w:")} for r in told] == rows


def test_the_keyboard_alone_steps_through_the_front_and_the_table(opened, numbers):
    front = sorted((d for d in numbers["designs"] if d["on_front"]), key=lambda d: (d["memory_bytes"], d["drop"]))
    ids = [d["id"] for d in front]
    opened.page.locator("#plot-front-memory").focus()
    at = ids.index(opened.selected_row())
    opened.page.keyboard.press("ArrowRight")
    assert opened.selected_row() == ids[at + 1]
    opened.page.keyboard.press("ArrowLeft")
    opened.page.keyboard.press("ArrowLeft")
    assert opened.selected_row() == ids[at - 1]
    rows = opened.page.locator("#front-table tbody tr")
    rows.nth(0).focus()
    opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("Enter")
    assert opened.selected_row() == rows.nth(1).get_attribute("data-id")


def test_the_heat_map_marks_the_recommended_design_and_keeps_its_name(opened, numbers):
    opened.show("plot-bits")
    ids = numbers["sections"]["bits"]["ids"]
    assert ids[opened.marked_bits_row()] == numbers["recommended"]
    names = opened.page.locator("#plot-bits .ytick text")
    assert sum(text.startswith("recommended: ") for text in names.all_text_contents()) == 1
    x, y = opened.place_of("front-memory", another(numbers))
    opened.page.mouse.click(x, y)
    opened.show("plot-bits")
    assert ids[opened.marked_bits_row()] == another(numbers)  # the frame is that of the selected design
    assert sum(text.startswith("recommended: ") for text in names.all_text_contents()) == 1


def test_printing_takes_light_colours_and_opens_every_detail(opened):
    opened.page.get_by_role("button", name="Switch between light and dark").click()
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"
    pdf = opened.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert opened.page.evaluate("[...document.querySelectorAll('details')].every((d) => d.open)")
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert opened.complaints == []


MARK_HEADINGS_AND_PLOTS = """() => {
  // a link prints as an annotation of its page, which says where its heading or its plot came to stand
  const found = [...document.querySelectorAll("main h2, main h3, [data-plot]")];
  return found.map((element, place) => {
    const link = document.createElement("a");
    link.href = `https://mark.invalid/${place}`;
    link.textContent = ".";
    link.style.cssText = "position: absolute; top: 2px; left: 2px";
    element.style.position = "relative";
    element.append(link);
    return element.id || element.textContent;
  });
}"""


def pages_of_marks(pdf: bytes) -> dict[int, int]:
    """The page on which every mark stands, from the annotations of an uncompressed PDF."""
    objects = {int(m[1]): m[2] for m in re.finditer(rb"(?m)^(\d+) 0 obj\s*(.*?)endobj", pdf, re.DOTALL)}
    pages = [text for text in objects.values() if re.search(rb"/Type\s*/Page\b", text)]
    found = {}
    for number, page in enumerate(pages, start=1):
        for annotation in re.findall(rb"(\d+) 0 R", b"".join(re.findall(rb"/Annots\s*\[(.*?)\]", page, re.DOTALL))):
            if mark := re.search(rb"https://mark.invalid/(\d+)", objects[int(annotation)]):
                found[int(mark[1])] = number
    return found


def test_a_printed_page_keeps_every_heading_beside_its_figure(opened):
    opened.scroll_through()
    marked = opened.page.evaluate(MARK_HEADINGS_AND_PLOTS)
    pages = pages_of_marks(opened.page.pdf(format="A4"))
    assert sorted(pages) == list(range(len(marked)))
    first = [i for i, name in enumerate(marked) if name.startswith("plot-") and not marked[i - 1].startswith("plot-")]
    assert len(first) >= 8
    assert len({pages[i] for i in first}) > 3  # they are spread over several pages
    assert {marked[i]: pages[i - 1] for i in first} == {marked[i]: pages[i] for i in first}


def test_without_javascript_the_decision_and_the_tables_are_still_there(browser, index, numbers):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index.as_uri())
    assert numbers["recommended"] in page.locator("#decision").inner_text()
    assert page.locator("#front-table tbody tr").count() == len(numbers["sections"]["table"]["rows"])
    assert "report.pdf" in page.locator("noscript").inner_text()
    context.close()


@pytest.mark.parametrize("plot", ["front-memory", "front-energy"])
def test_names_of_baselines_do_not_touch_on_a_telephone(browser, index, plot):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    Opened(page, index).show(f"plot-{plot}")
    boxes = page.evaluate(
        """(plot) => [...document.querySelectorAll(`#plot-${plot} .textpoint text`)].map((t) => {
          const b = t.getBoundingClientRect();
          return [t.textContent, b.left, b.right, b.top, b.bottom];
        })""",
        plot,
    )
    page.close()
    assert len(boxes) >= 4
    for i, (name, left, right, top, bottom) in enumerate(boxes):
        for other, left2, right2, top2, bottom2 in boxes[:i]:
            apart = right < left2 or right2 < left or bottom - SLACK <= top2 or bottom2 - SLACK <= top
            assert apart, f"{name} touches {other}"
