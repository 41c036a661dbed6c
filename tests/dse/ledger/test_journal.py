"""The journal: cut anywhere it opens, damaged anywhere it is refused with the line, full disks lose nothing."""

import re
import signal
import subprocess
import sys

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage

from dse.errors import ConfigError
from dse.ledger import journal
from dse.ledger.journal import Journal, repair
from tests.dse.conftest import Run

TRIALS = settings(max_examples=60)


def study_in(path):
    return optuna.create_study(storage=JournalStorage(Journal(path)), study_name="s", load_if_exists=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a journal with six trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = tmp_path_factory.mktemp("journal") / "study.journal"
    study = study_in(path)
    for value in range(6):
        trial = study.ask()
        trial.set_user_attr("design", f"d{value}")
        study.tell(trial, float(value))
    return path.read_bytes()


def told(path):
    return [(t.user_attrs.get("design"), t.value) for t in study_in(path).trials if t.state.is_finished()]


def test_optuna_reads_back_what_it_wrote(tmp_path, whole):
    (tmp_path / "j").write_bytes(whole)
    assert told(tmp_path / "j") == [(f"d{v}", float(v)) for v in range(6)]


@TRIALS
@given(st.data())
def test_cut_at_any_byte_it_opens_with_its_whole_lines_and_goes_on(tmp_path_factory, whole, data):
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("cut") / "j"
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b'"state":1')  # COMPLETE
    kept -= whole[:cut].rpartition(b"\n")[2].count(b'"state":1')
    assert Journal(path).cut() == len(whole[:cut].rpartition(b"\n")[2])
    study = study_in(path)
    assert len([t for t in study.trials if t.state.is_finished()]) == kept
    study.tell(study.ask(), 9.0)
    assert told(path)[-1][1] == 9.0
    assert len(told(path)) == kept + 1


@TRIALS
@given(st.data())
def test_damage_before_the_end_is_refused_with_its_line_and_repaired(tmp_path_factory, whole, data):
    lines = whole.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    kind = data.draw(st.sampled_from(("gone", "twice", "changed", "zeros", "swapped")))
    if kind == "gone":
        del lines[at]
    elif kind == "twice":
        lines.insert(at, lines[at])
    elif kind == "swapped":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    else:
        byte = data.draw(st.integers(0, len(lines[at]) - 2))
        new = b"\0" if kind == "zeros" else bytes([lines[at][byte] ^ 1])
        lines[at] = lines[at][:byte] + new + lines[at][byte + 1 :]
    path = tmp_path_factory.mktemp("damaged") / "j"
    path.write_bytes(b"".join(lines))
    with pytest.raises(ConfigError, match=re.escape(f"{path}:") + r"(\d+): .*svit-dse repair") as error:
        study_in(path)
    line = int(re.search(r":(\d+): ", str(error.value))[1])
    assert line in ((at + 1, at + 2) if kind in ("twice", "changed") else (at + 1,))
    before = path.read_bytes()
    done = repair(path)
    assert done.copy.read_bytes() == before
    assert path.read_bytes() == b"".join(before.splitlines(keepends=True)[: line - 1])
    study_in(path).ask()


def test_a_half_line_left_by_another_writer_is_cut_before_the_next_is_written(tmp_path, whole):
    path = tmp_path / "j"
    path.write_bytes(whole)
    study = study_in(path)
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"work')  # killed here
    study.tell(study.ask(), 7.0)
    assert told(path)[-1] == (None, 7.0)


def test_a_lock_held_by_a_killed_process_is_free_and_one_of_a_living_is_named(tmp_path, monkeypatch):
    path = tmp_path / "j"
    study_in(path)
    code = f"import fcntl, time\nf = open({str(path)!r})\nfcntl.flock(f, fcntl.LOCK_EX)\n"
    code += "print(1, flush=True)\ntime.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    other.stdout.readline()
    monkeypatch.setattr(journal, "PATIENCE", 0.05)
    with pytest.raises(ConfigError, match=f"process {other.pid} has held its lock"):
        study_in(path).ask()
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    study_in(path).ask()


def test_a_full_disk_leaves_what_was_there_and_names_the_file(tmp_path):
    path = tmp_path / "j"
    study = study_in(path)
    before = path.read_bytes()
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom dse.ledger.journal import Journal\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 40}, -1))\n"
        "try:\n    Journal(Path(sys.argv[1])).append_logs([{'op_code': 4, 'long': 'x' * 500}])\n"
        "except OSError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert str(path) in done.stdout
    assert "bytes free" in done.stdout
    assert path.read_bytes() == before
    study.ask()


def test_repair_as_a_command(svit: Run, tmp_path, whole):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "study.journal"
    path.write_bytes(whole)
    assert "nothing to repair" in svit("repair", "run").out
    path.write_bytes(whole.replace(b'"d3"', b'"d9"'))
    said = svit("repair", "run")
    assert said.status == 0
    assert "has been changed" in said.out
    assert "study.journal.damaged" in said.out
    assert told(path) == [(f"d{v}", float(v)) for v in range(3)]
    assert svit("repair", "nowhere").status == 2
