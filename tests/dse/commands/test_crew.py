"""Workers beside a search end with the process that started them, however that one ends."""

import os
import signal
import subprocess
import sys
import time

from dse.commands._crew import PARENT, Crew

WORKER = """
import os, sys, time
from dse.commands._crew import follow_parent
follow_parent()
try:
    print(os.getpid(), flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
STARTS = """
import os, subprocess, sys, time
own = os.environ | {sys.argv[2]: str(os.getpid())}
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=own, start_new_session=True)
time.sleep(60)
"""


def test_a_worker_whose_parent_is_killed_is_interrupted():
    words = [sys.executable, "-c", STARTS, WORKER, PARENT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout.readline() == "interrupted\n"
        assert parent.stdout.read() == ""  # closed by all who held it


STUB = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # as `follow_parent` does
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("ended")
"""


def test_a_search_that_is_interrupted_interrupts_each_worker_once_and_kills_none_that_ends(tmp_path, monkeypatch):
    real = subprocess.Popen

    def popen(words, **given):
        assert given["start_new_session"]
        return real([sys.executable, "-c", STUB], **given)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr("dse.commands._crew._devices", list)
    with Crew(tmp_path / "c.yaml", tmp_path, None, 2) as crew:
        crew.start()
        while not all(crew.log(n).read_text() for n in (2, 3)):
            time.sleep(0.02)
    assert [process.returncode for process in crew._running] == [0, 0]
    assert [crew.log(n).read_text() for n in (2, 3)] == ["begun\nended\n"] * 2
