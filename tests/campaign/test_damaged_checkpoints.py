"""Whatever a checkpoint holds, it is loaded or refused on one line; nothing in it is run."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

import sviT_models
from sviT_models import ModelError
from tests.campaign.answers import answered, answers
from tests.campaign.mutations import damaged_bytes, damaged_tree
from tests.dse.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(max_examples=120, suppress_health_check=list(HealthCheck))
CONTENT = sviT_models.checkpoint_path("sdtv2_tiny_digits").read_bytes()
STATE = load(CONTENT)
LENGTH = struct.unpack("<Q", CONTENT[:8])[0]
HEADER = json.loads(CONTENT[8 : 8 + LENGTH])
METADATA = HEADER["__metadata__"]
CONFIGS = ("[]", "{}", "null", "1", "x", '"x"', "[" * 100_000, '{"name": 1}', '{"name": [1]}', '{"name": {}}')

CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "double": lambda t: t.double(),
    "half": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "int8": lambda t: t.to(torch.int8),
    "bool": lambda t: t.bool(),
    "one column": lambda t: t[..., :1].clone() if t.ndim else t,
    "nothing": lambda t: torch.zeros(0),
    "a number": lambda t: torch.tensor(1.0),
    "flat": lambda t: t.flatten(),
    "NaN": lambda t: t.float() * float("nan"),
    "negative": lambda t: -t - 1,
}
STRANGE: dict[str, Callable[[], Any]] = {
    "a list": lambda: [],
    "an empty dict": lambda: {},
    "a number": lambda: 1,
    "None": lambda: None,
    "text": lambda: "x",
    "a number as model": lambda: {"model": 1},
    "an empty model": lambda: {"model": {}},
    "numbers as keys": lambda: {"model": {1: torch.zeros(1)}},
    "tuples as keys": lambda: {"model": {("a", 1): torch.zeros(2)}},
    "a sparse tensor": lambda: {"model": {"a": torch.zeros(1).to_sparse()}},
    "a list as tensor": lambda: {"state_dict": {"a": [1]}},
    "complex numbers": lambda: {"a": torch.zeros(1, dtype=torch.complex64)},
    "two models": lambda: {"model": {"model": STATE}},
    "a list of states": lambda: [STATE],
    "data-parallel": lambda: {"model": {f"module.{key}": value for key, value in STATE.items()}},
    "parameters": lambda: {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in STATE.items()},
    "without data": lambda: {"model": {key: value.to("meta") for key, value in STATE.items()}},
    "repeated": lambda: {"model": {k: v.float().expand(2, *v.shape)[0] for k, v in STATE.items()}},
    "complex weights": lambda: {k: v.to(torch.complex64) if v.is_floating_point() else v for k, v in STATE.items()},
}


def stored(content: object, *, archive: bool = True) -> bytes:
    """What torch.save writes, as an archive or in the format of old versions."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=archive)
    return file.getvalue()


def loads(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    answers(lambda: sviT_models.load_checkpoint(path), ModelError)


ORIGINALS = {"safetensors": CONTENT, "archive": stored({"model": STATE}), "old": stored(STATE, archive=False)}


@settings(TRIALS, max_examples=600)  # refused before a network is built: the cheapest of all
@given(data=st.data(), layout=st.sampled_from(sorted(ORIGINALS)), name=st.sampled_from(("c.safetensors", "c.pth")))
def test_bytes(tmp_path: Path, data, layout: str, name: str):
    loads(tmp_path / name, data.draw(damaged_bytes(ORIGINALS[layout])))


@TRIALS
@given(header=damaged_tree(HEADER))
def test_headers(tmp_path: Path, header: dict):
    text = json.dumps(header).encode()
    loads(tmp_path / "c.safetensors", struct.pack("<Q", len(text)) + text + CONTENT[8 + LENGTH :])


@settings(TRIALS, max_examples=100)  # each builds a network, as the ones below
@given(config=damaged_tree(json.loads(METADATA["config"])).map(json.dumps) | st.sampled_from(CONFIGS))
def test_stored_configurations(tmp_path: Path, config: str):
    loads(tmp_path / "c.safetensors", save(STATE, {**METADATA, "config": config}))


@TRIALS
@given(
    key=st.sampled_from(sorted(STATE)),
    change=st.sampled_from(sorted(CHANGES)),
    other=st.sampled_from((None, "x", "", "a" * 999, "module.x", "\x00")),
    layout=st.sampled_from(("safetensors", "safetensors without metadata", "archive", "old")),
)
def test_tensors(tmp_path: Path, key: str, change: str, other: str | None, layout: str):
    state = {**STATE, key: CHANGES[change](STATE[key]).contiguous()}
    if other is not None:
        state[other] = STATE[key].clone()
    if layout.startswith("safetensors"):
        content = save(state, METADATA if layout == "safetensors" else None)
    else:
        content = stored(state, archive=layout == "archive")
    loads(tmp_path / "c", content)


@pytest.mark.parametrize("what", sorted(STRANGE))
def test_strange_contents(svit: Run, tmp_path: Path, what: str):
    path = tmp_path / "c.pth"
    loads(path, stored(STRANGE[what]()))
    answered(svit("profile", "--checkpoint", path, "--images", "4", "--out", tmp_path / "layers.csv"))
