"""Workers beside a search end with the process that started them, however that one ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dse.commands._crew import PARENT, THREADS, Crew, threads_each

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


@pytest.mark.parametrize(
    ("cores", "asked", "workers", "threads"),
    [(8, None, 4, 2), (8, None, 3, 2), (2, None, 4, 1), (8, "1", 4, 1), (8, "6", 4, 2), (8, "8,2", 2, 4)],
)
def test_threads_are_the_cores_shared_out_and_never_more_than_asked_for(monkeypatch, cores, asked, workers, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    if asked is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_each(workers) == threads


SHOWS = """
import os, sys
print(*(os.environ.get(name, "none") for name in sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("devices", "seen"),
    [([], ["none"] * 3), (["0"], ["none"] * 3), (["3", "5"], ["5", "3", "5"]), (list("0123"), list("123"))],
)
def test_workers_have_one_gpu_each_where_there_are_several(tmp_path, monkeypatch, devices, seen):
    """The first process keeps the first one."""
    real = subprocess.Popen
    names = ["CUDA_VISIBLE_DEVICES", *THREADS]
    monkeypatch.setattr(
        subprocess, "Popen", lambda words, **given: real([sys.executable, "-c", SHOWS, *names], **given)
    )
    monkeypatch.setattr("dse.commands._crew._devices", lambda: devices)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name in names:
        monkeypatch.delenv(name, raising=False)
    crew = Crew(tmp_path / "c.yaml", tmp_path, None, 3)
    crew.start()
    assert crew.failures() == []
    said = [crew.log(number).read_text().split() for number in (2, 3, 4)]
    assert said == [[device, *["2"] * len(THREADS)] for device in seen]  # 8 cores for 4 workers
