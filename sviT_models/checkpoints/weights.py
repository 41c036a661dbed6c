"""The weights of any module from a file: strict, but for what training scripts and compilers do to names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from sviT_models.checkpoints.state_dict import COUNTED, read_state
from sviT_models.errors import ModelError

SHOWN = 4  # keys of each kind of mismatch that a message names


def load_weights(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give a module the weights in a file, whose every entry has to fit; half precision becomes the module's own.

    module  the network, whose weights are replaced
    path    a safetensors file or a torch file of tensors

    Raises ModelError, on one line, for a file that cannot be read, for missing, unexpected and misshapen entries, and
    for NaN or infinity; another number of classes is named as such.
    """
    path = Path(path)
    state = read_state(path)[0]
    wanted = module.state_dict()
    state |= {key: tensor for key, tensor in wanted.items() if key.endswith(COUNTED) and key not in state}
    if complaint := _mismatch(state, wanted):
        raise ModelError(f"{path}: does not fit the network: {complaint}")
    for key, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ModelError(f"{path}: {key} holds NaN or infinity; the training diverged or the file is damaged")
    module.load_state_dict(state)


def _mismatch(have: Mapping[str, Tensor], want: Mapping[str, Tensor]) -> str:
    missing = [key for key in want if key not in have]
    unexpected = [key for key in have if key not in want]
    misshapen = [key for key in want if key in have and have[key].shape != want[key].shape]
    if not missing and not unexpected and misshapen and len({key.rpartition(".")[0] for key in misshapen}) == 1:
        first = misshapen[0]
        if have[first].shape[1:] == want[first].shape[1:]:
            return f"{first.rpartition('.')[0]} has {len(have[first])} classes, not {len(want[first])}"
    shown = [f"{key} {tuple(have[key].shape)} instead of {tuple(want[key].shape)}" for key in misshapen]
    kinds = (("missing", missing), ("unexpected", unexpected), ("misshapen", shown))
    return "; ".join(_listed(what, keys) for what, keys in kinds if keys)


def _listed(what: str, keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"{len(keys)} {what} ({', '.join(keys[:SHOWN])}{more})"
