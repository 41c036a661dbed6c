"""Whether a run directory holds the whole answer to a configuration already, known without preparing a network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import sviT_models
from costmodels import CostError, load_hardware
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation.images import ImageSource
from dse.evaluation.own_parts import NONE, OwnParts
from dse.evaluation.prepare import identity, image_source
from dse.results.manifest import surroundings
from dse.results.run import Run, open_run
from dse.results.trust import named_files
from sviT_models.hashing import sha256


def finished_run(config: Config, out: Path, own: OwnParts = NONE) -> Run | None:
    """The run in `out`, where it is a finished search with `config` and nothing that it depends on has changed.

    None where anything is otherwise, missing or damaged: a search finds out what.
    """
    if not (out / "manifest.json").is_file():
        return None
    try:
        run = open_run(out)
        same = run.manifest.get("request") == request(config, image_source(config), own)
    except (ConfigError, CostError, sviT_models.ModelError, OSError):
        return None
    return run if same and (out / "picks.json").is_file() else None


def request(config: Config, source: ImageSource, own: OwnParts = NONE) -> str:
    """SHA-256 of all that a search with a configuration depends on: its values, files, images, code and versions.

    Raises ModelError or CostError for a file that it names and that is not there.
    """
    here = surroundings()
    weights = [] if config.weights is None else [sviT_models.checkpoint_path(config.weights)]
    files = [*weights, *named_files(config)]
    said = [
        config.model_dump(mode="json"),
        config.model_dump(mode="json", exclude_unset=True),
        [sha256(path) for path in files],
        load_hardware(config.hardware).sha256,
        [identity(images) for images in (source.for_search(), source.for_verification(), source.for_calibration())],
        [here["code"], here["packages"], here["python"]],
        *([own.record()] if own else []),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
