"""What holds for the repository as a whole."""

import ast
import configparser
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("dse", "costmodels", "sviT_models", "reports")
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked here")
sys.meta_path.insert(0, Block())
"""


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_costs_and_reports_need_no_torch():
    code = BLOCK.format(blocked={"torch", "optuna", "numba"}) + (
        "import costmodels, reports\n"
        "work = costmodels.Workload.example('sdtv2_8_512')\n"
        "chip = costmodels.load_hardware('generic_45nm')\n"
        "print(float(costmodels.estimate(work, chip, [8] * len(work.weight_layers)).energy_j))\n"
        "reports.build\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom dse import cli\nsys.argv = ['svit-dse', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'optuna', 'pandas', 'numpy', 'scipy', 'matplotlib', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "search" in done.stdout


def test_a_mistake_in_a_configuration_is_told_before_torch_is_imported(tmp_path: Path):
    (tmp_path / "my.yaml").write_text("search: {evaluatons: 3}\n")
    code = (
        "import sys\nfrom dse import cli\nstatus = []\n"
        "for command in ('check', 'search', 'sensitivity', 'worker --out none'):\n"
        f"    sys.argv = ['svit-dse', *command.split(), {str(tmp_path / 'my.yaml')!r}]\n"
        "    try:\n        cli.main()\n    except SystemExit as end:\n        status.append(end.code)\n"
        "assert status == [2, 2, 2, 2], status\n"
        "heavy = {'torch', 'scipy', 'numba', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("did you mean 'evaluations'?") == 4


OF_A_RUN = ("dse.results.described", "dse.results.repick", "dse.workflows.estimate", "dse.results.robustness")


@pytest.mark.parametrize("name", [*OF_A_RUN, "dse.evaluation.costs", "dse.results.own_parts"])
def test_what_reads_a_run_or_costs_a_design_imports_nothing_that_only_a_search_needs(name):
    heavy = {"torch", "optuna", "scipy.stats", "scipy.optimize", "scipy.linalg", "numba", "matplotlib", "sklearn"}
    done = python(f"import sys, {name}\nassert not {heavy!r} & set(sys.modules), {heavy!r} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["dse.results.described", "dse.results.repick", "dse.commands._designs"])
def test_what_shows_a_design_or_picks_again_imports_no_cost_model_and_no_scipy(name):
    """They take most of a second, and `svit-dse show` needs neither."""
    heavy = {"scipy", "moocore", "costmodels.equations", "costmodels.hardware.schema", "torch", "matplotlib"}
    done = python(f"import sys, {name}\nassert not {heavy!r} & set(sys.modules), {heavy!r} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_in_a_sentence_what_it_is(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said, "no docstring"
    first = said.split("\n\n")[0]
    assert first[-1] in ".:?"
    assert len(first.split()) >= 4


MODULES_OF_FUNCTIONS = (
    "dse.api.own_search",
    "dse.api.table_search",
    "dse.api.loaded",
    "dse.workflows.search_steps",
    "dse.results.run",
)


def public_functions():
    for name in ("costmodels", "sviT_models", "reports", "costmodels.whole_files"):
        package = importlib.import_module(name)
        yield from ((f"{name}.{each}", getattr(package, each)) for each in package.__all__)
    for name in MODULES_OF_FUNCTIONS:
        module = importlib.import_module(name)
        for each, value in vars(module).items():
            if not each.startswith("_") and getattr(value, "__module__", None) == name:
                yield f"{name}.{each}", value


FUNCTIONS = {name: value for name, value in public_functions() if inspect.isfunction(inspect.unwrap(value))}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_describes_every_parameter(name):
    """In backticks within a sentence, or at the head of an indented line `name  what it is`."""
    said = inspect.getdoc(FUNCTIONS[name])
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    assert [each for each in parameters if not re.search(rf"`{each}\b|^ *{each}  +\S", said, re.MULTILINE)] == []


def required() -> set[str]:
    """Names of the packages that come with the tool, as setup.cfg has them."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    return {re.split(r"[<>=]", line)[0] for line in settings["options"]["install_requires"].split()}


