"""The damage that is tried at random is enough, of every kind of input."""

import pytest
from hypothesis import is_hypothesis_test

from tests.campaign import (
    test_damaged_checkpoints,
    test_damaged_data,
    test_damaged_exports,
    test_damaged_inputs,
    test_damaged_journals,
    test_damaged_runs,
)

KINDS = {
    "checkpoints": vars(test_damaged_checkpoints),
    "arrays and image folders": vars(test_damaged_data),
    "exports": vars(test_damaged_exports),
    "journals": vars(test_damaged_journals),
    **{
        name: {name: test}
        for file in (test_damaged_inputs, test_damaged_runs)
        for name, test in vars(file).items()
        if is_hypothesis_test(test)
    },
}
FEW = {"test_run_directories"}  # each of its cases costs a run again or draws a report


def cases(kind: str) -> int:
    tests = [each for each in KINDS[kind].values() if is_hypothesis_test(each)]
    return sum(each._hypothesis_internal_use_settings.max_examples for each in tests)


@pytest.mark.campaign
def test_at_least_three_thousand_cases_are_tried_and_of_each_kind_a_hundred():
    assert sum(map(cases, KINDS)) >= 3000
    assert [kind for kind in KINDS if cases(kind) < 100 and kind not in FEW] == []
