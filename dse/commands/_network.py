"""`--network FILE.py:FUNCTION` (or a name of the zoo): the network that a command captures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dse.commands._show import say
from dse.errors import ConfigError

if TYPE_CHECKING:
    from dse.config.schema import Config
    from sviT_models import GraphNetwork, ImageSet


def options_of(given: Sequence[str]) -> dict[str, object]:
    """`KEY=VALUE` by key; values are numbers, true, false or text. Raises ConfigError for another form."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    found: dict[str, object] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key.isidentifier():
            raise ConfigError(f"--option {text}: expected KEY=VALUE, such as num_classes=10")
        try:
            found[key] = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            raise ConfigError(f"--option {text}: the value is neither a number nor a plain text") from None
    return found


class Read(NamedTuple):
    """The images of a command line: data set, side [pixels] and how events become frames."""

    name: str
    resolution: int | None
    binning: str


def config_of(
    checkpoint: str | None, network: str | None, option: Sequence[str], data: Read, time_steps: int | None
) -> Config:
    """The configuration that a command line without a file means.

    Raises ConfigError for options without a network and for those that cannot be.
    """
    from dse.config.file import parse_config
    from dse.config.network import named

    if option and network is None:
        raise ConfigError(f"--option {option[0]}: only with --network")
    tree: dict[str, object] = {"data": data._asdict()}
    if checkpoint is not None:
        tree["checkpoint"] = checkpoint
    if network is not None:
        steps = {} if time_steps is None else {"time_steps": time_steps}
        tree["network"] = {**named(network), "options": options_of(option), **steps}
    elif time_steps is not None:
        tree["search"] = {"time_steps": [time_steps]}
    return parse_config(tree, "command line")


def with_network(config: Config, network: str | None, option: Sequence[str], checkpoint: str | None) -> Config:
    """A configuration with the network, the options and the weights of a command line in the place of its own.

    Options without a network change those of the configuration's. Raises ConfigError where there is none that has any.
    """
    from dse.config.network import Network, named

    if network is None and not option and checkpoint is None:
        return config  # as it was given: what the file leaves out stays left out
    chosen = config.network
    if network is not None:
        chosen = Network.model_validate({**named(network), "options": options_of(option)})
    elif option:
        if chosen.reference is None:
            raise ConfigError(f"--option {option[0]}: the configuration names no network; add --network")
        chosen = chosen.model_copy(update={"options": {**chosen.options, **options_of(option)}})
    update: dict[str, object] = {"network": chosen}
    if checkpoint is not None:
        update["checkpoint"] = checkpoint
    return config.model_copy(update=update)


def captured(
    network: str, option: Sequence[str], checkpoint: str | None, time_steps: int | None, images: ImageSet
) -> GraphNetwork:
    """A network of the zoo or of the user's own file, compared with its module on some of the images.

    Raises ConfigError for options that cannot be, and sviT_models.ModelError for a network that cannot be built, loaded
    or captured.
    """
    import sviT_models

    if checkpoint is None:
        say(f"{network}: no --checkpoint; the weights are those it is built with, and so are the firing rates")
    opened = sviT_models.open_network(
        network,
        images.images[slice(0, 2)],
        options=options_of(option),
        checkpoint=None if checkpoint is None else sviT_models.checkpoint_path(checkpoint),
        time_steps=time_steps,
        num_classes=len(images.classes),
    )
    return opened.model
