"""The operations of torch that the graph understands, each translated by one small function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from sviT_models.errors import ModelError
from sviT_models.graph.aten_moves import MOVES, positive
from sviT_models.graph.builder import Constant, Filled
from sviT_models.graph.call import Call, Operand, kind_of, shape_of

SAME = (  # operations that give their first argument unchanged
    *("contiguous.default", "clone.default", "detach.default", "detach_.default", "alias.default"),
    *("lift_fresh_copy.default", "dropout.default", "feature_dropout.default", "to.dtype", "to.dtype_layout"),
    *("_to_copy.default", "type_as.default", "to.device", "to.other", "positive.default"),
)


def _sides(value: Any, count: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return [int(v) for v in (values * count if len(values) == 1 else values)]


def _conv(call: Call) -> str:
    weight, bias = call.given[1], call.argument(2, "bias")
    if not isinstance(weight, Constant):
        raise ModelError("a convolution's weight depends on the images")
    weight = _named(call, weight)
    rank = weight.tensor.ndim - 2
    padding = call.argument(4, "padding", 0)
    attributes: dict[str, Any] = {
        "stride": _sides(call.argument(3, "stride", 1), rank),
        "padding": padding if isinstance(padding, str) else _sides(padding, rank),
        "dilation": _sides(call.argument(5, "dilation", 1), rank),
        "groups": int(call.argument(6, "groups", 1)),
    }
    if isinstance(padding, str):
        attributes["padding"] = _named_padding(padding, weight.tensor.shape[2:], attributes["dilation"])
    parameters = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return call.add("conv", (call.stream(),), attributes=attributes, parameters=parameters)


def _named(call: Call, weight: Constant) -> Constant:
    """A weight under the name of its layer, also where it is computed from other parameters, as quantized ones are."""
    name = f"{call.translator.path(call.node)}.weight".lstrip(".")
    taken = call.translator.builder.constants.get(name)
    if weight.name.endswith(".weight") or (taken is not None and not taken.equal(weight.tensor)):
        return weight
    return Constant(name, weight.tensor)


def _named_padding(name: str, kernel: Sequence[int], dilation: Sequence[int]) -> list[int]:
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if name == "valid":
        return [0] * len(totals)
    if any(total % 2 for total in totals):
        raise ModelError("padding 'same' of an even kernel; pad explicitly")
    return [total // 2 for total in totals]


def _linear(call: Call) -> str:
    weight, bias = call.given[1], call.argument(2, "bias")
    if not isinstance(weight, Constant):
        raise ModelError("a linear layer's weight depends on the images")
    weight = _named(call, weight)
    parameters = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return call.add("linear", (call.stream(),), parameters=parameters)


def _norm(call: Call) -> str:
    _, weight, bias, mean, variance, training, _, eps, *_ = call.given
    if training or mean is None:
        raise ModelError("a batch norm without running statistics; its result depends on the batch")
    roles = {"weight": weight, "bias": bias, "mean": mean, "variance": variance}
    parameters = {role: constant for role, constant in roles.items() if constant is not None}
    return call.add("norm", (call.stream(),), attributes={"eps": float(eps)}, parameters=parameters)


def _add(call: Call, sign: float = 1.0) -> str:
    first, second = call.given[:2]
    factor = sign * float(call.argument(2, "alpha", 1))
    if isinstance(second, Filled | int | float):
        return _shifted(call, call.stream(), factor * _number(second))
    if isinstance(first, Filled | int | float):
        return _shifted(call, _scaled(call, call.stream(1), factor), _number(first))
    if isinstance(second, Constant):
        constant = second if factor == 1 else Constant(f"{second.name}*{factor:g}", factor * second.tensor)
        return call.add("shift", (call.stream(),), parameters={"offset": constant})
    if isinstance(first, Constant):
        return call.add("shift", (_scaled(call, call.stream(1), factor),), parameters={"offset": first})
    return call.add("add", (call.stream(), call.stream(1)), attributes={"factor": factor})


def _number(operand: Filled | float) -> float:
    return operand.value if isinstance(operand, Filled) else float(operand)


def _shifted(call: Call, name: str, offset: float) -> str:
    name = _as_wide(call, name)
    return name if offset == 0 else call.add("shift", (name,), attributes={"offset": offset})


def _scaled(call: Call, name: str, factor: float) -> str:
    name = _as_wide(call, name)
    return name if factor == 1 else call.add("scale", (name,), attributes={"factor": factor})


def _as_wide(call: Call, name: str) -> str:
    """The value in the shape of the result, which an operand of one number may have made larger."""
    shape = shape_of(call.node)
    return name if call.shape(name) == shape else call.add("expand", (name,))


def _reverse_subtract(call: Call) -> str:
    call.given[:2] = [call.given[1], call.given[0]]
    return _add(call, -1.0)


def _mul(call: Call) -> str:
    first, second = call.given[:2]
    for one, other in ((first, 1), (second, 0)):
        if isinstance(one, Filled | int | float):
            return _scaled(call, call.stream(other), _number(one))
        if isinstance(one, Constant):
            if one.tensor.numel() == 1:
                return _scaled(call, call.stream(other), float(one.tensor))
            return call.add("scale", (call.stream(other),), parameters={"factor": one})
    return call.add("product", (call.stream(), call.stream(1)))


def _div(call: Call) -> str:
    divisor = call.given[1]
    if call.node.kwargs.get("rounding_mode"):
        raise ModelError("a division that rounds is not supported")
    if isinstance(divisor, Constant) and divisor.tensor.numel() == 1:
        divisor = float(divisor.tensor)
    if isinstance(divisor, Constant):
        inverse = Constant(f"{divisor.name}.inverse", 1 / divisor.tensor.double())
        return call.add("scale", (call.stream(),), parameters={"factor": inverse})
    if not isinstance(divisor, Filled | int | float):
        raise ModelError("a value of the network is divided by another")
    name = _as_wide(call, call.stream())
    return call.add("scale", (name,), attributes={"divisor": _number(divisor)})


def _matmul(call: Call) -> str:
    first, second = call.given[:2]
    if isinstance(second, Constant) and second.tensor.ndim == 2:
        weight = Constant(f"{second.name}.transposed", second.tensor.t().contiguous())
        return call.add("linear", (call.stream(),), parameters={"weight": weight})
    if isinstance(first, Constant) or isinstance(second, Constant):
        raise ModelError("a matrix product with a constant on the left or of several matrices")
    return call.add("matmul", (call.stream(), call.stream(1)))


def _max_pool(call: Call) -> str:
    kernel = _sides(call.given[1], 2)
    stride = call.argument(2, "stride", None)
    attributes = {
        "kernel": kernel,
        "stride": _sides(stride, 2) if stride else kernel,
        "padding": _sides(call.argument(3, "padding", 0), 2),
        "dilation": _sides(call.argument(4, "dilation", 1), 2),
        "ceil_mode": bool(call.argument(5, "ceil_mode", False)),
    }
    return call.add("max_pool", (call.stream(),), attributes=attributes)


def _average_pool(call: Call) -> str:
    rank = 1 if kind_of(call.node) == "avg_pool1d" else 2
    kernel = _sides(call.given[1], rank)
    stride = call.argument(2, "stride", None)
    if call.argument(6, "divisor_override", None) is not None:
        raise ModelError("an average pool with a divisor of its own")
    attributes = {
        "kernel": kernel,
        "stride": _sides(stride, rank) if stride else kernel,
        "padding": _sides(call.argument(3, "padding", 0), rank),
        "ceil_mode": bool(call.argument(4, "ceil_mode", False)),
        "count_include_pad": bool(call.argument(5, "count_include_pad", True)),
    }
    return call.add("average_pool", (call.stream(),), attributes=attributes)


def _adaptive_pool(call: Call) -> str:
    """An average over the whole map, or over equal windows."""
    name = call.stream()
    before = [math.prod(f for f in a if isinstance(f, int)) for a in call.shape(name)[-2:]]
    after = [math.prod(f for f in a if isinstance(f, int)) for a in shape_of(call.node)[-2:]]
    if after == [1, 1]:
        rank = len(call.shape(name))
        return call.add("mean", (name,), attributes={"axes": [rank - 2, rank - 1], "keep": True})
    if any(b % a for b, a in zip(before, after, strict=True)):
        raise ModelError(f"an adaptive pool from {before} to {after}: windows of different sizes")
    kernel = [b // a for b, a in zip(before, after, strict=True)]
    attributes = {"kernel": kernel, "stride": kernel, "padding": [0, 0], "ceil_mode": False, "count_include_pad": True}
    return call.add("average_pool", (name,), attributes=attributes)


def _reduced(call: Call) -> str:
    name = call.stream()
    rank = len(call.shape(name))
    axes = call.argument(1, "dim", None)
    axes = [axes] if isinstance(axes, int) else axes or list(range(rank))
    keep = bool(call.argument(2, "keepdim", False))
    attributes = {"axes": sorted(positive(a, rank) for a in axes), "keep": keep}
    return call.add(kind_of(call.node), (name,), attributes=attributes)


def _pad(call: Call) -> str:
    mode = call.argument(2, "mode", "constant") if kind_of(call.node) == "pad" else "constant"
    value = call.argument(3, "value", None) if kind_of(call.node) == "pad" else call.argument(2, "value", 0)
    if mode != "constant":
        raise ModelError(f"padding of mode {mode!r}; expected constant")
    return call.add(
        "pad", (call.stream(),), attributes={"sides": [int(s) for s in call.given[1]], "value": float(value or 0)}
    )


TRANSLATIONS: dict[str, Callable[[Call], Operand]] = {
    **dict.fromkeys(("conv1d.default", "conv2d.default", "conv2d.padding", "conv1d.padding"), _conv),
    "linear.default": _linear,
    "batch_norm.default": _norm,
    **dict.fromkeys(("add.Tensor", "add.Scalar"), _add),
    **dict.fromkeys(("sub.Tensor", "sub.Scalar"), lambda call: _add(call, -1.0)),
    **dict.fromkeys(("rsub.Scalar", "rsub.Tensor"), _reverse_subtract),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar"), _mul),
    **dict.fromkeys(("div.Tensor", "div.Scalar", "div.Tensor_mode"), _div),
    "neg.default": lambda call: _scaled(call, call.stream(), -1.0),
    **dict.fromkeys(("matmul.default", "bmm.default", "mm.default"), _matmul),
    "max_pool2d.default": _max_pool,
    **dict.fromkeys(("avg_pool2d.default", "avg_pool1d.default"), _average_pool),
    "adaptive_avg_pool2d.default": _adaptive_pool,
    **dict.fromkeys(("sum.dim_IntList", "sum.default", "mean.dim", "mean.default"), _reduced),
    **dict.fromkeys(("pad.default", "constant_pad_nd.default"), _pad),
    **dict.fromkeys(SAME, lambda call: call.given[0]),
    **MOVES,
}
