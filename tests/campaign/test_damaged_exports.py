"""Whatever the files of an export hold, `verify-export` ends with a result or with one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load, save

from sviT_models.integer_network.read import content_hash
from tests.campaign.answers import answered
from tests.campaign.mutations import damaged_bytes, damaged_text, damaged_tree
from tests.dse.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
TRIALS = settings(max_examples=100, suppress_health_check=list(HealthCheck))
WEIGHTS, GOLDEN = "weights.safetensors", "golden.safetensors"
CHANGES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "first alone": lambda v: v[:1],
    "none": lambda v: v[:0],
    "floats": lambda v: v.astype(np.float32),
    "one more axis": lambda v: v[None],
    "flat": lambda v: v.reshape(-1),
    "all ones": lambda v: np.full_like(v, np.iinfo(v.dtype).max),
    "all lowest": lambda v: np.full_like(v, np.iinfo(v.dtype).min),
}


@pytest.fixture(scope="module")
def specification(exported: Path) -> dict[str, Any]:
    return dict(json.loads((exported / "specification.json").read_text(encoding="utf-8")))


def write(folder: Path, spec: Mapping[str, Any], weights: bytes, golden: bytes, *, hashed: bool = True) -> Path:
    """An export whose hashes fit its files, so that what it holds is read; with `hashed` false they stay."""
    folder.mkdir(exist_ok=True)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / GOLDEN).write_bytes(golden)
    spec = dict(spec)
    if hashed:
        if isinstance(spec.get("files"), dict):
            found = {name: hashlib.sha256(content).hexdigest() for name, content in ((WEIGHTS, weights), (GOLDEN, golden))}
            spec["files"] = {**spec["files"], **found}
        spec["sha256"] = content_hash(spec)
    (folder / "specification.json").write_text(json.dumps(spec), encoding="utf-8")
    return folder


@TRIALS
@given(data=st.data(), hashed=st.booleans())
def test_specifications(svit: Run, tmp_path: Path, exported: Path, specification: dict, data, hashed: bool):
    binaries = [(exported / name).read_bytes() for name in (WEIGHTS, GOLDEN)]
    folder = write(tmp_path / "chip", data.draw(damaged_tree(specification)), *binaries, hashed=hashed)
    answered(svit("verify-export", folder))


@settings(TRIALS, max_examples=30)
@given(data=st.data())
def test_the_text_of_specifications(svit: Run, tmp_path: Path, exported: Path, data):
    folder = write(tmp_path / "chip", {}, *[(exported / name).read_bytes() for name in (WEIGHTS, GOLDEN)])
    text = data.draw(damaged_text([(exported / "specification.json").read_text(encoding="utf-8")]))
    (folder / "specification.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    answered(svit("verify-export", folder))


@settings(TRIALS, max_examples=30)
@given(data=st.data(), name=st.sampled_from((WEIGHTS, GOLDEN)), hashed=st.booleans())
def test_the_bytes_of_tensors(svit: Run, tmp_path: Path, exported: Path, specification, data, name: str, hashed: bool):
    content = {n: (exported / n).read_bytes() for n in (WEIGHTS, GOLDEN)}
    content[name] = data.draw(damaged_bytes(content[name]))
    answered(svit("verify-export", write(tmp_path / "chip", specification, *content.values(), hashed=hashed)))


@TRIALS
@given(data=st.data(), name=st.sampled_from((WEIGHTS, GOLDEN)), change=st.sampled_from([*CHANGES, "gone", "one more"]))
def test_tensors(svit: Run, tmp_path: Path, exported: Path, specification: dict, data, name: str, change: str):
    content = {n: (exported / n).read_bytes() for n in (WEIGHTS, GOLDEN)}
    tensors = load(content[name])
    key = data.draw(st.sampled_from(sorted(tensors)))
    if change == "gone":
        del tensors[key]
    elif change == "one more":
        tensors["x"] = tensors[key]
    else:
        tensors[key] = np.ascontiguousarray(CHANGES[change](tensors[key]))
    content[name] = save(tensors)
    answered(svit("verify-export", write(tmp_path / "chip", specification, *content.values())))
