"""Every command and every example on the pages of docs/ and in README.md is executed, page by page, in order.

Pages mark what they show: a fence ```console holds commands after `$ `, and below them lines that must appear in the
output; a comment <!-- file: NAME --> in front of a fence makes it a file; ```python is executed. A file under the path
of a package (dse/strategies/x.py) is put beside that package, as if it were in a checkout.

What a page takes for granted is made small and once: the run of the demo, a network with its weight bank. Commands
inside sentences and in scripts, and benchmarks, which take minutes to hours, are not executed: their names, options and
files must exist; so must those of the examples in docs/reference, which `--help` prints as well.
"""

import contextlib
import importlib
import io
import re
import runpy
import shlex
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import sviT_models
from docs import make_reference
from dse import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TRIED_BY_CI = ("make", "git", "cd")  # .ci/run does these on a clean clone; here make's targets must exist


@dataclass(frozen=True)
class Step:
    """A command with the output it must show, a file to write, or Python code."""

    kind: str
    text: str
    shown: tuple[str, ...] = ()


def steps(page: str) -> Iterator[Step]:
    """The steps of a page in order."""
    fence = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w*)\n(?P<body>.*?)```", re.S)
    for found in fence.finditer(page):
        if found["file"]:
            yield Step(f"file {found['file']}", found["body"])
        elif found["kind"] == "console":
            parts = re.split(r"^\$ ", found["body"], flags=re.M)[1:]
            for part in parts:
                command, *output = part.rstrip().splitlines()
                yield Step("command", command, tuple(line.strip() for line in output if line.strip()))
        elif found["kind"] == "python":
            yield Step("python", found["body"])


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
SHOWING = [page for page in PAGES if list(steps(page.read_text(encoding="utf-8")))]
LONG = ("tutorial", "own-network", "own-data-set", "cluster", "faq")  # pages that take 9 s of processor time and more
APART = ("python-api",)  # tests/dse/test_api.py and workflows/test_search.py try its examples and know their results
TRIED = [
    pytest.param(page, marks=pytest.mark.campaign if page.stem in LONG else ())
    for page in SHOWING
    if page.stem not in APART
]
DEMO = "runs/demo-fashion_mnist"


def network() -> dict:
    """The names that docs/evaluator.md takes for granted."""
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model.eval()
    widths = [4] * len(sviT_models.weight_layers(model))
    images = sviT_models.load_data("digits", "search", count=4).images
    given = {"model": model, "bank": sviT_models.WeightBank(model), "images": images, "weight_bits": widths}
    return given | {"designs": [widths, [8, *widths[1:]]], "sviT_models": sviT_models}


def write(path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a page; one of a package becomes importable beside the others of that package."""
    target = path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    package = name.removesuffix(".py").split("/")[:-1]
    if package and package[0] in ("dse", "sviT_models", "costmodels"):
        module = importlib.import_module(".".join(package))
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(target.parent)])


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints on both streams; its status must be 0."""
    words = shlex.split(command, comments=True)
    if words[0] in TRIED_BY_CI:
        if words[0] == "make":
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", makefile, re.M) for target in words[1:]), command
        return ""
    if words[:2] == ["svit-dse", "demo"]:
        words += ["--evaluations", "8"]  # the whole job, with fewer designs; `make demo` in .ci/run has all of them
    said = io.StringIO()
    monkeypatch.setattr(sys, "argv", words)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if words[0] == "python":
            monkeypatch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
        else:
            assert words[0] == "svit-dse", f"this test cannot run {command!r}"
            with pytest.raises(SystemExit) as end:
                cli.main()
            assert not end.value.code, f"{command}: status {end.value.code}\n{said.getvalue()}"
    return said.getvalue()


@pytest.mark.parametrize("page", TRIED, ids=lambda path: path.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request, empty_figures):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    text = page.read_text(encoding="utf-8")
    if DEMO in text:
        shutil.copytree(request.getfixturevalue("small_run"), tmp_path / DEMO)  # as the demo's, with fewer designs
    names: dict = network() if page.stem == "evaluator" else {}
    for step in steps(text):
        if step.kind.startswith("file "):
            write(tmp_path, step.kind.removeprefix("file "), step.text, monkeypatch)
        elif step.kind == "python":
            exec(compile(step.text, str(page), "exec"), names)
        else:
            output = run(step.text, monkeypatch)
            for line in step.shown:
                assert line in output, f"{step.text}\n{output}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name != "reference"], ids=lambda path: path.stem)
def test_no_command_is_shown_where_it_is_not_tried(page: Path):
    text = page.read_text(encoding="utf-8")
    tried = [step for step in steps(text) if step.kind == "command"]
    assert len(re.findall(r"^ *\$ ", text, re.M)) == len(tried)


GUIDES = [DOCS / "tutorial.md", DOCS / "report.md", *sorted((DOCS / "how-to").glob("*.md"))]


@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
def test_every_guide_has_something_to_try(page: Path):
    assert [s for s in steps(page.read_text(encoding="utf-8")) if s.kind == "command"]


def mentioned(text: str) -> list[list[str]]:
    """The words of every command that is named in a sentence, in an indented line or in a script."""
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    untried = re.sub(r"^```console\n.*?^```", "", text, flags=re.S | re.M).replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in untried.splitlines()]
    commands = re.compile(r"(svit-dse [a-z]|python benchmarks/|make [a-z])")
    found = [part.split("#")[0] for part in (*spans, *lines) if commands.match(part)]
    return [part.replace('"', "").split() for part in found]


OPTIONS = {
    " ".join(words): {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    for words, command in make_reference.commands()
}


def unknown(words: list[str]) -> list[str]:
    """What of a command does not exist."""
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        return [t for t in words[1:2] if not re.search(rf"^{t}:", makefile, re.M)]
    if words[0] == "python":
        path = ROOT / words[1]
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        return [o for o in given if f'"{o}"' not in source] if source else [words[1]]
    command = " ".join(words[1:3]) if " ".join(words[1:3]) in OPTIONS else words[1]
    if command not in OPTIONS:
        return [] if any(known.startswith(f"{command} ") for known in OPTIONS) else [command]
    return [o for o in given if o not in OPTIONS[command] | {"--help"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_commands_named_in_sentences_exist(page: Path):
    for words in mentioned(page.read_text(encoding="utf-8")):
        assert unknown(words) == [], " ".join(words)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`svit-dse serch my.yaml`", ["serch"]),
        ("`svit-dse search --budgets 5`", ["--budgets"]),
        ("    python benchmarks/report.py --colour 1", ["--colour"]),
        ("`python benchmarks/none.py`", ["benchmarks/none.py"]),
        ("`make coffee`", ["coffee"]),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, missing: list[str]):
    (words,) = mentioned(text)
    assert unknown(words) == missing


def test_the_reference_pages_are_those_that_the_code_makes():
    for name, text in (("config.md", make_reference.config_page()), ("cli.md", make_reference.cli_page())):
        stored = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert stored == text, f"docs/reference/{name} is old; run: python docs/make_reference.py docs/reference"


def test_the_reference_lists_every_option_of_every_command():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for words, command in make_reference.commands():
        part = page.split(f"\n## `svit-dse {' '.join(words)}`\n")[1].split("\n## ")[0]
        for option in command.params:
            assert option.opts[0] in part or f"`{option.name.upper()}`" in part, (words, option.name)


def _links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path):
    for link in _links(page):
        assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_page_can_be_found_from_the_first():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _links(index)}
    pages = {path.resolve() for path in (ROOT / "docs").rglob("*.md")} - {index.resolve()}
    assert pages <= linked, pages - linked
