"""The documentation as a site: built as `make docs` does, with every link followed and every public name found."""

import importlib
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.shared import once

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("dse", "dse.api", "costmodels", "sviT_models", "reports")
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("object", "data")}


def build(source: Path, out: Path) -> subprocess.CompletedProcess:
    """The command of the Makefile with other folders."""
    (recipe,) = re.findall(r"^\t@\$\(BIN\)/python (-m sphinx .*) -d ", (ROOT / "Makefile").read_text(), re.M)
    words = [sys.executable, *recipe.split(), "-d", str(out / "read"), str(source), str(out / "site")]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.links, self.loads, self.ids = path, [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        self.loads += [given[name] for element, name in LOADED if element == tag and given.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages of the site by path."""

    def make(folder: Path) -> None:
        done = build(DOCS, folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    folder = once(tmp_path_factory, "site", make) / "site"
    return {path: Page(path) for path in sorted(folder.rglob("*.html"))}


def _root(site: dict[Path, Page]) -> Path:
    return min(site, key=lambda path: len(path.parts)).parent


def test_every_page_of_docs_is_a_page_of_the_site(site):
    root = _root(site)
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")} - {Path("README.html")}
    own = {Path("index.html"), Path("search.html"), Path("genindex.html")}  # of the site itself
    assert not pages & own
    assert pages | own | {Path("reference/python.html")} <= {path.relative_to(root) for path in site}


def test_every_link_leads_to_a_page_and_a_place_in_it(site):
    lost = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = target.is_file() and (not parts.fragment or unquote(parts.fragment) in site[target].ids)
            if not found:
                lost.append(f"{path.name}: {link}")
    assert lost == []


def test_nothing_is_loaded_from_a_network(site):
    for path, page in site.items():
        for link in page.loads:
            parts = urlsplit(link)
            assert not parts.scheme, f"{path.name}: {link}"
            assert not parts.netloc, f"{path.name}: {link}"
            assert not parts.path or (path.parent / unquote(parts.path)).is_file(), f"{path.name}: {link}"


def test_every_public_name_has_its_docstring_on_the_page(site):
    ids = site[_root(site) / "reference" / "python.html"].ids
    for package in PACKAGES:
        names = importlib.import_module(package).__all__
        assert [name for name in names if f"{package}.{name}" not in ids] == []


def test_the_search_index_knows_the_terms_of_the_glossary(site):
    index = (_root(site) / "searchindex.js").read_text(encoding="utf-8")
    for word in ("hypervolum", "discord", "multipli", "fpga_xc7z020"):
        assert f'"{word}' in index or f"{word}:" in index, word


def test_a_broken_link_is_an_error(tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(DOCS / "conf.py", docs)
    (docs / "index.rst").write_text("Start\n=====\n\n.. toctree::\n\n   page\n", encoding="utf-8")
    (docs / "page.md").write_text("# Page\n\n[gone](page.md#gone)\n", encoding="utf-8")
    done = build(docs, tmp_path)
    assert done.returncode != 0
    assert "'gone'" in done.stderr


def test_the_figure_of_the_graph_is_what_its_script_draws(tmp_path: Path):
    script = runpy.run_path(str(DOCS / "make_network_figure.py"))
    placed = script["boxes"](script["captured"]())
    assert script["drawn"](placed) == (DOCS / "images" / "graph.svg").read_text(encoding="utf-8")
    # three shortcuts: the block's two and that of q; every arrow ends at a box of the block
    assert sum(placed[source].row < box.row - 1 for box in placed.values() for source in box.sources) == 3
    counts = [str(box.node.value) for box in placed.values() if box.node.op == "add"]
    assert counts == [f"count up to {n} (step 1)" for n in (2, 3, 4)]  # one spike more with every branch


def test_the_figure_of_the_architecture_names_every_package():
    figure = (DOCS / "images" / "architecture.svg").read_text(encoding="utf-8")
    named = set(re.findall(r'class="code"[^>]*>([^<]+)<', figure))
    include = (ROOT / "setup.cfg").read_text().split("[options.packages.find]")[1].split("[options.package_data]")[0]
    assert named == set(re.findall(r"^    (\w+)$", include, re.M))
