"""What benchmarks take from the packages is there: most of them run for minutes, and no other test runs them whole."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))
OWN = ("costmodels", "dse", "reports", "sviT_models")


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_every_name_that_a_benchmark_imports_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OWN:
            module = importlib.import_module(str(node.module))
            for name in (alias.name for alias in node.names):
                inner = f"{module.__name__}.{name}"
                assert hasattr(module, name) or importlib.util.find_spec(inner), f"{path.name}: {inner}"
