"""Five hundred evaluations leave no more memory, files and threads behind than fifty."""

from __future__ import annotations

import gc
import os
import resource
import threading
from pathlib import Path

import numpy as np
import pytest
from simulated_network import simulate
from study_cost import loop

from dse.exploration.study import finished, open_study

pytestmark = pytest.mark.campaign
PAGE = resource.getpagesize()


def held() -> tuple[int, int, int]:
    """Bytes in memory, open files, threads of this process."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
    return resident, len(os.listdir("/proc/self/fd")), threading.active_count()


def test_five_hundred_evaluations_leave_nothing_behind(tmp_path):
    problem = simulate(0, groups=56, low_fidelity_images=0).problem
    study, marks = open_study(tmp_path, {}), []
    search = loop(problem)

    def watch(step):
        if step.done % 50 == 0:
            marks.append(held())

    search.run(study, 500, watch)
    assert finished(study) == 500
    memory, files, threads = np.array(marks).T
    assert set(files) == {files[0]}
    assert set(threads) == {threads[0]}
    # what a trial says is kept, some 10 kB in the memory of the study and the evaluator; nothing beyond
    per_trial = (memory[-1] - memory[1]) / 400
    assert per_trial < 40_000
