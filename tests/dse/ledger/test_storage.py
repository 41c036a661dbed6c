"""Passwords of storage URLs never leave: not in errors, not in the manifest's command."""

import subprocess
import sys

import pytest
from alembic.runtime.migration import MigrationContext
from optuna.storages._rdb import models

from dse.errors import ConfigError, LostStorageError
from dse.exploration.study import open_study
from dse.ledger import storage
from dse.ledger.address import VARIABLE, meant, redacted, shown_command, typed, without_secrets
from dse.ledger.database import Database
from dse.ledger.storage import kept, open_storage
from tests.dse.exploration.test_loop import PRINT, loop
from tests.dse.toy import ToyRunner

WORD = "Hunter2-TopSecret"
URLS = {
    f"postgresql://svit:{WORD}@127.0.0.1:1/x": "postgresql://***@127.0.0.1:1/x",
    f"mysql://svit:{WORD}@127.0.0.1:1/x": "mysql://***@127.0.0.1:1/x",
    f"redis://svit:{WORD}@127.0.0.1:1": "redis://***@127.0.0.1:1",
    f"nosuch://svit:{WORD}@h/x": "nosuch://***@h/x",
    f"postgresql+nodriver://svit:{WORD}@h/x": "postgresql+nodriver://***@h/x",
    f"postgresql://svit:{WORD}@[::1/x": "postgresql://***@[::1/x",
    f"postgresql://svit:a@{WORD}@h/x": "postgresql://***@h/x",
    f"grpc://svit:{WORD}@127.0.0.1:1": "grpc://***@127.0.0.1:1",
    f"grpc://127.0.0.1:1?token={WORD}": "grpc://127.0.0.1:1?***",
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


@pytest.mark.parametrize(("url", "shown"), URLS.items())
def test_a_typed_password_is_handed_on_beside_the_command_line(url, shown):
    for words in (["worker", "my.yaml", "--storage", url], [f"--storage={url}", "--seed", "1"]):
        assert typed(words) == url
        assert typed(shown_command(words)) is None
        assert not [word for word in shown_command(words) if WORD in word]
    assert meant(shown, {VARIABLE: url}) == url
    assert meant("sqlite:///other.db", {VARIABLE: url}) == "sqlite:///other.db"
    assert meant(None, {VARIABLE: url}) is None


@pytest.mark.parametrize("url", ["postgresql://svit@h/x", "sqlite:///s.db?timeout=30", "--storage", ""])
def test_what_holds_no_password_is_left_on_the_command_line(url):
    assert typed(["worker", "my.yaml", "--storage", url]) is None


SHOWN = """
import sys
from pathlib import Path
from dse.commands._storage import leave_command_line, whole
leave_command_line()
print(Path("/proc/self/cmdline").read_text().replace("\\0", " "))
print(whole(sys.argv[3]))
"""


def test_the_list_of_processes_shows_no_typed_password():
    url = f"postgresql://svit:{WORD}@h/x"
    words = [sys.executable, "-c", SHOWN, "worker", "--storage", url, "--seed", "1"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    title, found = told.stdout.splitlines()[-2:]
    assert title.split()[-5:] == ["worker", "--storage", "postgresql://***@h/x", "--seed", "1"]
    assert found == url
    assert WORD not in title
    assert WORD not in told.stderr
    assert "give the URL in SVIT_DSE_STORAGE" in told.stderr


@pytest.mark.parametrize("url", ["postgresql://u@h/x", "postgresql://h/x", "", None])
def test_words_of_an_error_that_are_no_secret_are_kept(url):
    assert without_secrets("connection refused, user unknown", url) == "connection refused, user unknown"


def test_what_is_no_url_is_told_what_one_looks_like(tmp_path):
    with pytest.raises(ConfigError, match=r"is no URL, such as postgresql://"):
        open_study(tmp_path, PRINT, url="runs/a")


@pytest.mark.parametrize(("dialect", "driver"), [("mysql", "pymysql"), ("postgresql", "psycopg")])
def test_a_driver_that_is_missing_is_to_be_installed(tmp_path, monkeypatch, dialect, driver):
    for name in (driver, "psycopg2", "MySQLdb"):
        monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as mistake:
        open_study(tmp_path, PRINT, url=f"{dialect}://u:{WORD}@127.0.0.1:1/x")
    told = str(mistake.value)
    assert told.startswith(f"--storage {dialect}://***@127.0.0.1:1/x: ")
    assert f"{driver}" in told
    assert told.endswith(f"; type: pip install 'svit-dse[{dialect}]'")
    assert WORD not in told


def test_a_named_driver_that_is_missing_is_to_be_installed_or_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ConfigError, match=r"psycopg2.*; install it, or name none: postgresql://$"):
        open_study(tmp_path, PRINT, url="postgresql+psycopg2://u@127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("url", "there", "driven"),
    [
        ("postgresql://u@h/x", ("psycopg",), "postgresql+psycopg://u@h/x"),
        ("postgresql://u@h/x", ("psycopg2",), "postgresql://u@h/x"),
        ("postgresql+psycopg2://u@h/x", ("psycopg",), "postgresql+psycopg2://u@h/x"),
        ("mysql://u@h/x", ("pymysql", "MySQLdb"), "mysql+pymysql://u@h/x"),
        ("sqlite:///s.db", (), "sqlite:///s.db"),
    ],
)
def test_a_database_without_a_named_driver_takes_the_one_that_is_installed(monkeypatch, url, there, driven):
    monkeypatch.setattr(storage, "find_spec", lambda name: name in there or None)
    assert storage._driven(url) == driven


def test_a_password_is_found_as_typed_and_as_decoded():
    url = "postgresql://svit:p%40ss@h/x"
    text = f"could not connect to {url} as svit:p@ss with p@ss or p%40ss"
    assert "p@ss" not in without_secrets(text, url)
    assert "p%40ss" not in without_secrets(text, url)


def test_a_database_that_is_lost_in_a_search_is_one_line_without_its_password(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db?timeout={len(WORD)}"

    class Losing(ToyRunner):
        def run(self, images, weight_bits, **options):
            if tuple(weight_bits) == (4, 4, 4):
                (tmp_path / "s.db").write_bytes(b"")
            return super().run(images, weight_bits, **options)

    study = open_study(tmp_path, PRINT, url=url)
    lost = r"^--storage sqlite:[^\n]*no such table[^\n]*run the same command again$"
    with pytest.raises(LostStorageError, match=lost), kept(url):
        loop(Losing()).run(study, 5)
    study._storage.remove_session()
    study._storage._backend.engine.dispose()


def test_mistakes_that_are_not_the_databases_stay_what_they_are():
    with pytest.raises(ValueError, match=r"^own$"), kept("sqlite:///x.db"):
        raise ValueError("own")


def test_who_comes_second_at_the_making_of_tables_uses_those_of_the_first(tmp_path, monkeypatch):
    """Another worker makes them after this one has looked for them."""
    url, real, firsts = f"sqlite:///{tmp_path}/s.db", models.BaseModel.metadata.create_all, iter([Database])

    def make(engine):
        for first in firsts:
            first(url)
            real(engine, checkfirst=False)
        real(engine)

    monkeypatch.setattr(models.BaseModel.metadata, "create_all", make)
    assert open_storage(tmp_path, url).get_all_studies() == []
    assert next(firsts, None) is None


def test_who_comes_second_at_the_version_of_tables_takes_that_of_the_first(tmp_path, monkeypatch):
    """Another worker writes it between the two looks that this one takes before it writes its own."""
    url, real, early = f"sqlite:///{tmp_path}/s.db", MigrationContext.get_current_heads, [2]

    def heads(self):
        looks = early.pop() if early else 0
        if looks == 2:
            Database(url)
        if looks:
            early.append(looks - 1)
        return () if looks else real(self)

    monkeypatch.setattr(MigrationContext, "get_current_heads", heads)
    assert open_storage(tmp_path, url).get_all_studies() == []
    assert early == []


def test_a_database_that_cannot_be_made_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: pytest.fail("waits"))
    with pytest.raises(ConfigError, match="unable to open database file"):
        open_storage(tmp_path, f"sqlite:///{tmp_path}/no/s.db")
