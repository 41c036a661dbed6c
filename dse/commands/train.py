"""`svit-dse train` trains a network on one of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import DATA, JSON, OPTION, RESOLUTION

EXAMPLE = "Example: svit-dse train --data digits --seed 0 --out runs/digits.safetensors"


def train(
    data: DATA = "digits",
    resolution: RESOLUTION = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Checkpoint; default: runs/MODEL_DATA.safetensors.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume after the last finished epoch, which is kept beside --out.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads; a training is repeatable with the same number.")] = 2,
    model: Annotated[
        str | None,
        typer.Option("--network", "--model", help="A name of the zoo, or FILE.py:FUNCTION.  [default: sdtv2_tiny]"),
    ] = None,
    option: OPTION = None,
    start: Annotated[str | None, typer.Option(help="Start with the weights of this checkpoint, or 'random'.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs; default: the recipe of the data.")] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Images per epoch.")] = None,
    fresh: Annotated[bool | None, typer.Option(help="Draw new images every epoch (generated sets only).")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Images per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the one-cycle schedule.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps before the peak.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's weight decay.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Label smoothing.")] = None,
    clip: Annotated[float | None, typer.Option(help="Limit of the gradient norm.")] = None,
    shift: Annotated[int | None, typer.Option(min=0, help="Largest random translation in pixels.")] = None,
    flip: Annotated[bool | None, typer.Option(help="Mirror each image with probability 1/2.")] = None,
    half: Annotated[bool | None, typer.Option(help="Round weights to float16 at the end and store them so.")] = None,
    bfloat16: Annotated[bool | None, typer.Option(help="Compute in bfloat16 while learning.")] = None,
    tet: Annotated[
        bool | None, typer.Option(help="Use the loss of each time step's logits, instead of that of their mean.")
    ] = None,
    time_steps: Annotated[int | None, typer.Option(min=1, help="Time steps.")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads.")] = None,
    attention_scale: Annotated[float | None, typer.Option(help="Scale of the attention product.")] = None,
    qkv_bias: Annotated[float | None, typer.Option(help="Initial bias of the q, k and v batch norms.")] = None,
    branch_gain: Annotated[
        float | None, typer.Option(help="Initial gain of the last norm of each branch (qsd).")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train a network from scratch on the CPU, with surrogate gradients.

    A network from your own file is trained as its captured graph; other commands take the result as --checkpoint.
    """
    given = {name: value for name, value in locals().items() if name not in ("as_json", "option")}
    import torch

    import sviT_models
    from dse.commands._given import using
    from dse.commands._network import options_of
    from dse.commands._show import print_record
    from dse.commands._training import TrainingProgress, check_state, interrupted
    from dse.errors import ConfigError

    changes = {k: v for k, v in given.items() if k not in ("data", "out", "resume", "threads")}
    if option and model is None:
        raise ConfigError(f"--option {option[0]}: only with --network")
    with using(network=model, option=option):
        recipe = sviT_models.recipe_for(data, **changes, options=options_of(option or []))
    name = Path(recipe.model).stem if recipe.is_own else recipe.model
    target = out or Path(f"runs/{name}_{Path(data).stem}.safetensors")
    state = check_state(target, resume)
    torch.set_num_threads(threads)
    try:
        with using(network=model, option=option), TrainingProgress() as progress:
            done = sviT_models.train(recipe, progress.epoch, steps=progress.step, state=state, resume=resume)
    except KeyboardInterrupt:
        raise interrupted(state, resume) from None
    sviT_models.store_training(done, target)
    state.unlink(missing_ok=True)
    record = {"checkpoint": target, "test_accuracy": done.test, "test_images": done.test_images}
    said = f"test accuracy {done.test:.2%} on {done.test_images} images; wrote {target}"
    print_record(record, [said], as_json)
