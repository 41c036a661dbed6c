"""Where the files lie that a run's configuration names by relative paths, from whatever folder the run is used."""

from __future__ import annotations

import os
from pathlib import Path

import sviT_models
from costmodels import hardware_names, plugins
from dse.config.schema import Config


def here(out: Path) -> str:
    """The working folder as seen from the run directory `out`, so that both may move together."""
    return os.path.relpath(os.path.realpath(Path.cwd()), os.path.realpath(out))


def placed(config: Config, run: Path, recorded: str | None) -> Config:
    """The configuration of the run in `run` with its relative paths as seen from the working folder.

    `recorded` is what `here` gave when the run was written; None, as in older runs, leaves paths as they are.
    """
    if recorded is None:
        return config
    folder = os.path.realpath(Path(os.path.realpath(run)) / recorded)
    if folder == os.path.realpath(Path.cwd()):
        return config

    def seen(value: str, shipped: tuple[str, ...]) -> str:
        return value if value in shipped or Path(value).is_absolute() else os.path.relpath(Path(folder) / value)

    network, data, search = config.network, config.data, config.search
    if network.file is not None:
        network = network.model_copy(update={"file": seen(network.file, ())})
    if plugins.is_file(search.strategy):
        file, member = plugins.split(search.strategy)
        search = search.model_copy(update={"strategy": plugins.joined(seen(str(file), ()), member)})
    changes = {
        "network": network,
        "search": search,
        "checkpoint": config.checkpoint and seen(config.checkpoint, sviT_models.shipped_names()),
        "hardware": seen(config.hardware, tuple(hardware_names())),
        "data": data.model_copy(update={"name": seen(data.name, sviT_models.dataset_names())}),
    }
    return config.model_copy(update=changes)
