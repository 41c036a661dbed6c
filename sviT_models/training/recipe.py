"""What a training depends on, the recipes of the shipped networks, and the command line that names a recipe."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from costmodels import plugins
from sviT_models import zoo
from sviT_models.errors import ModelError
from sviT_models.graph.user_file import GROUP

MODEL = "sdtv2_tiny"
FRAMES = 4  # of a sample of events, where a network of the user's own does not say how many
RANDOM = "random"  # the start of a training that takes no checkpoint's weights, where a recipe would


@dataclass(frozen=True)
class Recipe:
    """Everything a training depends on; the same recipe on the same machine and threads gives the same weights.

    `model` is a name of the zoo or FILE.py:FUNCTION, and `options` are keywords of its build or of the function.
    `start` is a checkpoint, by name or path, whose weights other than the head's to begin with (None: random ones).
    `images` per epoch (None: the whole training split); with `fresh`, every epoch draws new ones, which only a
    generated set can do. The learning rate follows one cycle that peaks at `learning_rate` after the share `warmup`.
    `clip` bounds the gradient's norm, `shift` is the largest random translation in pixels, and with `flip` every other
    image is mirrored left to right. With `half`, weights end as numbers that float16 holds, and are stored so.
    With `bfloat16`, convolutions and products are computed in that
    format while learning (a step takes half the time where the processor has it) and judged in float32.
    With `tet` the loss is the mean over time steps of each step's own (Deng et al., ICLR 2022), where a network has
    logits at every step.
    `resolution` is the side of the images [pixels], that of the data where it is None.
    `time_steps` are the levels of a network with integer spikes, and None where a file's network steps by itself.
    `heads`, `attention_scale` and `qkv_bias` (of the batch norms behind q, k and v) are for the shape of sdtv2 only.
    They differ from the official 8, 0.125 and 0: with those, `attn_lif` never fires on the few tokens that 32 px leave,
    and gradients vanish or explode. `branch_gain` is what the norms at the end of qsd's branches begin with: at the
    usual 1, gradients explode from the head to the image, and with 0.2 the network learns.
    """

    data: str
    model: str = MODEL
    options: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    start: str | None = None
    epochs: int = 60
    images: int | None = None
    fresh: bool = False
    batch_size: int = 64
    learning_rate: float = 4e-3
    warmup: float = 0.3
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    clip: float = 1.0
    shift: int = 2
    flip: bool = False
    half: bool = False
    bfloat16: bool = False
    tet: bool = False
    time_steps: int | None = 2
    resolution: int | None = None
    heads: int = 4
    attention_scale: float = 0.5
    qkv_bias: float = 1.0
    branch_gain: float = 1.0

    def __post_init__(self) -> None:
        least_of = {"seed": 0, "epochs": 1, "images": 1, "resolution": 16, "batch_size": 2, "shift": 0}
        for key, least in least_of.items():
            value = getattr(self, key)
            if value is None and key in ("images", "resolution"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"{key} is {value!r}; expected an integer of at least {least}")
        for key in ("learning_rate", "clip"):
            if not 0 < getattr(self, key) < math.inf:
                raise ModelError(f"{key} is {getattr(self, key)!r}; expected a positive number")
        for key in ("warmup", "label_smoothing", "weight_decay"):
            if not 0 <= getattr(self, key) < 1:
                raise ModelError(f"{key} is {getattr(self, key)!r}; expected a share from 0 to below 1")

    @property
    def is_own(self) -> bool:
        """Whether the network is the user's own, from a Python file or an installed package."""
        return ".py" in self.model or (self.model not in zoo.names() and self.model in plugins.installed(GROUP))

    @property
    def frames(self) -> int:
        """Frames that a sample of events becomes: one for every time step."""
        steps = self.options.get("time_steps", self.time_steps)
        return steps if isinstance(steps, int) else FRAMES


# digits and glyphs: chosen on the validation split; fashion_mnist: not yet run to their end, the shipped network has
# another recipe; the `.json` beside a shipped network says by which recipe it was trained
_CHOSEN = (
    Recipe("digits"),
    Recipe(
        "glyphs",
        start="sdtv2_tiny_digits",
        epochs=32,
        images=16_128,
        fresh=True,
        learning_rate=3e-3,
        warmup=0.1,
        shift=0,
    ),
    Recipe(
        "fashion_mnist",
        start="sdtv2_tiny_glyphs",
        epochs=24,
        learning_rate=3e-3,
        warmup=0.1,
        shift=0,
        flip=True,
        half=True,
    ),
    Recipe(
        "fashion_mnist",
        model="sdtv2_small",
        epochs=24,
        learning_rate=3e-3,
        warmup=0.1,
        shift=0,
        flip=True,
        half=True,
    ),
)
RECIPES = {(recipe.data, recipe.model): recipe for recipe in _CHOSEN}


def recipe_for(data: str, **changes: Any) -> Recipe:
    """The recipe of a data set and network, with the fields in `changes` replaced; those that are None stay.

    data  name or path of the data set

    A network without a recipe of its own on this data set takes that of sdtv2_tiny, from random weights. The start
    "random" stands for random weights as well.
    Raises ModelError for values that no training can have.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    if given.get("start") == RANDOM:
        given["start"] = None
    model = str(given.get("model", MODEL))
    usual = replace(RECIPES.get((data, MODEL), Recipe(data)), model=model, start=None)
    if usual.is_own:
        usual = replace(usual, time_steps=None)
    return replace(RECIPES.get((data, model), usual), **given)


def command(recipe: Recipe) -> str:
    """The command line that trains by this recipe: data, network, seed, and what differs from the usual recipe."""
    usual = asdict(recipe_for(recipe.data, model=recipe.model)) | {"seed": None, "model": MODEL}
    words = ["svit-dse", "train", "--data", recipe.data]
    for key, value in asdict(recipe).items():
        option = key.replace("_", "-")
        if key == "options":
            words += [word for name, each in value.items() for word in ("--option", f"{name}={_text(each)}")]
        elif isinstance(value, bool) and value != usual[key]:
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value != usual[key]:
            words += [f"--{option}", RANDOM if (key, value) == ("start", None) else str(value)]
    return shlex.join(words)


def _text(value: object) -> str:
    """An option's value as it is written behind --option."""
    return value if isinstance(value, str) else json.dumps(value)
