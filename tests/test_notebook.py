"""The notebook in docs runs from its first cell to its last, beside the run that it names."""

import json
import shutil
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "finished-run.ipynb"


def test_every_cell_of_the_notebook_runs(small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(small_run, tmp_path / "runs" / "demo-fashion_mnist")
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)  # stored without outputs, which would grow old
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            *before, last = "".join(cell["source"]).split("\n")
            exec(compile("\n".join(before), "notebook", "exec"), names)
            shown = eval(compile(last, "notebook", "eval"), names)
            assert shown is not None
    assert (tmp_path / "bits.json").is_file()
