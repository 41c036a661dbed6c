"""Settings that hold for every test: reproducible hypothesis examples, and one thread for torch where it is used."""

import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from ruamel.yaml import YAML

from tests.shared import once

if TYPE_CHECKING:
    from costmodels import Hardware

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


LONGEST = (  # files whose tests take 15 s of processor time and more together, the longest first
    "test_tables.py",
    "test_docs_commands.py",
    "test_cli.py",
    "test_train.py",
    "test_search_over_forms.py",
    "test_goldens.py",
    "test_search.py",
    "test_quantization_commands.py",
    "test_programs.py",
    "test_networks.py",
    "test_engine.py",
    "test_definition.py",
    "test_layer_table.py",
    "test_measured.py",
    "test_any_network.py",
    "test_export.py",
    "test_run_report.py",
    "test_search_every_dimension.py",
    "test_unfinished.py",
    "test_best_design.py",
    "test_batch_norms.py",
    "test_site.py",
    "test_sdtv2.py",
    "test_figures.py",
    "test_sweep.py",
    "test_network.py",
    "test_commands.py",
    "test_own.py",
    "test_finetune.py",
    "test_activation_widths.py",
    "test_interpreter.py",
    "test_files.py",
    "test_designs.py",
    "test_accessibility.py",
    "test_sdtv2relu.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: last, one of them would leave the other workers idle."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


def pytest_collection_finish() -> None:
    """What was imported stays: the search for garbage leaves it out and comes less often, a tenth of the time else."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """A study writes its journal through to the disk after every entry; what tests write need not survive a crash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Searches keep what code they ran, and structures that were traced; those of tests are no one's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("SVIT_CACHE", str(once(tmp_path_factory, "cache", lambda folder: None)))  # of all workers
        yield


@pytest.fixture(autouse=True, scope="session")
def few_chips() -> Iterator[None]:
    """Searches sweep the ends of each knob, 64 chips instead of 864, which take 4 s; a sweep has tests of its own."""
    if robustness := sys.modules.get("dse.results.robustness"):  # imported by the files that search
        whole = robustness.sweep
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(robustness, "sweep", lambda designs, chip, **named: whole(designs, _ends(chip), **named))
            yield
    else:
        yield


def _ends(chip: "Hardware") -> "Hardware":
    """The chip with the first and the last value of each knob."""

    def ends(knobs: Any) -> Any:
        values = {name: getattr(knobs, name) for name in type(knobs).model_fields}
        short = {name: v[:: max(len(v) - 1, 1)] for name, v in values.items() if isinstance(v, tuple)}
        return knobs.model_copy(update=short)

    knobs = ends(chip.file.knobs)
    memories = {name: ends(memory) for name, memory in knobs.memories.items()}
    return replace(chip, file=chip.file.model_copy(update={"knobs": knobs.model_copy(update={"memories": memories})}))


SMALL = """\
data: {search_images: 40, verify_images: 40, fisher_images: 16, batch_size: 40}
quantization: {method: nearest}
search: {strategy: random, evaluations: 8, widths: [2, 4, 8], time_steps: [1, 2]}
"""


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a search: eight designs on forty digits. Copy it before you write into it."""
    from dse.config.schema import Config
    from dse.workflows.search import search

    config = Config.model_validate(YAML(typ="safe").load(SMALL))
    return once(tmp_path_factory, "small-run", lambda folder: search(config, folder / "small")) / "small"


INTEGER = """\
data: {search_images: 40, verify_images: 40, fisher_images: 16, batch_size: 40, calibration_images: 32}
quantization: {method: nearest}
search:
  strategy: random
  evaluations: 7
  widths: [2, 4]
  granularity: stage
  time_steps: [1, 2]
  state_widths: [6, 16]
"""


@pytest.fixture(scope="session")
def integer_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a search of widths by stage, those of potentials too. Copy it before you write into it."""
    from dse.config.schema import Config
    from dse.workflows.search import search

    config = Config.model_validate(YAML(typ="safe").load(INTEGER))
    return once(tmp_path_factory, "integer-run", lambda folder: search(config, folder / "run")) / "run"


@pytest.fixture
def empty_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have their figures drawn and saved as empty files: saving takes nine tenths of a report's time.

    tests/reports looks at what is in the files.
    """

    def save(figure: object, stem: Path) -> None:
        for ending in (".png", ".svg", ".pdf"):
            stem.with_suffix(ending).touch()

    monkeypatch.setattr("reports.static.figures.save", save)
    monkeypatch.setattr("reports.static.figures.write_pdf", lambda path, *_: path.touch())


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Keep parallel test workers from fighting for cores; a test that never imported torch does not import it here."""
    if torch := sys.modules.get("torch"):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)
    else:
        yield
