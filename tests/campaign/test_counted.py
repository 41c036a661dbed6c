"""The damage that is tried at random is enough."""

import pytest
from hypothesis import is_hypothesis_test

from tests.campaign import test_damaged_checkpoints, test_damaged_data, test_damaged_inputs

FILES = (test_damaged_checkpoints, test_damaged_data, test_damaged_inputs)


@pytest.mark.campaign
def test_at_least_three_thousand_cases_are_tried():
    tests = [each for file in FILES for each in vars(file).values() if is_hypothesis_test(each)]
    assert sum(each._hypothesis_internal_use_settings.max_examples for each in tests) >= 3000