def test_a_manifest_asks_for_the_versions_of_packages_that_come_with_the_tool():
    from dse.results.manifest import PACKAGES

    assert set(PACKAGES) <= required()


NAMED = {"pillow": "PIL", "ruamel.yaml": "ruamel"}  # packages by the module that they are imported as
OPTIONAL = {"onnx", "onnxruntime", "optuna_dashboard"}  # of extras, asked for where used
WITH_OTHERS = {"sqlalchemy", "markupsafe"}  # these come with Optuna and Jinja


def test_the_tool_imports_nothing_that_does_not_come_with_it():
    known = {NAMED.get(name, name) for name in required()} | OPTIONAL | WITH_OTHERS | set(PACKAGES)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                roots = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
                assert roots <= known, path


def test_tests_are_not_installed():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    include = setup.split("[options.packages.find]")[1].split("[options.package_data]")[0]
    assert "tests" not in include


WRITES = {"write_text", "write_bytes", "to_csv", "to_json", "savefig", "save_file", "save", "savez", "copyfile", "copy"}
WHOLE = {"replacing", "replacing_folder"}
GROW = {  # what only grows, and locks, have rules of their own; a folder of `replacing_folder` is whole as it is
    "dse/ledger/journal.py": "the journal, whose every line is checked",
    "dse/ledger/owner.py": "the lock of a run directory",
    "dse/commands/_crew.py": "logs of workers",
    "reports/static/figures.py": "figures in the folder of a report",
    "reports/static/pdf.py": "report.pdf in the folder of a report",
    "costmodels/whole_files/__init__.py": "this is the place",
}


def _writes(call: ast.Call) -> bool:
    """Whether a call may write a file by itself."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    modules = {"np", "numpy", "torch", "shutil", "os", "Path"}
    if name in ("save", "savez", "copyfile", "copy"):
        return getattr(getattr(call.func, "value", None), "id", "") in modules
    if name == "open":
        modes = [a.value for a in call.args if isinstance(a, ast.Constant)] + [
            k.value.value for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)
        ]
        return any(isinstance(m, str) and len(m) < 4 and set(m) & set("wax+") for m in modes)
    return name in WRITES and isinstance(call.func, ast.Attribute | ast.Name)


def _direct(tree: ast.AST, whole: bool = False) -> list[int]:
    """Lines with calls that write, outside of blocks that replace a file."""
    found = []
    for node in ast.iter_child_nodes(tree):
        inside = whole
        if isinstance(node, ast.With):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            inside |= any(getattr(c.func, "id", getattr(c.func, "attr", "")) in WHOLE for c in calls)
        if isinstance(node, ast.Call) and _writes(node) and not inside and getattr(node.func, "id", "") != "write_text":
            found.append(node.lineno)
        found += _direct(node, inside)
    return found


def test_what_writes_files_is_seen():
    writes = "open(p, 'w'); p.open('wb'); p.write_text('a'); t.to_csv(p); f.savefig(p); save_file(t, p); np.save(p, a)"
    assert len(_direct(ast.parse(writes))) == 7
    assert _direct(ast.parse(f"with replacing(p) as p: {writes}")) == []
    assert _direct(ast.parse("open(p); open(p, 'rb'); p.read_text(); write_text(p, 'a')")) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_written_whole(path):
    """Everything that is written is written by `whole_files`, or stands above with the reason why not."""
    if str(path.relative_to(ROOT)) not in GROW:
        assert _direct(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_map_of_dse_has_every_room_in_the_order_that_the_imports_keep():
    """docs/design.md beside the contract of setup.cfg, which import-linter holds to the folders."""
    layers = configparser.ConfigParser()
    layers.read(ROOT / "setup.cfg", encoding="utf-8")
    order = [
        [name.strip() for name in line.split("|")]
        for line in layers["importlinter:contract:search-rooms"]["layers"].split("\n")
        if line.strip() not in ("", "__main__")
    ]
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = page.split("| `dse` | holds |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    shown = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    place = {name: number for number, names in enumerate(order) for name in names}
    assert set(shown) == set(place)
    assert [place[name] for name in shown] == sorted(place[name] for name in shown)
