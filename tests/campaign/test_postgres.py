"""Each way to a PostgreSQL server, with programs and installers that only write down how they were called."""

import os
import pwd
import shutil
import sys
from pathlib import Path

import pytest

from tests.campaign import postgres

CONTROL = '#!/bin/sh\nfor last; do :; done\necho "$last" >> {calls}\n{then}\n'
UPDATE, INSTALL = "apt-get -qq update", "apt-get -qq -y --no-install-recommends install postgresql"
PIP = "pip install --no-deps -c constraints.txt pgserver"


class Machine:
    """A machine without a server, and what its installers bring."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.bin, self.log, self.calls = folder, folder / "bin", folder / "log", folder / "calls"
        self.debian, self.package, self.patch = folder / "debian", folder / "site" / "pgserver", patch
        self.bin.mkdir()
        for name in ("env", "true"):
            (self.bin / name).symlink_to(shutil.which(name) or "missing")
        patch.setenv("PATH", str(self.bin))
        patch.delenv("POSTGRESQL", raising=False)
        patch.setattr(postgres, "DEBIAN", self.debian)
        self.be(1000)
        self.pip("exit 1")

    def be(self, user: int) -> None:
        """Run as the user with this number; 0 is root."""
        self.patch.setattr(os, "geteuid", lambda: user)

    def script(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def server(self, folder: Path, works: bool = True) -> Path:
        """Programs of a server that starts, or does not."""
        self.script(folder / "initdb", "#!/bin/sh\nexit 0\n")
        self.script(folder / "pg_ctl", CONTROL.format(calls=self.calls, then="" if works else "exit 1"))
        return folder

    def installer(self, name: str, brings: Path | None) -> None:
        """A program that brings the programs of a server into a folder, or fails."""
        source = self.server(self.folder / "source")
        then = f"/bin/mkdir -p {brings}; /bin/cp {source}/* {brings}" if brings else "exit 100"
        text = f'#!/bin/sh\necho "{name} $*" >> {self.calls}\ncase "$*" in *" install "*) {then};; esac\n'
        self.script(self.bin / name, text)

    def sudo(self, asks: bool) -> None:
        self.script(self.bin / "sudo", "#!/bin/sh\n" + ("exit 1\n" if asks else '[ "$1" = -n ] && shift\nexec "$@"\n'))

    def pip(self, then: str) -> None:
        """A pip that writes down its call and does `then`."""
        self.script(self.folder / "pip", f'#!/bin/sh\necho "pip $*" >> {self.calls}\n{then}\n')
        self.patch.setattr(postgres, "PIP", (str(self.folder / "pip"), *PIP.split()[1:]))
        self.patch.setattr(sys, "path", [str(self.folder / "site")])

    def pip_brings(self) -> Path:
        """A pip that installs the package with its server."""
        source, place = self.server(self.folder / "source"), self.package / "pginstall" / "bin"
        self.pip(f"/bin/mkdir -p {place}; : > {self.package}/__init__.py; /bin/cp {source}/* {place}")
        return place

    def called(self) -> list[str]:
        """How the installers were called."""
        text = self.calls.read_text(encoding="utf-8") if self.calls.exists() else ""
        return [line for line in text.splitlines() if line not in ("start", "stop")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_server_that_starts_is_taken_and_nothing_is_installed(machine, capsys):
    machine.installer("apt-get", machine.debian / "16" / "bin")
    machine.server(machine.debian / "17" / "bin", works=False)
    found = machine.server(machine.debian / "15" / "bin")
    assert postgres.main(machine.log) == 0
    assert capsys.readouterr() == (f"{found}\n", "")
    assert machine.called() == []


def test_that_on_the_path_comes_first(machine, capsys):
    machine.server(machine.debian / "15" / "bin")
    machine.server(machine.bin)
    assert postgres.main(machine.log) == 0
    assert capsys.readouterr().out == f"{machine.bin}\n"


def test_a_named_folder_must_work(machine, capsys, monkeypatch):
    machine.server(machine.debian / "15" / "bin")
    monkeypatch.setenv("POSTGRESQL", str(machine.server(machine.folder / "mine", works=False)))
    assert postgres.main(machine.log) == 2
    assert capsys.readouterr().err == (
        f"POSTGRESQL={machine.folder}/mine: pg_ctl ends with status 1; name another folder with initdb, or none: "
        "unset POSTGRESQL\n"
    )
    monkeypatch.setenv("POSTGRESQL", str(machine.folder / "nothing"))
    assert postgres.main(machine.log) == 2
    assert "No such file" in capsys.readouterr().err
    assert machine.called() == []


def test_without_one_pips_package_is_installed(machine, capsys):
    machine.installer("apt-get", machine.debian / "16" / "bin")
    place = machine.pip_brings()
    assert postgres.main(machine.log) == 0
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == (f"{place}\n", 1)
    assert machine.called() == [PIP]
    assert postgres.main(machine.log) == 0  # it is there now
    assert machine.called() == [PIP]


def test_where_pip_fails_debians_is_installed_by_sudo_without_a_password(machine, capsys):
    machine.installer("apt-get", machine.debian / "16" / "bin")
    machine.sudo(asks=False)
    assert postgres.main(machine.log) == 0
    assert capsys.readouterr().out == f"{machine.debian}/16/bin\n"
    assert machine.called() == [PIP, UPDATE, INSTALL]


@pytest.mark.parametrize(
    ("asks", "remedy"),
    [
        (True, "sudo apt-get update && sudo apt-get install postgresql"),
        (False, "make campaign POSTGRESQL=/folder/with/initdb"),
    ],
)
def test_where_none_can_be_had_one_line_says_what_to_type(machine, capsys, asks, remedy):
    machine.installer("apt-get", None)
    machine.sudo(asks)
    assert postgres.main(machine.log) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last == f"{postgres.MISSING}, and none could be installed (see {machine.log}); type: {remedy}"


def test_root_runs_the_server_as_another_user(machine, monkeypatch):
    found = machine.server(machine.debian / "15" / "bin")
    machine.be(0)
    users, owners = [], []
    monkeypatch.setattr(shutil, "chown", lambda path, user: owners.append(user))
    monkeypatch.setattr(postgres.subprocess, "run", lambda words, **given: users.append(given["user"]))
    with postgres.server(found):
        pass
    assert set(users) == set(owners)
    assert pwd.getpwnam(users[0]).pw_uid != 0
