"""Progress: a bar with the time left on a terminal, a line now and then in a log; every long step tells its parts."""

import io
from pathlib import Path

import pytest
from rich.console import Console

import reports
import sviT_models
from dse.commands._progress import Meter
from dse.config.schema import Config, Data, Quantization, Search
from dse.evaluation.one_at_a_time import group_probes, measured
from dse.evaluation.prepare import prepare
from dse.problem.design import uniform
from dse.workflows.evaluate import evaluated
from tests.reports import by_hand


def shown(terminal: bool) -> str:
    """What a meter writes when half of one step and all of another are done."""
    out = io.StringIO()
    with Meter(Console(file=out, force_terminal=terminal, width=80)) as advance:
        advance("rounding", 5, 10)
        advance("images", 3, 3)
    return out.getvalue()


def test_a_terminal_sees_step_parts_and_the_time_left():
    text = shown(terminal=True)
    assert "rounding" in text
    assert "5/10" in text
    assert "ETA" in text
    assert "3/3" in text


def test_a_pipe_sees_nothing_of_short_steps():
    assert shown(terminal=False) == ""


def test_a_log_gets_a_line_every_half_minute_with_the_time_left(monkeypatch):
    """By a clock that is set by hand: 100 parts of 1 s each, of which one line in 30 s tells."""
    now, out = [0.0], io.StringIO()
    monkeypatch.setattr("dse.commands._progress.time.monotonic", lambda: now[0])
    with Meter(Console(file=out, force_terminal=False)) as advance:
        for done in range(101):
            now[0] = float(done)
            advance("images backward", done, 100)
        advance("rounding", 1, 10)  # another step begins anew
    said = ["images backward 30/100, ETA 70 s", "images backward 60/100, ETA 40 s", "images backward 90/100, ETA 10 s"]
    assert out.getvalue().splitlines() == said


def test_a_bar_of_a_failed_step_goes_away():
    out = io.StringIO()
    meter = Meter(Console(file=out, force_terminal=True, width=80))

    def failing() -> None:
        with meter as advance:
            advance("rounding", 1, 10)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert "\x1b[?25h" in out.getvalue()  # the cursor is visible again


class Heard:
    """Collects what was said, by step."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        self.steps.setdefault(what, []).append((done, total))

    def whole(self) -> set[str]:
        """The steps that rose from part to part and ended with all of it."""
        return {
            what
            for what, said in self.steps.items()
            if said[-1][0] == said[-1][1] and [d for d, _ in said] == sorted(d for d, _ in said)
        }


def test_the_steps_of_an_evaluation_and_a_sensitivity_study_say_how_far_they_are():
    heard = Heard()
    config = Config(
        data=Data(search_images=30, verify_images=30, fisher_images=16, batch_size=10),
        quantization=Quantization(method="nearest"),
        search=Search(widths=(4, 8), time_steps=(1,)),
    )
    experiment = prepare(config, heard)
    found = evaluated(experiment, uniform(experiment.network.layers, 4, 1), "verify", 30)
    assert found.evaluation.images == 30
    assert heard.steps["images through the design"][-1] == (30, 30)
    experiment.fisher((4, 8))
    assert heard.steps["images backward"][-1] == (16, 16)
    probes = group_probes(experiment.space, experiment.network.float_design, experiment.network.table)[:3]
    heard.steps.clear()
    measured(experiment, probes, experiment.images)
    said = heard.steps["designs x images, one change each"]
    assert said[-1] == (4 * 30, 4 * 30)  # three probes and the float network, on thirty images
    assert len(said) >= 4
    assert heard.whole() == set(heard.steps)


def test_progress_changes_no_number():
    experiment = prepare(Config(data=Data(search_images=20), quantization=Quantization(method="nearest")))
    images, designs = (
        experiment.images.images,
        [[8] * len(experiment.network.layers), [4] * len(experiment.network.layers)],
    )
    quiet = sviT_models.sweep(experiment.network.engine, images, designs)
    told = sviT_models.sweep(experiment.network.engine, images, designs, progress=lambda done, total: None)
    for a, b in zip(quiet, told, strict=True):
        assert (a.logits == b.logits).all()
        assert (a.spikes == b.spikes).all()


def test_a_report_says_how_many_parts_are_drawn(tmp_path: Path):
    said: list[tuple[int, int]] = []
    reports.build(by_hand.write(tmp_path / "run"), tmp_path / "out", lambda done, total: said.append((done, total)))
    assert said == sorted(said)
    assert len({total for _, total in said}) == 1
    assert said[-1][0] == said[-1][1]
