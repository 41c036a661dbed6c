"""A training between two epochs, and its file: weights, optimizer, schedule and random numbers, to go on bit for bit.

The file is safetensors: tensors by name, everything else as JSON in its metadata. Nothing in it can run code.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from costmodels.whole_files import replacing
from sviT_models.checkpoints.state_dict import read_state
from sviT_models.errors import ModelError
from sviT_models.training.recipe import Recipe

KEY = "training"  # of the metadata


@dataclass(frozen=True)
class Epoch:
    """One line of the log: mean training loss [nat], share of validation images classified right, seconds."""

    epoch: int
    loss: float
    learning_rate: float
    validation: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}  loss {self.loss:.4f}  learning rate {self.learning_rate:.2e}  "
            f"validation {self.validation:.2%}  {self.seconds:.1f} s"
        )


@dataclass
class Run:
    """All that the next epoch depends on, and the `log` of those before; `data_sha256` is that of the first images."""

    recipe: Recipe
    model: nn.Module
    optimizer: torch.optim.AdamW
    schedule: torch.optim.lr_scheduler.OneCycleLR
    generator: torch.Generator
    data_sha256: str
    log: list[Epoch] = field(default_factory=list)


def store_in(model: nn.Module, memory_format: torch.memory_format) -> None:
    """Store what has four axes in a memory format.

    model          the network, whose values stay
    memory_format  torch.channels_last, with the channels innermost, or torch.contiguous_format
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:  # `Module.to` would refuse a network that has five anywhere
            tensor.data = tensor.data.contiguous(memory_format=memory_format)


def save_run(path: Path, run: Run) -> None:
    """Write the file `path`, never half of one, and its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moments = run.optimizer.state_dict()
    tensors = {f"model/{key}": tensor for key, tensor in run.model.state_dict().items()}
    for number, entries in moments["state"].items():
        tensors |= {f"optimizer/{number}/{key}": tensor for key, tensor in entries.items()}
    tensors["generator"] = run.generator.get_state()
    rest = {
        "recipe": asdict(run.recipe),
        "log": [asdict(epoch) for epoch in run.log],
        "data_sha256": run.data_sha256,
        "groups": moments["param_groups"],
        "schedule": run.schedule.state_dict(),
        "threads": torch.get_num_threads(),
    }
    with replacing(path) as part:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, part, {KEY: json.dumps(rest)})


def restore_run(path: Path, run: Run) -> None:
    """Bring `run`, just begun, to where the file `path` was written.

    Raises ModelError for a file of another kind, another recipe, other data or another number of threads.
    """
    tensors, metadata = read_state(path)
    try:
        rest = json.loads(metadata[KEY])
        _check_same(path, rest, run)
        run.model.load_state_dict(_under("model/", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _under("optimizer/", tensors).items():
            number, name = key.split("/")
            state.setdefault(int(number), {})[name] = tensor
        groups = [group | {"betas": tuple(group["betas"])} for group in rest["groups"]]
        run.optimizer.load_state_dict({"state": _laid_out(state, run), "param_groups": groups})
        run.schedule.load_state_dict(rest["schedule"])
        run.generator.set_state(tensors["generator"])
        run.log = [Epoch(**epoch) for epoch in rest["log"]]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: holds no training that can go on ({reason}); delete it to start again") from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _laid_out(state: dict[int, dict[str, Tensor]], run: Run) -> dict[int, dict[str, Tensor]]:
    """Moments in the memory layout of their parameters, as in a training that was not interrupted."""
    parameters = list(run.model.parameters())

    def like(tensor: Tensor, parameter: Tensor) -> Tensor:
        return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor

    return {
        number: {key: like(tensor.detach(), parameters[number].detach()) for key, tensor in entries.items()}
        for number, entries in state.items()
    }


def _check_same(path: Path, rest: dict[str, object], run: Run) -> None:
    stored, asked = dict(rest["recipe"]), asdict(run.recipe)  # type: ignore[call-overload]  # TypeError is handled
    for key in asked:
        if stored.get(key) != asked[key]:
            raise ModelError(
                f"{path}: {key} was {stored.get(key)!r} and is {asked[key]!r}; go on with the same recipe, or delete "
                "the file to start again"
            )
    if rest["data_sha256"] != run.data_sha256:
        raise ModelError(f"{path}: the images of {run.recipe.data} have changed since; delete the file to start again")
    if rest["threads"] != torch.get_num_threads():
        raise ModelError(
            f"{path}: was written on {rest['threads']} threads and this is {torch.get_num_threads()}, which changes "
            "the sums; take the same number"
        )
