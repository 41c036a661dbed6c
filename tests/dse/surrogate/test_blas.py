"""The limit on the threads of numpy's linear algebra."""

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from dse.surrogate.blas import on_one_thread


def blas() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_linear_algebra_has_one_thread_inside_and_its_own_number_outside():
    torch_threads = torch.get_num_threads()
    with threadpool_limits(limits=2, user_api="blas"):
        assert blas() == {2}
        assert on_one_thread(blas)() == {1}
        assert on_one_thread(torch.get_num_threads)() == torch_threads
        assert blas() == {2}
