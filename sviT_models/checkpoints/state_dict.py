"""A state_dict out of a file of any common layout, without running what the file may contain."""

from __future__ import annotations

import argparse
import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sviT_models.errors import ModelError

State = dict[str, Tensor]
PREFIXES = ("module.", "_orig_mod.")  # of data-parallel training and weight averaging, and of torch.compile
COUNTED = ".num_batches_tracked"  # of a norm: batches of training, which files from before 2018 lack
COUNTER = "n_averaged"  # of torch's AveragedModel, beside what it averages


def read_state(path: Path) -> tuple[State, dict[str, str]]:
    """The state_dict in a file, and the metadata of a safetensors file. Raises ModelError, on one line."""
    if path.is_dir():
        raise ModelError(f"{path}: is a folder; expected a checkpoint file (.safetensors, .pth or .pt)")
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if start[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
        return _read_safetensors(path)
    if start[:2] in (b"PK", b"\x80\x02"):  # torch: a zip archive, or the pickle of old versions
        return _unwrap(path, _read_torch(path)), {}
    what = "is empty" if not start else "is neither safetensors nor a file written by torch.save"
    raise ModelError(f"{path}: {what}; expected a checkpoint (.safetensors, .pth or .pt)")


def read_notes(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors; empty for others. Raises ModelError as `read_state`."""
    with open(path, "rb") as file:
        if file.read(9)[8:] != b"{":
            return {}
    try:
        with safe_open(path, framework="pt") as content:
            return dict(content.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: truncated or corrupt ({_first_line(error)}); fetch it again") from error


def _read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            return _bare(state), dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: truncated or corrupt ({_first_line(error)}); fetch it again") from error


def _read_torch(path: Path) -> object:
    try:
        # the official training script stores its arguments, which are data, beside the weights
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise ModelError(
                f"{path}: holds {found[1]}, which could run code and is not loaded; store the state_dict alone"
            ) from error
        raise ModelError(f"{path}: truncated or corrupt ({_first_line(error)}); fetch it again") from error
    except Exception as error:  # a damaged archive fails in whatever part of torch meets the damage
        raise ModelError(f"{path}: truncated or corrupt ({_first_line(error)}); fetch it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _unwrap(path: Path, content: object) -> State:
    """The state_dict inside `content`."""
    for key in ("model", "state_dict", "model_ema"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path}: holds a {type(content).__name__}; expected a state_dict, alone or under 'model'")
    for key, value in content.items():
        dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
        if not isinstance(key, str) or not dense:
            what = type(value).__name__
            if isinstance(value, Tensor):
                what = "tensor without data" if value.is_meta else str(value.layout)
            raise ModelError(f"{path}: entry {key!r} is of type {what}; expected a state_dict of dense tensors")
    return _bare(content)


def _bare(state: State) -> State:
    """A state_dict without the prefixes and the counter that wrappers of a network leave, in any order of wrapping."""
    while prefix := next((p for p in PREFIXES if _all_begin(state, p)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items() if key != COUNTER}
    return state


def _all_begin(state: State, prefix: str) -> bool:
    """Whether every entry but the counter begins with a prefix."""
    keys = state.keys() - {COUNTER}
    return bool(keys) and all(key.startswith(prefix) for key in keys)
