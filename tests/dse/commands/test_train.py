"""`svit-dse train` shows steps and time left, goes on after an interruption, and overwrites no unfinished training."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dse.commands import _training
from dse.commands._training import TrainingProgress
from sviT_models import read_metadata
from sviT_models.training.run import Epoch
from sviT_models.training.train import Step
from tests.dse.conftest import Run

STEP = Step(epoch=3, epochs=12, step=120, steps=421, loss=0.61234, left=5050.0)
EPOCH = Epoch(epoch=3, loss=0.6, learning_rate=1e-3, validation=0.87, seconds=240.0)


def shown(terminal: bool) -> str:
    out = io.StringIO()
    with TrainingProgress(Console(file=out, force_terminal=terminal, width=100)) as progress:
        progress.step(STEP)
        progress.epoch(EPOCH)
    return out.getvalue()


def test_a_terminal_sees_the_steps_of_the_epoch_and_the_time_left():
    text = shown(terminal=True)
    for part in ("epoch 3/12", "120/421", "loss 0.6123", "ETA 1 h 24 min", str(EPOCH)):
        assert part in text


def test_a_log_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert shown(terminal=False) == ""
    assert capsys.readouterr().err == f"{EPOCH}\n"  # a step so soon after the beginning is not worth a line
    monkeypatch.setattr(_training, "SECONDS_BETWEEN_LINES", 0.0)
    shown(terminal=False)
    step, epoch = capsys.readouterr().err.splitlines()
    assert step == "epoch 3/12, step 120/421, loss 0.6123, ETA 1 h 24 min"
    assert epoch == str(EPOCH)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 min 00 s"), (754.0, "12 min 34 s"), (3599.6, "1 h 00 min"), (90_000.0, "25 h 00 min")],
)
def test_durations_in_words(seconds: float, text: str):
    assert _training.duration(seconds) == text


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Random images of 32 px, 32 of them to train on."""
    rng = np.random.default_rng(0)
    split = np.array(["train"] * 32 + ["validation", "search", "verify"] * 2)
    path = tmp_path / "noise.npz"
    np.savez(path, images=rng.integers(0, 256, (38, 32, 32), dtype=np.uint8), labels=np.arange(38) % 2, split=split)
    return path


def test_an_interrupted_training_goes_on_and_ends_as_if_it_had_not_been(
    svit: Run, noise: Path, monkeypatch: pytest.MonkeyPatch
):
    words = ("train", "--data", noise, "--epochs", 2, "--batch-size", 16, "--threads", 1)
    assert svit(*words, "--out", "runs/whole.safetensors").status == 0

    def killed(self: TrainingProgress, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "epoch", killed)
        assert svit(*words, "--out", "runs/cut.safetensors").status == 130
    assert not Path("runs/cut.safetensors").exists()
    state = Path("runs/cut.state.safetensors")
    kept = state.read_bytes()
    told = svit(*words, "--out", "runs/cut.safetensors")
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert f"{state}: a training has not ended; go on with --resume, or delete the file" in told.err
    assert state.read_bytes() == kept
    told = svit(*words, "--out", "runs/cut.safetensors", "--resume")
    assert told.status == 0
    assert "wrote runs/cut.safetensors" in told.out
    assert not state.exists()
    whole, cut = (Path(f"runs/{name}.safetensors") for name in ("whole", "cut"))
    assert _weights(whole) == _weights(cut)
    assert read_metadata(whole)["accuracy"] == read_metadata(cut)["accuracy"]


def _weights(path: Path) -> bytes:
    """What follows the header, which holds the seconds it took."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]
