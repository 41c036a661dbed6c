"""The command line as a fixture, as in the other tests of dse."""

from tests.dse.conftest import svit

__all__ = ["svit"]
