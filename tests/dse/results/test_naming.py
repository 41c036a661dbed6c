"""A name means one design, whichever command reads it; a name that means none is answered with those there are."""

import pandas as pd
import pytest

from dse.errors import ConfigError
from dse.results.naming import design_id

TABLE = pd.DataFrame(
    {"id": ["abc123", "abd456", "f00d99", "f00d99"], "origin": ["float", "uniform-4", "posterior", "exact"]}
)
PICKS = {"recommended": "f00d99", "least-power": "abd456", "knee": "abc123"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("abd456", "abd456"),
        ("abd", "abd456"),
        ("f", "f00d99"),  # in the table twice, and one design
        ("ABC", "abc123"),
        ("uniform-4", "abd456"),
        ("exact", "f00d99"),
        ("recommended", "f00d99"),
        ("least power", "abd456"),
        ("least-power", "abd456"),
        ("knee", "abc123"),
    ],
)
def test_a_name_means_a_design(name: str, expected: str):
    assert design_id(name, TABLE, PICKS, "results.csv") == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ab", "--design ab: 2 ids in results.csv begin so (abc123, abd456); give more of it"),
        ("unifrom-4", "--design unifrom-4: no such id in results.csv; did you mean uniform-4?"),
        ("recomended", "did you mean recommended?"),
        (
            "zzz",
            "there are recommended, least-power, knee, float, uniform-4, posterior, exact, or an id (abc123, abd456,",
        ),
        ("", "--design : no such id"),
        (None, "--design: name a design of results.csv: recommended, "),
    ],
)
def test_a_name_that_means_none_is_answered_in_one_line(name: str | None, message: str):
    with pytest.raises(ConfigError) as error:
        design_id(name, TABLE, PICKS, "results.csv")
    assert message in str(error.value)


def test_a_run_that_recommends_nothing_says_so():
    with pytest.raises(ConfigError, match="--design recommended: the run recommends none; name one: float"):
        design_id("recommended", TABLE, {}, "results.csv")
