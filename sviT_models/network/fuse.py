"""The fused graph: every linear chain as one dense convolution, every batch norm folded into the layer before it.

Fusing leaves fewer layers, all of them behind neurons, for more multiply-accumulates: a dense 3x3 in place of 1x1,
depthwise 3x3, 1x1 (RepConv), and a dense 7x7 in place of depthwise 7x7, 1x1 (the end of SepConv).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.layers import MLP, Attention, ConvBlock, DownSampling, RepConv, SepConv
from sviT_models.network.meta_spikeformer import MetaSpikeFormer

Affine = tuple[Tensor, Tensor]  # scale and shift per channel
Norm = nn.BatchNorm1d | nn.BatchNorm2d


@torch.no_grad()
def fuse(model: MetaSpikeFormer) -> MetaSpikeFormer:
    """A copy of `model` with the same logits in evaluation mode and 70 weight layers in place of 138; for inference.

    A RepConv keeps its path (`block3.0.attn.q_conv.0`), the end of a SepConv that of its last layer (`Conv.pwconv2`).
    The weights are combined in float64 and rounded once; in float32 a neuron near its threshold may fire differently.
    Raises ModelError for a network that has been fused before.
    """
    if not any(isinstance(module, RepConv) for module in model.modules()):
        raise ModelError("the network has been fused already; fuse the network as built")
    fused = copy.deepcopy(model).eval()
    dtype = fused.head.weight.dtype
    for module in list(fused.modules()):
        if isinstance(module, (DownSampling, SepConv, ConvBlock, Attention, MLP)):
            module.double()
            _fuse_inside(module)
            module.to(dtype)
    return fused


def _fuse_inside(module: nn.Module) -> None:
    """Fuse what belongs to `module` itself, not to a block within it."""
    match module:
        case DownSampling():
            _fold(module, "encode_conv", "encode_bn")
        case SepConv():
            module.pwconv2 = _dense(_chain(module.dwconv.weight, module.pwconv2.weight), padding=3)
            module.dwconv = nn.Identity()
            _fold(module, "pwconv1", "bn1")
            _fold(module, "pwconv2", "bn2")
        case ConvBlock():
            _fold(module, "conv1", "bn1")
            _fold(module, "conv2", "bn2")
        case Attention():
            for branch in (module.q_conv, module.k_conv, module.v_conv, module.proj_conv):
                branch[0] = _fused_rep_conv(branch[0])
                _fold(branch, "0", "1")
        case MLP():
            _fold(module, "fc1_conv", "fc1_bn")
            _fold(module, "fc2_conv", "fc2_bn")


def _fused_rep_conv(module: RepConv) -> nn.Conv2d:
    """One 3x3 convolution with zero padding; the norm in the middle scales its inputs, and its shift is a constant.

    That shift reaches every output alike, because the border of the padded norm holds it too.
    """
    first, padded, (depthwise, last, norm) = module.body
    scale, shift = _affine(padded.bn)
    inner = _chain(depthwise.weight, last.weight)  # (O, C, 3, 3) on the channels between the 1x1 convolutions
    weight = torch.einsum("ochw,c,ci->oihw", inner, scale, first.weight[:, :, 0, 0])
    conv = _dense(weight, padding=1, bias=torch.einsum("ochw,c->o", inner, shift))
    _scale_outputs(conv, *_affine(norm))
    return conv


def _chain(depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """Depthwise (C, 1, k, k), then 1x1 (O, C, 1, 1), as one kernel (O, C, k, k)."""
    return pointwise * depthwise.squeeze(1)


def _dense(weight: Tensor, padding: int, bias: Tensor | None = None) -> nn.Conv2d:
    out_channels, in_channels, kernel, _ = weight.shape
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=bias is not None, device="meta")
    conv.weight = nn.Parameter(weight)
    if bias is not None:
        conv.bias = nn.Parameter(bias)
    return conv


def _affine(norm: Norm) -> Affine:
    """What a batch norm does in evaluation: x * scale + shift."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _scale_outputs(conv: nn.Conv1d | nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, *[1] * (conv.weight.ndim - 1)))
    conv.bias = nn.Parameter(shift if conv.bias is None else conv.bias * scale + shift)


def _fold(parent: nn.Module, conv: str, norm: str) -> None:
    """Fold the batch norm into the convolution before it, and leave an identity in its place."""
    _scale_outputs(getattr(parent, conv), *_affine(getattr(parent, norm)))
    setattr(parent, norm, nn.Identity())
