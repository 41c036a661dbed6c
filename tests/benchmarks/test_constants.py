import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "search-model.md").read_text(encoding="utf-8")
MODULES = (
    *(f"surrogate/{name}" for name in ("prior", "likelihood", "posterior", "evidence", "learned", "diagnostics")),
    *(f"verification/{name}" for name in ("prior", "race", "estimate", "strata", "sequential")),
    *("surrogate/drop_curve", "strategies/posterior", "problem/shared_error", "evaluation/subsets"),
    *("results/candidates", "results/verification", "exploration/best_design"),
)


def numbers(module):
    """Names in capitals that a module gives a number or numbers."""
    found = []
    for node in ast.parse((ROOT / "dse" / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(part, ast.Constant) and isinstance(part.value, int | float) for part in ast.walk(node.value)
        ):
            names = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            found += [name.id for name in names if name.id.isupper() and name.id != "OPTIONS"]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_page_of_the_search_names_every_constant(module):
    missing = [name for name in numbers(module) if f"`{name}`" not in PAGE]
    assert not missing
    assert "FISHER_ERROR" in numbers("surrogate/prior")
