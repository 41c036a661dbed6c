"""The network that a configuration names, with its weights, and what they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sviT_models
from dse.config.schema import Config
from dse.errors import ConfigError

STATED = {"time_steps", "heads", "attention_scale"}  # options that the weights of a network leave open
FRAMES = 4  # of a sample of events, where neither the data nor the network say how many


@dataclass(frozen=True, eq=False)
class Opened:
    """The network of a run: `model` has a `config`; `path` and `sha256` are what it and its weights came from.

    `assumed` says in a line what the file does not tell of the network; empty where it tells all.
    """

    model: Any
    path: Path
    sha256: str
    assumed: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.model.config.name)


def frames_of(config: Config) -> int:
    """How many frames a sample of events becomes: as the data say, or the network."""
    steps = config.network.time_steps or config.network.options.get("time_steps")
    return config.data.frames or (steps if isinstance(steps, int) else FRAMES)


def open_configured(config: Config, images: Any) -> Opened:
    """The configured network in evaluation mode, captured on two of the images of an ImageSet.

    A network that runs as it is built (`sviT_models.runs_as_built`) is left so on still images.
    """
    choice, two = config.network, images.images[slice(0, 2)]
    weights = config.weights
    known = choice.file is None and (choice.name is None or _as_built(choice.name))
    if weights is not None and known and choice.options.keys() <= STATED:
        found = sviT_models.open_checkpoint(weights, network=choice.name, options=choice.options)
        captured = isinstance(found.model, sviT_models.GraphNetwork)
        if not captured and (not sviT_models.runs_as_built(found.model) or two.ndim == 5):
            opened = sviT_models.opened(found.model, two, found.model.config.name, found.path)
            return Opened(opened.model, opened.path, found.sha256, found.assumed)
        return Opened(found.model.eval(), found.path, found.sha256, found.assumed)
    opened = sviT_models.open_network(
        str(choice.reference),
        two,
        options=choice.options,
        checkpoint=None if weights is None else sviT_models.checkpoint_path(weights),
        time_steps=choice.time_steps,
        num_classes=len(images.classes),
    )
    untrained = f"no checkpoint is named, so {choice.reference} has the weights that it is built with"
    return Opened(opened.model, opened.path, opened.sha256, "" if weights else untrained)


def _as_built(name: str) -> bool:
    return name in sviT_models.names() and bool(sviT_models.as_built(name))


def check_classes(config: Config, images: Any, opened: Opened) -> None:
    """Raises ConfigError where the data set has other classes than the network."""
    have, want = len(images.classes), opened.model.config.num_classes
    if have != want:
        source = f"network {opened.name}" if config.network.reference else f"the checkpoint {config.weights!r}"
        shifted = " (labels count from 0)" if have == want + 1 else ""
        raise ConfigError(
            f"data.name {config.data.name!r} has {have} classes{shifted}, {source} has {want}; take the data set it "
            "was trained on"
        )


def steps_of(config: Config, model: Any) -> tuple[int, ...]:
    """The time steps to choose from. Raises ConfigError for one that the network cannot run."""
    known, asked = sviT_models.possible_steps(model), config.search.time_steps
    if not isinstance(model, sviT_models.GraphNetwork) or not asked:
        return asked or known
    if strange := [steps for steps in asked if steps not in known]:
        shown = ", ".join(map(str, known))
        raise ConfigError(
            f"search.time_steps: {model.config.name} as built cannot run {strange[0]} time steps, but {shown}; build "
            "it for more, or leave search.time_steps out"
        )
    return asked


def state_widths_of(config: Config, model: Any) -> tuple[int, ...]:
    """Widths of membrane potentials to choose from. Raises ConfigError where the network's cannot be narrowed."""
    asked = config.search.state_widths
    if not isinstance(model, sviT_models.GraphNetwork) or not asked:
        return asked
    if "state_widths" not in config.search.model_fields_set:
        return ()
    if not any(isinstance(node.attributes["law"], sviT_models.SpikingLaw) for node in model.graph.of("neuron")):
        raise ConfigError(
            f"search.state_widths: the neurons of {model.config.name} keep no potentials; write state_widths: []"
        )
    return asked
