"""The weight widths of a design as configurations of quantization libraries, and back.

modelopt  NVIDIA ModelOpt, `quant_cfg`: nvidia.github.io/Model-Optimizer/guides/_quant_cfg.html (0.47)
torchao   `config_to_dict` of `FqnToConfig`: docs.pytorch.org/ao, torchao.quantization.FqnToConfig (0.18)
aimet     encodings 0.6.1: aimet_torch 2.42, quantization/affine/encoding.py; they hold the scales, too
brevitas  arguments of `brevitas.graph.quantize.layerwise_quantize` (0.13), which has no file of its own

All have widths of weights only: time steps, potentials and streams have no place there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dse.errors import ConfigError
from dse.problem.design import FLOAT, Design

QUANTIZER = ".weight_quantizer"
PARAMETER = ".weight"
# torchao: torch.int1 to torch.int8; aimet: common/quantsim.py; brevitas: with one bit its integers are all zero
LIMITS = {"modelopt": (1, 16), "torchao": (1, 8), "aimet": (2, 31), "brevitas": (2, 31)}
Scales = Mapping[str, Sequence[float]]
Tree = dict[str, Any]


def layout(design: Design, tool: str, scales: Scales | None = None) -> Tree:
    """A design as the configuration of a library, as JSON values.

    design  its weight widths are what is written
    tool    a key of `LAYOUTS`, or `aimet`
    scales  by layer, one of every output channel: the weight of one step of the integers; only for `aimet`

    Raises ConfigError for a width that the library does not have.
    """
    for name, bits in zip(design.layers, design.weight_bits, strict=True):
        least, most = LIMITS[tool]
        if bits != FLOAT and not least <= bits <= most:
            raise ConfigError(f"--format {tool}: {name} has {bits} bits; {tool} has {least} to {most}")
    widths = dict(zip(design.layers, design.weight_bits, strict=True))
    return _aimet(widths, scales or {}) if tool == "aimet" else LAYOUTS[tool](widths)


def _modelopt(widths: Mapping[str, int]) -> Tree:
    """Everything off, then one entry per layer, one scale per output channel."""
    entries: list[Tree] = [{"quantizer_name": "*", "enable": False}]
    for name, bits in widths.items():
        entry: Tree = {"quantizer_name": f"{name}{QUANTIZER}", "enable": bits != FLOAT}
        entries.append(entry if bits == FLOAT else entry | {"cfg": {"num_bits": bits, "axis": 0}})
    return {"quant_cfg": entries, "algorithm": "max"}


def _torchao(widths: Mapping[str, int]) -> Tree:
    """One configuration per layer; None leaves a layer float."""
    modules = {name: None if bits == FLOAT else _intx(bits) for name, bits in widths.items()}
    return {"_type": "FqnToConfig", "_version": 1, "_data": {"fqn_to_config": modules}}


def _intx(bits: int) -> Tree:
    data = {
        "weight_dtype": {"_type": "torch.dtype", "_data": f"int{bits}"},
        "granularity": {"_type": "PerAxis", "_version": 1, "_data": {"axis": 0}},
        "mapping_type": {"_type": "MappingType", "_data": "SYMMETRIC"},
    }
    return {"_type": "IntxWeightOnlyConfig", "_version": 2, "_data": data}


def _aimet(widths: Mapping[str, int], scales: Scales) -> Tree:
    """Signed, symmetric encodings of the parameters, one per output channel; no encodings of activations."""
    made = {
        f"{name}{PARAMETER}": [{"bitwidth": FLOAT, "dtype": "float"}]
        if bits == FLOAT
        else [_encoding(bits, scale) for scale in scales[name]]
        for name, bits in widths.items()
    }
    return {"version": "0.6.1", "activation_encodings": {}, "param_encodings": made}


def _encoding(bits: int, scale: float) -> Tree:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    ends = {"min": low * scale, "max": high * scale, "scale": scale, "offset": low}
    return {"bitwidth": bits, "dtype": "int", "is_symmetric": "True", **ends}


def _brevitas(widths: Mapping[str, int]) -> Tree:
    """Widths by layer, and the layers that stay float."""
    return {
        "weight_bit_width": {name: bits for name, bits in widths.items() if bits != FLOAT},
        "name_blacklist": [name for name, bits in widths.items() if bits == FLOAT],
    }


LAYOUTS: dict[str, Callable[[Mapping[str, int]], Tree]] = {
    "modelopt": _modelopt,
    "torchao": _torchao,
    "brevitas": _brevitas,
}
TOOLS = (*LAYOUTS, "aimet")


def widths_of(path: object, tree: Mapping[str, Any]) -> dict[str, int] | None:
    """Weight width by layer of a library's configuration; None where it is none.

    path  the file, for messages
    tree  what it holds

    Raises ConfigError, with the entry, for one that names no single layer or no whole width.
    """
    if isinstance(tree.get("quant_cfg"), list):
        return dict(_of_modelopt(path, tree["quant_cfg"]))
    if tree.get("_type") == "FqnToConfig":
        return dict(_of_torchao(path, tree.get("_data")))
    if isinstance(tree.get("param_encodings"), Mapping):
        return dict(_of_aimet(path, tree["param_encodings"]))
    if isinstance(tree.get("weight_bit_width"), Mapping):
        return dict(_of_brevitas(path, tree["weight_bit_width"], tree.get("name_blacklist") or []))
    return None


def _of_aimet(path: object, encodings: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, each in encodings.items():
        if not name.endswith(PARAMETER):
            continue  # of biases
        first = each[0] if isinstance(each, list) and each else None
        bits = first.get("bitwidth") if isinstance(first, Mapping) else None
        if not isinstance(bits, int) or isinstance(bits, bool):
            raise ConfigError(f"{path}: param_encodings[{name!r}]: bitwidth is {bits}; expected a whole number of bits")
        yield (
            name.removesuffix(PARAMETER),
            FLOAT if isinstance(first, Mapping) and first.get("dtype") == "float" else bits,
        )


def _of_brevitas(path: object, widths: Mapping[str, Any], blacklist: Any) -> Iterator[tuple[str, int]]:
    for name, bits in widths.items():
        if not isinstance(bits, int) or isinstance(bits, bool):
            raise ConfigError(f"{path}: weight_bit_width[{name!r}] is {bits}; expected a whole number of bits")
        yield name, bits
    if not isinstance(blacklist, list) or not all(isinstance(name, str) for name in blacklist):
        raise ConfigError(f"{path}: name_blacklist is {blacklist}; expected a list of layers")
    yield from ((name, FLOAT) for name in blacklist)


def _of_modelopt(path: object, entries: list[Any]) -> Iterator[tuple[str, int]]:
    for i, entry in enumerate(entries):
        place = f"{path}: quant_cfg[{i}]"
        name = entry.get("quantizer_name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            raise ConfigError(f"{place}: has no quantizer_name; name one layer, such as head{QUANTIZER}")
        on = entry.get("enable", True)
        if name == "*" and not on:
            continue
        if set("*?[") & set(name):
            raise ConfigError(f"{place}: {name!r} is a pattern; name one layer per entry, such as head{QUANTIZER}")
        if not name.endswith(QUANTIZER):
            continue  # of inputs and outputs
        cfg = entry.get("cfg")
        bits = cfg.get("num_bits") if isinstance(cfg, Mapping) else None
        if on and (not isinstance(bits, int) or isinstance(bits, bool)):
            raise ConfigError(f"{place}: num_bits is {bits}; expected a whole number of bits")
        yield name.removesuffix(QUANTIZER), int(bits) if on and bits is not None else FLOAT


def _of_torchao(path: object, data: Any) -> Iterator[tuple[str, int]]:
    modules = data.get("fqn_to_config") if isinstance(data, Mapping) else None
    if not isinstance(modules, Mapping) or not modules:
        raise ConfigError(f"{path}: _data.fqn_to_config is empty; expected a configuration by layer")
    for name, config in modules.items():
        if name.startswith("re:") or name == "_default":
            raise ConfigError(f"{path}: fqn_to_config[{name!r}] is a pattern; name one layer per entry")
        if config is None:
            yield name, FLOAT
            continue
        inner = config.get("_data") if isinstance(config, Mapping) else None
        dtype = inner.get("weight_dtype") if isinstance(inner, Mapping) else None
        said = dtype.get("_data") if isinstance(dtype, Mapping) else None
        found = re.fullmatch(r"int([1-8])", str(said))
        if found is None:
            raise ConfigError(f"{path}: fqn_to_config[{name!r}]: weight_dtype is {said}; expected int1 to int8")
        yield name.removesuffix(".weight"), int(found[1])
