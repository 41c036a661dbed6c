"""Integer networks from files, run and verified by the interpreter; neither torch nor the float network is needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from sviT_models.errors import ModelError
from sviT_models.hashing import sha256
from sviT_models.integer_network import interpreter
from sviT_models.integer_network.packing import unpack
from sviT_models.output import Output

FORMAT = "svit-dse integer network"
VERSION = 1
SPECIFICATION, WEIGHTS, GOLDEN = "specification.json", "weights.safetensors", "golden.safetensors"
BATCH = 32  # images that the interpreter holds
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Exported:
    """An export: its specification, its tensors as int64, and the folder it came from."""

    spec: dict[str, Any]
    tensors: dict[str, NDArray[np.int64]]
    path: Path

    def run(self, images: NDArray[np.floating] | Any) -> Output:
        """Logits (N, classes) and spikes (LIF layers, T) of images (N, 3, H, W) in the scale of training.

        Raises ModelError for another image size.
        """
        images, image = np.asarray(images), self.spec["image"]
        size = image["height"], image["width"]
        if images.ndim != 4 or images.shape[1:] != (3, *size) or not len(images):
            raise ModelError(f"images have shape {images.shape}; this export takes (N, 3, {size[0]}, {size[1]})")
        logits, counts = [], []
        for batch in _batches(interpreter.quantize_images(self.spec, images)):
            found, spikes = interpreter.run(self.spec, self.tensors, batch)
            logits.append(found)
            counts.append(np.stack([s.sum((1, 2, 3, 4), dtype=np.int64) for s in spikes.values()]))
        fraction = self.spec["rescales"]["head"]["fraction"]
        return Output((np.concatenate(logits) * 2.0**-fraction).astype(np.float32), np.sum(counts, axis=0))


def _batches(images: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]


def load_export(path: str | os.PathLike[str]) -> Exported:
    """The integer network in a folder that `export` wrote.

    path  the folder

    Raises ModelError, on one line, for missing or damaged files, another format or version, and content that does not
    have the hash it should have.
    """
    path = Path(path)
    spec = _specification(path / SPECIFICATION)
    arrays = _arrays(path, WEIGHTS, spec)
    tensors = {}
    try:
        for name, values in arrays.items():
            layer, part = name.rsplit(".", 1)
            if part == "weight":
                entry = spec["weights"][layer]
                values = unpack(values, entry["bits"], tuple(entry["shape"])) * entry["step"] + entry["first"]
            tensors[name] = values.astype(np.int64)
        needed = [f"{layer}.weight" for layer in spec["weights"]] + [f"{name}.offset" for name in spec["rescales"]]
        if missing := [name for name in needed if name not in tensors]:
            raise ModelError(f"{path / WEIGHTS}: {missing[0]} is missing; export the design again")
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: specification and weights do not fit each other ({error})") from error
    return Exported(spec, tensors, path)


def verify_export(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """The interpreter against the golden vectors: one row per LIF layer and one for the logits, in network order.

    path  a folder that `export` wrote

    Columns: `name`, `values` compared, `mismatches`. Raises ModelError as `load_export`, and without golden vectors.
    `progress(done, total)` hears of the images.
    """
    exported = load_export(path)
    spec = exported.spec
    if "golden" not in spec:
        raise ModelError(f"{path}: has no golden vectors; export with --golden N")
    vectors = _arrays(exported.path, GOLDEN, spec)
    values: dict[str, int] = {}
    wrong: dict[str, int] = {}

    def compare(name: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
        values[name] = values.get(name, 0) + wanted.size
        wrong[name] = wrong.get(name, 0) + int((found != wanted).sum())

    golden = {n: unpack(vectors[f"spikes.{n}"], 1, tuple(s)) for n, s in spec["golden"]["spikes"].items()}
    start = 0
    for batch in _batches(vectors["image"].astype(np.int64)):
        logits, spikes = interpreter.run(spec, exported.tensors, batch)
        part = slice(start, start + len(batch))
        for name, found in spikes.items():
            compare(name, found, golden[name][:, part])
        compare("logits", logits, vectors["logits"][part])
        start += len(batch)
        if progress is not None:
            progress(start, len(vectors["image"]))
    return pd.DataFrame({"name": list(values), "values": list(values.values()), "mismatches": list(wrong.values())})


def content_hash(spec: dict[str, Any]) -> str:
    """SHA-256 of a specification, less its own `sha256`, as JSON with sorted keys and no spaces."""
    content = {key: value for key, value in spec.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _specification(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected a folder that `svit-dse export` wrote")
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ModelError(f"{path}: is nested deeper than any export; export the design again") from None
    except ValueError as error:
        raise ModelError(f"{path}: is not JSON ({error}); export the design again") from error
    if not isinstance(spec, dict) or spec.get("format") != FORMAT:
        raise ModelError(f"{path}: format is not {FORMAT!r}; expected what `svit-dse export` writes")
    if spec.get("version") != VERSION:
        raise ModelError(f"{path}: version is {spec.get('version')!r}; this release reads {VERSION}")
    if spec.get("sha256") != content_hash(spec):
        raise ModelError(f"{path}: sha256 does not fit its content; the file was changed, export the design again")
    return spec


def _arrays(folder: Path, name: str, spec: dict[str, Any]) -> Arrays:
    path = folder / name
    if not path.is_file():
        raise ModelError(f"{path}: no such file; the export is not complete")
    if sha256(path) != spec["files"].get(name):
        raise ModelError(f"{path}: its SHA-256 is not the one in {SPECIFICATION}; the file was changed or damaged")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
