"""Passwords of storage URLs never leave: not in errors, not in the manifest's command."""

import pytest

from dse.errors import ConfigError
from dse.ledger.storage import redacted, shown_command, without_secrets
from dse.search.study import open_study

WORD = "Hunter2-TopSecret"
URLS = {
    f"postgresql://svit:{WORD}@127.0.0.1:1/x": "postgresql://***@127.0.0.1:1/x",
    f"mysql://svit:{WORD}@127.0.0.1:1/x": "mysql://***@127.0.0.1:1/x",
    f"redis://svit:{WORD}@127.0.0.1:1": "redis://***@127.0.0.1:1",
    f"nosuch://svit:{WORD}@h/x": "nosuch://***@h/x",
    f"postgresql+nodriver://svit:{WORD}@h/x": "postgresql+nodriver://***@h/x",
    f"postgresql://svit:{WORD}@[::1/x": "postgresql://***@[::1/x",
    f"postgresql://svit:a@{WORD}@h/x": "postgresql://***@h/x",
    f"sqlite:////no/folder/s.db?key={WORD}": "sqlite:////no/folder/s.db?***",
}


@pytest.mark.parametrize("url", URLS)
def test_a_storage_that_does_not_open_is_one_line_without_its_password(tmp_path, url):
    with pytest.raises(ConfigError, match=r"^--storage ") as error:
        open_study(tmp_path, {"data": "x"}, url=url)
    assert WORD not in str(error.value)
    assert "\n" not in str(error.value)
    assert redacted(url) in str(error.value)


@pytest.mark.parametrize(("url", "shown"), URLS.items())
def test_what_is_shown_of_a_url(url, shown):
    assert redacted(url) == shown
    assert shown_command(["svit-dse", "search", "--storage", url]) == ["svit-dse", "search", "--storage", shown]
    assert shown_command(["svit-dse", f"--storage={url}", "--seed", "1"])[1:] == [f"--storage={shown}", "--seed", "1"]


def test_a_password_is_found_as_typed_and_as_decoded():
    url = "postgresql://svit:p%40ss@h/x"
    text = f"could not connect to {url} as svit:p@ss with p@ss or p%40ss"
    assert "p@ss" not in without_secrets(text, url)
    assert "p%40ss" not in without_secrets(text, url)
