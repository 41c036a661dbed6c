"""Every test that docs/cases.md names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_case_names_a_test_that_exists():
    text = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| case")]
    found = NAMED.findall(text)
    assert len(found) == len(rows)
    missing = [(f, t) for f, t in found if f"\ndef {t}(" not in (ROOT / f).read_text(encoding="utf-8")]
    assert missing == []
