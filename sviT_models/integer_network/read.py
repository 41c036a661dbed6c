"""Integer networks from files, run and verified by the interpreter; neither torch nor the float network is needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from sviT_models.integer_network import fields, interpreter
from sviT_models.integer_network.fit import check_golden, check_tensors
from sviT_models.integer_network.fit_nodes import check_nodes
from sviT_models.integer_network.packing import unpack
from sviT_models.output import Output

FORMAT = "svit-dse integer network"
VERSION = 2
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
        """Logits (N, classes) and spikes (neuron layers, T) of images (N, ...) in the scale of training.

        Raises ModelError for another image size.
        """
        images, shape = np.asarray(images), tuple(self.spec["image"]["shape"])
        if images.shape[1:] != shape or not len(images):
            expected = ", ".join(["N", *map(str, shape)])
            raise ModelError(f"images have shape {images.shape}; this export takes ({expected})")
        logits, counts = [], []
        for batch in _batches(interpreter.quantize_images(self.spec, images)):
            found, spikes = interpreter.run(self.spec, self.tensors, batch)
            logits.append(found)
            counts.append(interpreter.spike_counts(self.spec, spikes))
        fraction = self.spec["logits"]["fraction"]
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
    with _named(path / WEIGHTS):
        check_tensors(spec, arrays)
    with _named(path / SPECIFICATION):
        check_nodes(spec, {name: len(arrays[f"{name}.right"]) for name in spec["rescales"]})
    tensors = {name: values for name, values in arrays.items() if not name.endswith(".weight")}
    for layer, entry in spec["weights"].items():
        stored = unpack(arrays[f"{layer}.weight"], entry["bits"], tuple(entry["shape"]))
        tensors[f"{layer}.weight"] = stored * entry["step"] + entry["first"]
    return Exported(spec, tensors, path)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Mistakes in a file begin with its name and end with what would do."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path}: {error}; export the design again") from None


def verify_export(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """The interpreter against the golden vectors: one row per neuron layer and one for the logits, in network order.

    path  a folder that `export` wrote

    Columns: `name`, `values` compared, `mismatches`. Raises ModelError as `load_export`, and without golden vectors.
    `progress(done, total)` hears of the images.
    """
    exported = load_export(path)
    return compared(exported, lambda images: interpreter.run(exported.spec, exported.tensors, images), progress)


def compared(
    exported: Exported,
    run: Callable[[NDArray[np.int64]], tuple[Any, dict[str, Any]]],
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The table of `verify_export` for whatever gives logits and spikes of integer images, as `interpreter.run` does.

    Raises ModelError for an export without golden vectors, or with damaged ones.
    """
    spec = exported.spec
    if "golden" not in spec:
        raise ModelError(f"{exported.path}: has no golden vectors; export with --golden N")
    vectors = _arrays(exported.path, GOLDEN, spec)
    with _named(exported.path / GOLDEN):
        check_golden(spec, vectors)
    values: dict[str, int] = {}
    wrong: dict[str, int] = {}

    def compare(name: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
        values[name] = values.get(name, 0) + wanted.size
        wrong[name] = wrong.get(name, 0) + int((found != wanted).sum())

    golden = {
        f"{n}:spikes": unpack(vectors[f"spikes.{n}"], entry["bits"], tuple(entry["shape"]))
        for n, entry in spec["golden"]["spikes"].items()
    }
    place = {node["output"]: node["shape"].index(-1) for node in spec["nodes"] if node["op"] in ("fire", "levels")}
    start = 0
    for batch in _batches(vectors["image"].astype(np.int64)):
        logits, spikes = run(batch)
        part = slice(start, start + len(batch))
        for name, found in spikes.items():
            compare(name.removesuffix(":spikes"), found, golden[name][(slice(None),) * place[name] + (part,)])
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
        raise ModelError(
            f"{path}: version is {spec.get('version')!r}; this release reads {VERSION}; export the design again"
        )
    if spec.get("sha256") != content_hash(spec):
        raise ModelError(f"{path}: sha256 does not fit its content; the file was changed, export the design again")
    with _named(path):
        fields.SPECIFICATION("the specification", spec)
    return spec


def _arrays(folder: Path, name: str, spec: dict[str, Any]) -> Arrays:
    path = folder / name
    if not path.is_file():
        raise ModelError(f"{path}: no such file; the export is not complete")
    if sha256(path) != spec["files"].get(name):
        raise ModelError(f"{path}: its SHA-256 is not the one in {SPECIFICATION}; the file was changed or damaged")
    try:
        return load_file(path)
    except (SafetensorError, ArithmeticError, LookupError, TypeError, ValueError) as error:  # types that numpy lacks
        raise ModelError(f"{path}: cannot be read ({error})") from error
