"""optuna-dashboard in a real browser: the designs of a study are there, and nobody but this machine is served."""

import threading
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Browser

from dse.exploration.study import DIMENSIONS, open_study
from dse.ledger import JOURNAL
from dse.workflows.dashboard import HOST, Copy, opened, served
from tests.dse.exploration.test_loop import loop
from tests.dse.toy import WIDTHS, ToyRunner

PRINT = {"objectives": ["drop", "memory", "power"]}
EXPECTED = {f"w:{name}": list(WIDTHS) for name in "abc"}


@pytest.fixture
def copy(tmp_path) -> Copy:
    """A copy of a study of eight designs."""
    study = open_study(tmp_path, PRINT)
    study.set_user_attr(DIMENSIONS, EXPECTED)
    loop(ToyRunner()).run(study, 8)
    found = Copy(opened(tmp_path, None))
    found.follow()
    return found


@pytest.fixture
def address(copy: Copy) -> Iterator[str]:
    """Where it is served."""
    with served(copy, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def test_the_copy_has_widths_and_follows(copy: Copy, tmp_path):
    assert [t.params for t in copy.study.trials[:3]] == [dict.fromkeys(EXPECTED, bits) for bits in (8, 4, 2)]
    assert copy.study.metric_names == ["drop", "memory", "power"]
    before = (tmp_path / JOURNAL).read_bytes()
    copy.study.set_user_attr("changed", "in the copy")
    assert (tmp_path / JOURNAL).read_bytes() == before
    study = open_study(tmp_path, PRINT)
    loop(ToyRunner()).run(study, 10)
    copy.follow()
    assert [t.values for t in copy.study.trials] == [t.values for t in study.trials]


def test_the_designs_are_shown(browser: Browser, address: str):
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/dashboard/studies/0/trials")
    for said in ("w:a 8", "uniform-8", "0, 700, 0.7"):  # 8 bits x (100 + 400 + 200) weights / 8 = 700 bytes
        page.get_by_text(said).first.wait_for()
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    page.close()


def test_a_site_under_another_name_is_not_served(address: str):
    with urllib.request.urlopen(f"{address}/api/studies") as answer:
        assert answer.status == 200
    other = urllib.request.Request(f"{address}/api/studies", headers={"Host": "elsewhere.example:80"})
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(other)
