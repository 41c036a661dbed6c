"""`--network FILE.py:FUNCTION` (or a name of the zoo): the network that a command captures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dse.commands._show import say
from dse.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from sviT_models import Graph


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


def captured(
    network: str, option: Sequence[str], checkpoint: str | None, time_steps: int | None, images: Tensor
) -> Graph:
    """The graph of a network of the zoo or of the user's own file, compared with its module on some of the images.

    Says on stderr that costs are what the network can be used for. Raises ConfigError for options that cannot be, and
    sviT_models.ModelError for a network that cannot be built, loaded or captured.
    """
    import sviT_models

    options = options_of(option)
    if network in sviT_models.names():
        steps = {} if time_steps is None else {"time_steps": time_steps}
        module, neurons = sviT_models.build(network, **steps, **options).eval(), {}
        time_steps = None
    else:
        found = sviT_models.user_network(network, options)
        module, neurons = found.module, found.neurons
    if checkpoint is None:
        say(f"{network}: no --checkpoint; the weights are those it is built with, and so are the firing rates")
    else:
        sviT_models.load_weights(module, checkpoint)
    graph = sviT_models.capture(module, images[:2], time_steps=time_steps, neurons=neurons)
    say(f"{network}: captured for its costs; the integer engine does not run it yet, so no accuracy is measured")
    return graph
