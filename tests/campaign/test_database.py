"""The relational storage on PostgreSQL reads and writes what Optuna's own does."""

import pytest

from tests.campaign import postgres
from tests.dse.ledger.test_database import both, check_that_both_are_one

pytestmark = pytest.mark.campaign


def test_on_postgresql_what_one_writes_the_other_reads():
    with postgres.server() as server, both(server.url) as studies:
        check_that_both_are_one(*studies)
