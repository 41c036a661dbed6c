"""A search from Python: a module, an evaluator or cost functions of the caller's own, and a run like any other.

A module is captured and its graph kept in the run directory with the images, so that everything that reads a run finds
them there: resuming, the report, `svit-dse evaluate --run`, `export`, `estimate`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodels.whole_files import replacing
from dse.api.images import Images, arrays_of
from dse.api.loaded import LoadedRun, load
from dse.config.file import parse_config
from dse.config.quantities import QUANTITIES
from dse.errors import ConfigError
from dse.evaluation.own_parts import Cost, OwnParts
from dse.ledger import JOURNAL
from dse.ledger.owner import owned
from dse.workflows import search as workflow
from dse.workflows.again import finished_run
from dse.workflows.search_values import Listener
from sviT_models import capture, save_graph
from sviT_models.graph.files import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from dse.evaluation.evaluator import Runner

GIVEN = "given"  # folder of a run directory: what was given as a value, not as a file
THIRD = ("power", "energy", "latency")  # that a search may minimise beside drop and memory
SOURCE = "dse.search"


def search(
    network: nn.Module | str,
    images: Images | str | Path,
    out: str | Path,
    *,
    evaluator: Runner | None = None,
    costs: Mapping[str, Cost] | None = None,
    time_steps: int | None = None,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> LoadedRun:
    """Search the bit allocations of a network, as `svit-dse search` does; returns the run in the directory `out`.

    network     a module, which is captured and left as it is, or what the key `network` of a configuration takes
    images      (images, labels): floating-point (N, 3, H, W) as the module takes them or frames (N, T, C, H, W), and
                class indices (N,), shared out among search, verification and calibration; or these two for each of
                {"search": ..., "verify": ..., "validation": ...}; or what the key `data.name` takes
    out         the run directory; one that exists is resumed
    evaluator   an object whose `run` gives logits (`dse.evaluation.evaluator.Runner`), in the place of the engine
    costs       by name (memory, energy, latency, power, area) functions of the widths (N, L) [bit] and time steps (N,),
                which give (N,) [B, J, s, W, mm2] in the place of the chip's model
    time_steps  steps of a module that is called once for each
    say         takes the lines that tell how far the search is
    settings    the keys of a configuration: hardware="generic_45nm", budgets={"drop": 1.0}, search={"evaluations": 60}

    The run directory says which parts were the caller's; commands that measure or cost again use the tool's own.
    Raises ConfigError, ModelError or CostError, in one line, for what does not fit together, and what
    `dse.workflows.search.search` raises.
    """
    out = Path(out)
    own = OwnParts(evaluator, _by_column(costs or {}))
    if evaluator is not None and not callable(getattr(evaluator, "run", None)):
        raise ConfigError(f"evaluator: {type(evaluator).__name__} has no method run(images, weight_bits, ...)")
    settings = _with_objective(settings, costs or {})
    parse_config({key: value for key, value in settings.items() if key != "network"}, SOURCE)  # before anything is made
    given = Given.of(network, images, time_steps)
    with owned(out), given.kept(out) as keys:
        config = _configured(settings, keys)
        if finished_run(config, out, own) is not None:
            say(f"{out}: this search is finished, there is nothing to do")
        else:
            workflow.search(config, out, command=["dse.search", str(out)], hear=Listener(say), own=own)
    return load(out)


@dataclass(frozen=True, eq=False)
class Given:
    """What was given as values: a graph by the name of its module, arrays of images; and keys of what was named."""

    keys: Mapping[str, Any]
    graph: Any = None
    name: str = ""
    arrays: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, network: Any, images: Any, time_steps: int | None) -> Given:
        """What a caller gave; a module is captured on two of the images.  Raises ConfigError and ModelError."""
        if isinstance(images, (str, Path)):
            if not isinstance(network, str):
                raise ConfigError(
                    "images: a module takes arrays, (images, labels); name a data set for a named network"
                )
            return cls({"network": network, "data": {"name": str(images)}})
        arrays = arrays_of(images)
        if isinstance(network, str):
            return cls({"network": network}, arrays=arrays)
        graph = _captured(network, arrays, time_steps)
        classes = graph.network.config.num_classes
        if (most := int(arrays["labels"].max())) >= classes:
            raise ConfigError(
                f"labels: the largest is {most} and the network has {classes} classes; expected 0 to {classes - 1}"
            )
        arrays = {**arrays, "classes": np.array([str(index) for index in range(classes)])}
        return cls({}, graph, type(network).__name__, arrays)

    @contextmanager
    def kept(self, out: Path) -> Iterator[dict[str, Any]]:
        """The keys of a configuration that name what was given, kept in the run directory; gone where nothing began."""
        folder = out / GIVEN / self._hash()
        new, keys = not folder.exists(), dict(self.keys)
        if self.arrays is not None:
            folder.mkdir(parents=True, exist_ok=True)
            keys["data"] = {"name": str(folder / "images.npz")}
            if new:
                with replacing(folder / "images.npz") as part:
                    np.savez(part, **self.arrays)
        if self.graph is not None:
            keys["checkpoint"] = str(folder / f"{self.name}.safetensors")
            if new:
                save_graph(keys["checkpoint"], self.graph)
        try:
            yield keys
        except BaseException:
            if new and self.arrays is not None and not (out / JOURNAL).is_file():
                shutil.rmtree(out / GIVEN)
            raise

    def _hash(self) -> str:
        """The beginning of a SHA-256 of all that is kept."""
        found = hashlib.sha256(fingerprint(self.graph).encode() if self.graph is not None else b"")
        for key, array in (self.arrays or {}).items():
            found.update(f"{key} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:12]


def _captured(module: Any, arrays: Mapping[str, Any], time_steps: int | None) -> Any:
    """The graph of a module, whose parts are afterwards in the mode that they were in."""
    import torch

    modes = {part: part.training for part in module.modules()}
    try:
        return capture(module.eval(), torch.as_tensor(arrays["images"][:2]), time_steps=time_steps)
    finally:
        for part, mode in modes.items():
            part.training = mode


def _by_column(costs: Mapping[str, Cost]) -> dict[str, Cost]:
    """Cost functions by column of results.csv.  Raises ConfigError for a cost that there is not."""
    known = {q.key: q.column for q in QUANTITIES if q.key != "drop"}
    if strange := [key for key in costs if key not in known]:
        raise ConfigError(f"costs: unknown cost {strange[0]!r}; there are {', '.join(known)}")
    return {known[key]: cost for key, cost in costs.items()}


def _with_objective(settings: Mapping[str, Any], costs: Mapping[str, Cost]) -> dict[str, Any]:
    """The settings with the caller's own cost as the third objective, where they name none."""
    own = [key for key in THIRD if key in costs]
    chosen = dict(settings.get("search") or {})
    if own and "objectives" not in chosen:
        return {**settings, "search": {**chosen, "objectives": ["drop", "memory", own[0]]}}
    return dict(settings)


def _configured(settings: Mapping[str, Any], keys: Mapping[str, Any]) -> Any:
    """The configuration of settings and of what was given, which may not name the same thing twice."""
    tree: dict[str, Any] = {**settings}
    for key, value in keys.items():
        if key == "data":
            data = dict(settings.get("data") or {})
            if "name" in data:
                raise ConfigError("data.name: stands beside images; leave one of the two out")
            tree["data"] = data | value
        elif key in settings:
            raise ConfigError(f"{key}: stands beside the network; leave one of the two out")
        else:
            tree[key] = value
    return parse_config(tree, SOURCE)
