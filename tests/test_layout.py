"""What holds for the repository as a whole."""

import ast
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


def test_tests_are_not_installed():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    include = setup.split("[options.packages.find]")[1].split("[options.package_data]")[0]
    assert "tests" not in include
