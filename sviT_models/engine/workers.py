"""Threads that share the images of a run, and their results as one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import torch

from sviT_models.output import Output


def workers(threads: int) -> ThreadPoolExecutor:
    """A pool whose threads run torch on one thread each; the caller's number of threads stays."""
    before = torch.get_num_threads()
    ready = Barrier(threads + 1)

    def begin() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes the process's number at its first operation: now, while that is one
        ready.wait()

    pool = ThreadPoolExecutor(threads)
    for _ in range(threads):
        pool.submit(begin)
    ready.wait()
    torch.set_num_threads(before)  # threads that others start take over what was set last
    return pool


def joined(parts: Sequence[Output]) -> Output:
    """The output of a run in several batches."""
    return Output(np.concatenate([part.logits for part in parts]), np.sum([part.spikes for part in parts], axis=0))
