"""What holds for the repository as a whole."""

import ast
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
        "heavy = {'torch', 'optuna', 'pandas', 'numpy', 'scipy', 'matplotlib', 'plotly', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "search" in done.stdout


MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_in_a_sentence_what_it_is(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said, "no docstring"
    first = said.split("\n\n")[0]
    assert first[-1] in ".:?"
    assert len(first.split()) >= 4


MODULES_OF_FUNCTIONS = ("dse.api", "dse.workflows.search_steps", "dse.results.run")


def public_functions():
    for name in ("costmodels", "sviT_models", "reports"):
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


def test_tests_are_not_installed():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    include = setup.split("[options.packages.find]")[1].split("[options.package_data]")[0]
    assert "tests" not in include
