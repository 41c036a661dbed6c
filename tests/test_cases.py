"""Every test that docs/cases.md and docs/reliability.md name exists, and no promise is without one."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HOLDS = re.compile(r"`((?:tests|benchmarks)/[\w/]+\.py|)(?:::(\w+))?`")  # `::name` is in the file named before it


def rows(page: str, head: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(f"| {head}")]


def missing(file: str, name: str) -> bool:
    path = ROOT / file
    return not path.is_file() or (bool(name) and f"\ndef {name}(" not in path.read_text(encoding="utf-8"))


def test_every_case_names_a_test_that_exists():
    found = [NAMED.findall(row) for row in rows("cases.md", "case")]
    assert all(found)
    assert [each for row in found for each in row if missing(*each)] == []


def test_every_promise_names_tests_that_exist():
    for row in rows("reliability.md", "promise"):
        file, found = "", []
        for match in HOLDS.finditer(row.split(" | ")[-1]):
            file = match[1] or file
            found.append((file, match[2] or ""))
        assert [each for each in found if missing(*each)] == [], row
        assert any(each.startswith("tests/") for each, _ in found), row
