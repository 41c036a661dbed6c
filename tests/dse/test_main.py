"""`python -m dse`."""

import runpy
import sys

import pytest


def test_the_package_is_run_as_the_command(monkeypatch, capsys):
    import dse

    monkeypatch.setattr(sys, "argv", ["dse", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("dse", run_name="__main__")
    assert not end.value.code
    assert capsys.readouterr().out == f"svit-dse {dse.version()}\n"
