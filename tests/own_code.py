"""Code of a user's own for tests: files in a folder, and an installed package with entry points."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from costmodels import plugins

STRATEGY = '''"""The widest design first, then one layer after the other at its narrowest."""
import numpy as np

from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, fresh

OPTIONS = {"first": Option(0, "the layer to begin with", low=0)}


class Sampler(Proposer):
    def __init__(self, problem, seed, **options):
        super().__init__(problem, seed)
        self.first = read("narrow", options, OPTIONS)["first"]

    def propose(self, past, rng):
        levels = self._problem.space.sizes - 1
        for layer in np.roll(np.arange(len(levels)), -self.first):
            levels = levels.copy()
            levels[layer] = 0
            if tuple(levels) not in {tuple(row) for row in past.levels}:
                return levels
        return fresh(self._problem, past, rng)


class Other(Sampler):
    OPTIONS = {}


def no_class():
    return 3
'''

DATAFLOW = '''"""Every weight is fetched for every operation, in layers that run one after the other."""
from costmodels.equations.counts import Counts

REQUIRES = ("weights", "states", "spikes")
MEASURED = ()
PIPELINED = False
RESIDENT_STATES = False


def counts(load, chip):
    return Counts(additions=load.synops, multiplications=0 * load.synops)
'''

SECTION = '''"""How many designs were evaluated."""
from reports.page import html

TITLE = "How many <designs>"


def record(run):
    return {"designs": len(run.designs)}


def draw(record):
    return html.Drawing(html.text(f"{record['designs']} designs & one <b>"))
'''

NETWORK = """from torch import nn

def make(classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, classes))
"""


@contextmanager
def installed(folder: Path, groups: dict[str, str], **files: str) -> Iterator[None]:
    """A package of one module per file, with entry points `name = target` by group, as pip leaves it."""
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content)
    about = folder / "own_code-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-code\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("".join(f"[{group}]\n{line}\n" for group, line in groups.items()))
    sys.path.insert(0, str(folder))
    plugins.installed.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        plugins.installed.cache_clear()
        for name in files:
            sys.modules.pop(name, None)
