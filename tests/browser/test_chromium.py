"""Each way to a browser on a machine that has none, with installers that only write down how they were called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import chromium

RENDERS = "#!/bin/sh\necho '<html><body>42</body></html>'\n"
BROKEN = "#!/bin/sh\necho 'chromium: error while loading shared libraries: libnss3.so' >&2\nexit 127\n"


class Machine:
    """A path with nothing but the programs that a test puts there, and what these were called with."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.bin, self.log = folder, folder / "bin", folder / "install.log"
        self.calls, self.debian, self.downloaded = folder / "calls", folder / "debian", folder / "downloaded"
        self.bin.mkdir()
        for name in ("env", "true"):
            (self.bin / name).symlink_to(shutil.which(name) or "missing")
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.delenv("CHROMIUM", raising=False)
        monkeypatch.setattr(chromium, "DEBIAN", str(self.debian))
        self.user = monkeypatch
        self.be(1000)
        self.playwright(f"raise SystemExit({str(self.folder)!r} + ': no network')")

    def be(self, user: int) -> None:
        """Run as the user with this number; 0 is root."""
        self.user.setattr(os, "geteuid", lambda: user)

    def program(self, name: str, text: str) -> Path:
        """A program on the path."""
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def installer(self, name: str, then: str = "") -> None:
        """A program that writes down how it was called, then runs a piece of shell."""
        self.program(name, f'#!/bin/sh\necho "{name} $*" >> {self.calls}\necho noise of {name}\n{then}\n')

    def apt(self, works: bool = True) -> None:
        """An apt-get whose `install` brings a browser, or fails."""
        source = self.folder / "package"
        source.write_text(RENDERS, encoding="utf-8")
        source.chmod(0o755)
        self.installer(
            "apt-get",
            f'case "$*" in *" install "*) {f"/bin/cp {source} {self.debian}" if works else "exit 100"};; esac',
        )

    def sudo(self, asks: bool = False) -> None:
        """A sudo that knows nobody's password, and either needs none or refuses."""
        self.installer("sudo", "exit 1" if asks else '[ "$1" = -n ] && shift\nexec "$@"')

    def playwright(self, install: str) -> None:
        """A package `playwright` that keeps its browser in this folder and runs this code to download it."""
        package = self.folder / "stubs" / "playwright"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / "__main__.py").write_text(
            f"import pathlib, sys\n"
            f"open({str(self.calls)!r}, 'a').write(' '.join(['playwright', *sys.argv[1:]]) + '\\n')\n"
            f"browser = pathlib.Path({str(self.downloaded)!r})\n{install}\n",
            encoding="utf-8",
        )
        (package / "sync_api.py").write_text(
            "import contextlib\nfrom types import SimpleNamespace as S\n@contextlib.contextmanager\n"
            f"def sync_playwright():\n    yield S(chromium=S(executable_path={str(self.downloaded)!r}))\n",
            encoding="utf-8",
        )
        self.user.setenv("PYTHONPATH", str(package.parent))

    def called(self) -> list[str]:
        """How the installers were called, in order."""
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []


def download(text: str) -> str:
    return f"browser.write_text({text!r})\nbrowser.chmod(0o755)"


UPDATE, INSTALL = "apt-get -qq update", "apt-get -qq -y --no-install-recommends install chromium"
DOWNLOAD = "playwright install chromium"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
def test_a_browser_on_the_path_is_taken_and_nothing_is_installed(machine, capsys, name):
    machine.apt()
    browser = machine.program(name, RENDERS)
    assert chromium.main(machine.log) == 0
    assert capsys.readouterr() == (f"{browser}\n", "")
    assert machine.called() == []


def test_a_browser_on_the_path_that_renders_nothing_is_passed_over(machine, capsys):
    """Ubuntu's chromium-browser only says that a snap is needed."""
    machine.program("chromium-browser", BROKEN)
    browser = machine.program("google-chrome", RENDERS)
    assert chromium.main(machine.log) == 0
    assert capsys.readouterr().out == f"{browser}\n"


def test_a_browser_that_playwright_has_downloaded_before_is_taken(machine, capsys):
    machine.apt()
    machine.downloaded.write_text(RENDERS, encoding="utf-8")
    machine.downloaded.chmod(0o755)
    assert chromium.main(machine.log) == 0
    assert capsys.readouterr() == (f"{machine.downloaded}\n", "")
    assert machine.called() == []


def test_the_browser_named_in_the_environment_comes_first(machine, capsys, monkeypatch):
    machine.program("chromium", RENDERS)
    named = machine.program("my-chrome", RENDERS)
    monkeypatch.setenv("CHROMIUM", "my-chrome")
    assert chromium.main(machine.log) == 0
    assert capsys.readouterr().out == f"{named}\n"


