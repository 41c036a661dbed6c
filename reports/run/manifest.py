"""manifest.json: what made a run, and what was measured once for the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.run.json_file import Entry, read_json


@dataclass(frozen=True)
class Source:
    """An input of the run: its name, its path or name as the configuration has it, and its hash."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Images:
    """The images of the search: `count` images of a split of a data set."""

    name: str
    split: str
    count: int
    sha256: str


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy of the float network as a share, its standard error, and the number of images."""

    top1: float
    top1_stderr: float
    images: int


@dataclass(frozen=True)
class Phase:
    """A phase of the methodology: evaluations, images through the network, wall time [s]."""

    name: str
    what: str
    why: str
    evaluations: int
    images: int
    seconds: float


@dataclass(frozen=True)
class ChaosFloor:
    """What noise on the weights alone does: the share of images whose class changes, and every other figure of it."""

    changed: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Origin:
    """Tool, command and machine of a run; `commit` is None outside of a checkout."""

    tool: str
    version: str
    command: str
    created: str | None
    seed: str
    commit: str | None
    dirty: bool
    python: str
    machine: str
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Manifest:
    """What a manifest says; `recosted_from` is the run whose measurements were costed again, or None;
    `assumed` is what the checkpoint does not tell of the network.

    `model_says` are the lines of the search's model about itself: how far it and the scores are to be trusted.
    `own_parts` are functions of a caller, in the place of the tool's, by what they give: `evaluator`, `energy_j`.
    `unfinished` is how many evaluations there are and how many there will be, None for a finished search.
    """

    origin: Origin
    network: str
    checkpoint: Source
    assumed: str
    images: Images
    hardware: Source
    float_search: Accuracy
    float_unseen: Accuracy | None
    chaos: ChaosFloor | None
    phases: tuple[Phase, ...]
    stop_reason: str
    failures: tuple[str, ...]
    mixed_inputs: str
    recosted_from: str | None
    model_says: tuple[str, ...]
    unfinished: tuple[int, int] | None = None
    own_parts: tuple[tuple[str, str], ...] = ()


def read_manifest(path: Path) -> Manifest:
    """The manifest of a run; raises ReportError naming what it lacks."""
    tree = read_json(path)
    tree.need("tool", "checkpoint", "hardware", "data", "float", "phases")
    checkpoint, data = tree.entry("checkpoint"), tree.entry("data")
    float_network = tree.entry("float")
    unseen = float_network.optional("verify")
    chaos = tree.optional("chaos")
    left = tree.optional("unfinished")
    recosted, model = tree.optional("recosted_from"), tree.optional("model")
    return Manifest(
        origin=_origin(tree),
        network=checkpoint.text("network", checkpoint.text("name")),
        checkpoint=_source(checkpoint),
        assumed=checkpoint.text("assumed", ""),
        images=Images(
            data.text("name"), data.text("split", "unknown"), int(data.number("images")), data.text("sha256", "")
        ),
        hardware=_source(tree.entry("hardware")),
        float_search=_accuracy(float_network),
        float_unseen=None if unseen is None else _accuracy(unseen),
        chaos=None if chaos is None else ChaosFloor(chaos.number("changed"), chaos.numbers()),
        phases=tuple(_phase(p) for p in tree.entries("phases")),
        stop_reason=tree.text("stop_reason", ""),
        failures=tree.texts("failures"),
        mixed_inputs=", ".join(tree.texts("mixed")),
        recosted_from=None if recosted is None else recosted.text("run", "another run"),
        unfinished=None if left is None else (int(left.number("evaluations")), int(left.number("of"))),
        own_parts=_own_parts(tree.optional("own")),
        model_says=() if model is None else model.texts("says"),
    )


def _own_parts(own: Entry | None) -> tuple[tuple[str, str], ...]:
    found = []
    if own is not None and (evaluator := own.optional("evaluator")) is not None:
        found.append(("evaluator", evaluator.text("name")))
    if own is not None and (costs := own.optional("costs")) is not None:
        found += [(key, costs.entry(key).text("name")) for key in costs]
    return tuple(found)


def _source(entry: Entry) -> Source:
    return Source(entry.text("name"), entry.text("path", entry.text("name")), entry.text("sha256", ""))


def _accuracy(entry: Entry) -> Accuracy:
    return Accuracy(entry.number("top1"), entry.number("top1_stderr"), int(entry.number("images")))


def _phase(entry: Entry) -> Phase:
    return Phase(
        entry.text("name"),
        entry.text("what"),
        entry.text("why"),
        int(entry.number("evaluations")),
        int(entry.number("images")),
        entry.number("seconds"),
    )


def _origin(tree: Entry) -> Origin:
    tool, git, machine = tree.entry("tool"), tree.optional("git"), tree.optional("machine")
    packages = tree.optional("packages")
    named = [] if machine is None else [machine.text(k) for k in ("system", "processor") if k in machine]
    cpus = machine.text("cpus", "unknown") if machine is not None else "unknown"
    return Origin(
        tool=tool.text("name", "svit-dse"),
        version=tool.text("version"),
        command=tree.text("command", ""),
        created=tree.text("created") if "created" in tree else None,
        seed=tree.text("seed", "unknown"),
        commit=git.text("commit") if git is not None and "commit" in git else None,
        dirty=git is not None and git.flag("dirty"),
        python=tree.text("python", "unknown"),
        machine=f"{' '.join(named)}, {cpus} CPUs".lstrip(", "),
        packages=() if packages is None else tuple(sorted((k, packages.text(k, "")) for k in packages)),
    )
