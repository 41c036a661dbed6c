"""Weights from files and back: official checkpoints, plain state_dicts and safetensors; strict, and nothing is run."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from costmodels.whole_files import replacing
from sviT_models import zoo
from sviT_models.checkpoints.recognise import HEADS, Likeness, classes_of, likeness, shapes, shapes_of
from sviT_models.checkpoints.state_dict import COUNTED, State, read_state
from sviT_models.errors import ModelError
from sviT_models.network.config import NetworkOptions, config_of

SHOWN = 4  # keys of each kind of mismatch that a message names


def load_checkpoint(path: str | os.PathLike[str], name: str | None = None, **options: object) -> nn.Module:
    """The network whose weights `path` holds, in evaluation mode, float32, on the CPU.

    name     the architecture, one of `names()`
    options  keywords of its `build`, such as num_classes, time_steps or levels, heads, attention_scale, distilled

    `path` is a safetensors file, an official `{"model": state_dict}` file or a plain state_dict; its content decides,
    not its ending. What is not given comes from the file's metadata; without metadata the name, the classes and the
    image's channels come from names and shapes of its entries, and the rest from the defaults of `build`. Of networks
    with the same entries, such as sdtv1 and statten, the first is taken.
    Raises ModelError, on one line, for a file that cannot be read, for objects other than data, for every missing,
    unexpected or misshapen key, and for NaN or infinity.
    """
    path = Path(path)
    state, metadata = read_state(path)
    given = {"name": name, **options}
    stored = _stored_config(path, metadata)
    chosen = stored | {key: value for key, value in given.items() if value is not None}
    if "name" not in chosen:
        alike = likeness(shapes(state))
        chosen = {**alike.options, **chosen, "name": alike.name}
    elif "num_classes" not in chosen and (classes := classes_of(shapes(state))):
        chosen["num_classes"] = classes
    try:
        model = _empty(chosen, stored)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (TypeError, KeyError) as error:  # only metadata can hold options of another type, or lack some
        raise ModelError(f"{path}: metadata 'config' is {stored!r}; expected build options of a network") from error
    state |= _uncounted(model, state)
    if complaint := _mismatch(state, model):
        raise ModelError(f"{path}: does not fit {chosen['name']}: {complaint}")
    _check_values(path, state)
    state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def save_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    metadata: Mapping[str, object] | None = None,
    *,
    half: bool = False,
) -> None:
    """Write `model` as safetensors that `load_checkpoint` rebuilds without further options; never half a file.

    path  the file to write, .safetensors

    `metadata` (how it was made: command, seed, accuracy) is stored as JSON beside the build options. With `half`, the
    weights of layers are stored in float16, which must hold them exactly; norms stay in float32, without the number of
    batches that they have seen.
    Raises ModelError for another ending, a missing folder, a network that has been fused or otherwise rebuilt, and for
    weights that float16 does not hold.
    """
    path = Path(path)
    _check_place(path)
    config = asdict(config_of(model))
    for key in getattr(model.config, "UNSTORED", ()):
        if config[key] == getattr(type(model.config), key):
            del config[key]
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    if complaint := _mismatch(state, _empty(config, config)):
        raise ModelError(f"{path}: only the network as built can be stored: {complaint}")
    if half:  # what only training reads takes more bytes there than many a norm
        state = {key: tensor for key, tensor in state.items() if not key.endswith(COUNTED)}
    halved = {key for key, _ in model.named_parameters()} if half else ()
    save_state(path, state, {**(metadata or {}), "config": config}, halved)


def save_state(
    path: str | os.PathLike[str], state: State, metadata: Mapping[str, object], halved: Collection[str] = ()
) -> None:
    """Write tensors by name as safetensors with `metadata` as JSON beside them; never half a file.

    path    the file to write, .safetensors
    halved  names of parameters; those of more than one dimension are stored in float16

    Raises ModelError for another ending, a missing folder, and for weights to be halved that float16 does not hold.
    """
    path = Path(path)
    _check_place(path)
    smaller = {key: _halved(path, key, tensor) for key, tensor in state.items() if key in halved and tensor.ndim > 1}
    with replacing(path) as part:
        save_file({**state, **smaller}, part, metadata={key: json.dumps(value) for key, value in metadata.items()})


def _uncounted(model: nn.Module, state: State) -> State:
    """Counters of batches that a file lacks: those from before 2018, and those that store half precision."""
    norms = [key.removesuffix(COUNTED) for key in model.state_dict() if key.endswith(COUNTED)]
    known = [norm for norm in norms if f"{norm}.running_mean" in state and norm + COUNTED not in state]
    return {norm + COUNTED: torch.zeros((), dtype=torch.int64) for norm in known}


def _check_place(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: checkpoints are written as safetensors; name it {path.with_suffix('.safetensors')}")
    if not path.parent.is_dir():
        raise ModelError(f"{path.parent}: no such folder; create it first")


def _halved(path: Path, key: str, tensor: Tensor) -> Tensor:
    if not torch.equal(tensor.half().to(tensor.dtype), tensor):
        raise ModelError(f"{path}: {key} holds weights that float16 does not; round them first, or store float32")
    return tensor.half()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, object]:
    """What `save_checkpoint` stored beside the weights; empty for files of another origin. Raises ModelError.

    path  a safetensors file
    """
    return _decoded(Path(path), read_state(Path(path))[1])


def _decoded(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "config" not in metadata:
        return {}
    try:
        return {key: json.loads(value) for key, value in metadata.items()}
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: its metadata is not JSON ({error})") from error


def _stored_config(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """The build options in the metadata; lists, which JSON makes of tuples, are tuples again."""
    config = _decoded(path, metadata).get("config", {})
    known = isinstance(config, dict) and isinstance(config.get("name", ""), str)
    if not known or not (config.get("name") in zoo.names() or zoo.describes_unnamed(config)):
        raise ModelError(f"{path}: metadata 'config' is {config!r}; expected build options of a network")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}


def _empty(options: dict[str, Any], stored: dict[str, Any]) -> nn.Module:
    """The network that `options` describe, without memory for its weights.

    A name says how wide a network is; widths of its own are options where the family takes them.
    """
    name, own = str(options["name"]), options.get("embed_dims")
    build = {key: value for key, value in options.items() if key != "embed_dims"}
    with torch.device("meta"):
        if name not in zoo.names() and name == stored.get("name"):
            return zoo.unnamed({**build, "embed_dims": stored["embed_dims"]})
        if (
            own is None
            or not zoo.takes(name, "embed_dims")
            or own == getattr(zoo.build(name).config, "embed_dims", None)
        ):
            return zoo.build(**build)
        return zoo.build(**options)


def _listed(what: str, keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"{len(keys)} {what} ({', '.join(keys[:SHOWN])}{more})"


def _mismatch(state: State, model: nn.Module) -> str:
    """What distinguishes the file from the network, and the likely cause; empty where they fit."""
    have, want = shapes(state), shapes(model.state_dict())
    missing = [key for key in want if key not in have]
    unexpected = [key for key in have if key not in want]
    misshapen = [f"{key} {have[key]} instead of {want[key]}" for key in want if have.get(key, want[key]) != want[key]]
    kinds = (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
    lists = [_listed(what, keys) for what, keys in kinds if keys]
    return "; ".join([*lists, *_causes(have, want, config_of(model))]) if lists else ""


def _causes(have: dict[str, tuple[int, ...]], want: dict[str, tuple[int, ...]], config: NetworkOptions) -> list[str]:
    causes = []
    if "head_kd.weight" in have and getattr(config, "distilled", None) is False:
        causes.append("has head_kd.*: pass --distilled")
    if "head_kd.weight" not in have and getattr(config, "distilled", False):
        causes.append("has no head_kd.*: leave out --distilled")
    trunk = {key: shape for key, shape in have.items() if not key.startswith(HEADS)}
    if any(shape != want.get(key) for key, shape in trunk.items()) or len(trunk) < len(want) / 2:
        causes.append(_recognised(trunk, likeness(have)))
    elif (classes := classes_of(have)) and classes != classes_of(want):
        causes.append(f"has {classes} classes, not {config.num_classes}")
    return causes


def _recognised(trunk: dict[str, tuple[int, ...]], alike: Likeness) -> str:
    """What the entries of a file look like, those of its head left aside."""
    own = shapes_of(alike.name)
    if alike.fits or all(trunk.get(key) == shape for key, shape in own.items() if not key.startswith(HEADS)):
        return f"this looks like {alike.name}"
    if len(trunk.keys() & own.keys()) < len(own) / 2:
        return "this looks like another architecture; `svit-dse networks` lists those that are recognised"
    return f"no network of the zoo has this size; the nearest is {alike.name}"


def _check_values(path: Path, state: State) -> None:
    for key, tensor in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        if not tensor.is_floating_point():
            raise ModelError(f"{path}: {key} has type {tensor.dtype}; expected floating-point weights")
        if bad := int((~tensor.isfinite()).sum()):
            raise ModelError(
                f"{path}: {key} holds {bad} of {tensor.numel()} values that are NaN or infinite; "
                "the training diverged or the file is damaged"
            )
        if key.endswith("running_var") and (tensor < 0).any():
            raise ModelError(f"{path}: {key} holds a negative variance; the file is damaged")
