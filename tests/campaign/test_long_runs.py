"""Five hundred evaluations leave no more memory, files and threads behind than fifty."""

from __future__ import annotations

import gc
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from simulated_network import simulate
from study_cost import loop

from dse.config.schema import Config
from dse.exploration.study import finished, open_study
from dse.workflows.search_steps import base_setting, precision_study, prepare
from dse.workflows.search_values import StudyStorage

pytestmark = pytest.mark.campaign
PAGE = resource.getpagesize()


def held() -> tuple[int, int, int]:
    """Bytes in memory, open files, threads of this process, Python's and others."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
    return resident, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def test_five_hundred_evaluations_leave_nothing_behind(tmp_path):
    problem = simulate(0, groups=56, low_fidelity_images=0).problem
    study, marks = open_study(tmp_path, {}), []
    search = loop(problem)

    def watch(step):
        if step.done % 50 == 0:
            marks.append(held())

    search.run(study, 500, watch)
    assert finished(study) == 500
    nothing_grows(marks)


def nothing_grows(marks: list[tuple[int, int, int]]) -> None:
    """Of marks after every fifty evaluations, from the first to the tenth."""
    memory, files, threads = np.array(marks).T
    assert set(files) == {files[0]}
    assert set(threads) == {threads[0]}
    # what a trial says is kept, some 10 kB in the memory of the study and the evaluator; nothing beyond
    per_trial = (memory[-1] - memory[1]) / 400
    assert per_trial < 40_000


SMALL = """
data: {search_images: 10, verify_images: 10, fisher_images: 10, batch_size: 10}
quantization: {method: nearest}
search: {strategy: random, evaluations: 500, widths: [2, 4, 8], time_steps: [1, 2], state_widths: [8, 16]}
"""


def test_five_hundred_measurements_of_a_network_leave_nothing_behind(tmp_path):
    """With the engine's integers of every width and its compiled programs."""
    config = Config.model_validate(YAML(typ="safe").load(SMALL))
    prepared, marks = prepare(config, StudyStorage(tmp_path)), []
    base = base_setting(prepared, precision_study(prepared))

    def watch(step):
        if step.done % 50 == 0:
            marks.append(held())

    base.loop.run(prepared.study, 500, watch)
    assert finished(prepared.study) == 500
    nothing_grows(marks)
