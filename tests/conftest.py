"""Settings that hold for every test: reproducible hypothesis examples, and one thread for torch where it is used."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The pages of the documentation come first: they take longest, and last they would leave other workers idle."""
    items.sort(key=lambda item: item.path.name != "test_docs_commands.py")


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Keep parallel test workers from fighting for cores; a test that never imported torch does not import it here."""
    if torch := sys.modules.get("torch"):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)
    else:
        yield