@pytest.mark.parametrize(("text", "why"), [(None, "there is no such program"), (BROKEN, "libnss3.so")])
def test_a_named_browser_that_does_not_work_is_a_mistake_and_installs_nothing(machine, capsys, monkeypatch, text, why):
    machine.apt()
    machine.program("chromium", RENDERS)
    if text:
        machine.program("my-chrome", text)
    monkeypatch.setenv("CHROMIUM", "my-chrome")
    assert chromium.main(machine.log) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("CHROMIUM=my-chrome: ")
    assert why in err
    assert machine.called() == []


def test_root_installs_the_debian_package(machine, capsys):
    machine.be(0)
    machine.apt()
    assert chromium.main(machine.log) == 0
    out, err = capsys.readouterr()
    assert out == f"{machine.debian}\n"
    assert err == "no browser for the report's tests: installing Debian's chromium with apt-get, about a minute\n"
    assert machine.called() == [UPDATE, INSTALL]
    assert machine.log.read_text(encoding="utf-8").count("noise of apt-get") == 2


def test_another_user_installs_the_debian_package_with_a_sudo_that_asks_for_no_password(machine, capsys):
    machine.apt()
    machine.sudo()
    assert chromium.main(machine.log) == 0
    assert capsys.readouterr().out == f"{machine.debian}\n"
    called = machine.called()
    assert called[0] == "sudo -n true"
    assert [c for c in called if c.startswith("apt-get")] == [UPDATE, INSTALL]
    assert sum(c.startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get") for c in called) == 2


@pytest.mark.parametrize("asks", [False, True])
def test_without_a_debian_package_playwright_downloads_one(machine, capsys, asks):
    """With a password for sudo apt-get is not called at all; without, it is called and fails."""
    machine.apt(works=False)
    machine.sudo(asks)
    machine.playwright(download(RENDERS))
    assert chromium.main(machine.log) == 0
    out, err = capsys.readouterr()
    assert out == f"{machine.downloaded}\n"
    assert err.endswith("no browser for the report's tests: downloading one with playwright, about a minute\n")
    called = machine.called()
    assert called[-1] == DOWNLOAD
    assert (INSTALL in called) is not asks


def test_a_user_who_may_not_install_is_told_the_command_in_one_line(machine, capsys):
    machine.apt()
    assert chromium.main(machine.log) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert "type: sudo apt-get update && sudo apt-get install chromium; " in last
    assert str(machine.log) in last
    assert machine.called() == [DOWNLOAD]
    assert "no network" in machine.log.read_text(encoding="utf-8")


def test_where_every_installer_fails_one_line_says_how_to_name_a_browser(machine, capsys):
    machine.be(0)
    machine.apt(works=False)
    assert chromium.main(machine.log) == 2
    assert "type: make test CHROMIUM=/path/to/chrome; " in capsys.readouterr().err.splitlines()[-1]
    assert machine.called() == [UPDATE, INSTALL, DOWNLOAD]


def test_a_downloaded_browser_without_its_libraries_asks_for_them(machine, capsys):
    machine.playwright(download(BROKEN))
    assert chromium.main(machine.log) == 2
    assert f"type: sudo {sys.executable} -m playwright install-deps chromium; " in capsys.readouterr().err


def as_make_test_does(log: Path) -> subprocess.CompletedProcess[str]:
    """What the Makefile runs, in a process of its own."""
    words = [sys.executable, "-m", "tests.browser.chromium", str(log)]
    return subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)


def test_the_browser_of_this_machine_renders_a_page():
    """As `make test` calls it; the stub browsers above hold what this asks of a real one."""
    done = as_make_test_does(Path(os.devnull))
    assert done.returncode == 0, done.stderr
    assert chromium.complaint(done.stdout.strip()) == ""


@pytest.mark.campaign
def test_a_machine_without_a_browser_gets_one_that_opens_a_page(tmp_path, monkeypatch):
    """No stub: empty home, every program of this machine but its browsers, and the real installers.

    Where Debian's package is already there apt-get has nothing to fetch; on a machine without it this installs it.
    """
    from playwright.sync_api import sync_playwright

    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.get_exec_path():
        for program in Path(folder).glob("*"):
            if program.name not in chromium.NAMES and not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    log = tmp_path / "install.log"
    done = as_make_test_does(log)
    assert done.returncode == 0, done.stderr
    assert "installing" in done.stderr or "downloading" in done.stderr
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=done.stdout.strip(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<title>before</title><script>document.title = 6 * 7</script>")
        assert page.title() == "42"
        browser.close()
