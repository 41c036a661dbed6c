"""Origins: the names of results.csv, read as kind and name."""

import pytest

from dse.results.origin import Kind, is_plain_uniform, origin_of, origins

NAMES = [
    ("float", Kind.REFERENCE),
    ("uniform-8", Kind.BASELINE),
    ("uniform-16-T1", Kind.BASELINE),
    ("uniform-8-fused", Kind.BASELINE),
    ("guided", Kind.BASELINE),
    ("guided-fused", Kind.BASELINE),
    ("exact", Kind.EXACT),
    ("finetuned", Kind.TUNED),
    ("reestimated", Kind.TUNED),
    ("posterior", Kind.STRATEGY),
    ("uniform", Kind.STRATEGY),
    ("unguided", Kind.STRATEGY),
]


@pytest.mark.parametrize(("name", "kind"), NAMES)
def test_a_name_has_one_kind(name, kind):
    assert (origin_of(name).kind, origin_of(name).name) == (kind, name)


def test_the_first_guided_design_of_the_guided_strategy_is_the_baseline():
    found = origins(["float", "uniform-8", "guided", "guided", "guided", "exact"], "guided")
    assert [origin.kind for origin in found] == ["reference", "baseline", "baseline", "strategy", "strategy", "exact"]
    found = origins(["float", "guided", "tpe", "tpe"], "tpe")
    assert [origin.kind for origin in found] == ["reference", "baseline", "strategy", "strategy"]


def test_plain_uniform_widths():
    assert [name for name, _ in NAMES if is_plain_uniform(name)] == ["uniform-8"]
