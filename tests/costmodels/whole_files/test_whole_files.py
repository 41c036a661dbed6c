"""Whatever happens while a file is written, the old one is there or the new one, and nothing else."""

import errno
import os
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from costmodels.whole_files import formula_safe, replacing, replacing_folder, write_text
from tests.dse.conftest import svit

__all__ = ["svit"]

BIG = "x" * 200_000
SYSTEM = {errno.ENOSPC: "bytes free); make room", errno.EROFS: "choose a folder that can be written to", errno.EIO: ""}


def there(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("number", SYSTEM)
@pytest.mark.parametrize("rust", [False, True])
def test_an_error_of_the_system_names_the_file_and_leaves_what_was_there(tmp_path, number, rust):
    path = tmp_path / "a.csv"
    write_text(path, "old")

    def fails():
        with replacing(path) as part:
            part.write_text("half")
            if rust:  # as safetensors tells of it
                raise RuntimeError(f"I/O error: {os.strerror(number)} (os error {number})")
            raise OSError(number, os.strerror(number), str(part))

    with pytest.raises(OSError, match=f"^{path}: {os.strerror(number)}") as error:
        fails()
    assert SYSTEM[number] in str(error.value)
    assert "\n" not in str(error.value)
    assert there(tmp_path) == {"a.csv": "old"}


def test_a_full_disk_leaves_what_was_there(disk):
    full = disk("size=64k")
    write_text(full / "a.csv", "old")
    with pytest.raises(OSError, match=r"a\.csv: No space left on device \(.* bytes free\); make room"):
        write_text(full / "a.csv", BIG)
    with pytest.raises(OSError, match=r"a\.csv: No space left on device"), replacing(full / "a.csv") as part:
        save_file({"a": np.zeros(100_000)}, part)
    with pytest.raises(OSError, match="report: No space"), replacing_folder(full / "report") as new:
        (new / "index.html").write_text(BIG)
    assert there(full) == {"a.csv": "old"}


def test_commands_on_a_disk_that_is_full_or_cannot_be_written_to(disk, svit):
    full, locked = disk("size=64k"), disk("size=1m")
    with suppress(OSError), (full / "others").open("wb", buffering=0) as others:
        while others.write(b"x" * 512):
            pass
    held = there(full)
    write_text(locked / "a.yaml", "old")
    subprocess.run(["mount", "-o", "remount,ro", str(locked)], check=True)
    for words in (("init",), ("init", "--force"), ("hardware", "schema", "--out"), ("search", "a.yaml", "--out")):
        write_text("a.yaml", "search: {strategy: random}\n")
        said = svit(*words, locked / ("a.yaml" if "--force" in words else "b"))
        assert said.status == 2
        assert said.err.startswith("svit-dse: ")
        assert str(locked) in said.err
        assert said.err.count("\n") == 1
        if words[0] == "search":
            continue
        said = svit(*words, full / "b")
        assert said.status == 1
        assert f"{full / 'b'}: No space left on device" in said.err
        assert said.err.count("\n") == 1
    assert there(locked) == {"a.yaml": "old"}
    assert there(full) == held


@given(st.text(), st.booleans())
def test_the_old_or_the_new_and_nothing_beside_it(tmp_path_factory, text, fails):
    folder = tmp_path_factory.mktemp("whole")
    write_text(folder / "a", "old")

    def change():
        with replacing(folder / "a") as part:
            part.write_bytes(text.encode("utf-8", "surrogatepass"))
            if fails:
                raise KeyError("of the writer's own")

    if fails:
        with pytest.raises(KeyError):
            change()
    else:
        change()
    assert [p.name for p in folder.iterdir()] == ["a"]
    assert (folder / "a").read_bytes() == (b"old" if fails else text.encode("utf-8", "surrogatepass"))


def test_a_folder_is_there_whole_or_as_it_was(tmp_path):
    with replacing_folder(tmp_path / "r") as new:
        (new / "figures").mkdir()
        (new / "figures" / "a").write_text("1")

    def fails():
        with replacing_folder(tmp_path / "r") as new:
            (new / "b").write_text("2")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert there(tmp_path) == {"r/figures/a": "1"}
    with replacing_folder(tmp_path / "r") as new:
        (new / "b").write_text("2")
    assert there(tmp_path) == {"r/b": "2"}
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_links_and_devices_stay_what_they_are(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"
    write_text("/dev/null", "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none does not exist; make it first"):
        write_text(tmp_path / "none" / "a", "")


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/c calc'!A0"])
def test_formulas_are_text(cell):
    assert formula_safe(cell) == "'" + cell


@given(st.floats() | st.integers())
def test_numbers_stay_numbers(number):
    assert formula_safe(str(number)) == str(number)


def test_a_damaged_run_costed_again_leaves_no_run_without_a_report(svit, small_run, tmp_path):
    shutil.copytree(small_run, tmp_path / "run")
    (tmp_path / "run" / "sensitivity.csv").write_text("group,type,stage,bits,score\na,b,c,no,number\n")
    said = svit("report", "run", "--hardware", "seneca_like", "--out", "out")
    assert said.status == 2
    assert "sensitivity.csv" in said.err
    assert not Path("out").exists()
