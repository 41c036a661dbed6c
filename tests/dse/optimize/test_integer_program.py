"""What the solver prints by itself reaches nobody, whether standard output is a terminal, a file or a pipe."""

import os
import subprocess
import sys

CODE = """
import ctypes
from dse.optimize.integer_program import _silent
print("before", flush=True)
with _silent():
    ctypes.CDLL(None).puts(b"a line of the solver")
print("after")
"""


def test_lines_of_c_do_not_come_out_at_the_end_of_a_pipe():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", CODE], env=buffered, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["before", "after"]
