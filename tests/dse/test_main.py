"""`python -m dse`."""

import re
import runpy
import subprocess
import sys

import pytest


def test_the_package_is_run_as_the_command(monkeypatch, capsys):
    import dse

    monkeypatch.setattr(sys, "argv", ["dse", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("dse", run_name="__main__")
    assert not end.value.code
    assert capsys.readouterr().out == f"svit-dse {dse.version()}\n"


def test_a_command_that_needs_more_memory_than_there_is_says_so_on_one_line():
    # numpy's and torch's allocations are refused by the system itself
    for made in ("numpy.ones(2**31)", "torch.ones(2**31)"):
        program = (
            "import re, resource, numpy, torch, dse.cli\n"
            "held = int(re.search(r'VmData:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024\n"
            "resource.setrlimit(resource.RLIMIT_DATA, (held + 2**28, resource.getrlimit(resource.RLIMIT_DATA)[1]))\n"
            f"dse.cli.app = lambda **_: {made}\n"
            "dse.cli.main()\n"
        )
        end = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert end.returncode == 1
        assert re.fullmatch(r"svit-dse: not enough memory \(.*allocate.*\); take fewer --workers, .*\n", end.stderr)


def test_a_command_ends_without_searching_all_its_objects_for_cycles():
    code = "import atexit, gc, sys\natexit.register(lambda: print(gc.get_freeze_count()))\nfrom dse import cli\n"
    code += "sys.argv = ['svit-dse', '--version']\ncli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) > 1000
