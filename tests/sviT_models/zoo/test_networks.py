"""The catalogue of the zoo against the recordings of the official code and against the networks themselves."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import sviT_models
from tests import zoo_goldens

LISTED = {network.name: network for network in sviT_models.networks()}
BY_OFFICIAL_ORDER = ("sdtv3", "spikformer", "spikingformer")  # (Q K^T) V in some of their networks: other counts


def one_step(family: str, name: str) -> nn.Module:
    """The network without memory for its weights, run for one step (STAtten: one step at once)."""
    options = {} if LISTED[name].levels else {"time_steps": 1}
    with torch.device("meta"):
        return sviT_models.build(name, **options, **({"chunk": 1} if family == "statten" else {})).eval()


def macs_by_layer(model: nn.Module, images: torch.Tensor) -> tuple[dict[str, int], int]:
    """MACs of every convolution and linear layer that runs, by its path, and those of all matrix products."""
    layers: dict[str, int] = {}
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, out, path=path: layers.update({path: out.numel() * math.prod(layer.weight.shape[1:])})
        )
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(images)
    for hook in hooks:
        hook.remove()
    products = counter.get_flop_counts()["Global"].get(torch.ops.aten.bmm, 0) // 2
    return layers, products


@pytest.mark.parametrize(("family", "variant"), zoo_goldens.VARIANTS)
def test_the_layers_that_run_have_the_macs_of_the_official_code(family, variant):
    measured = zoo_goldens.manifest(family)[variant]["measured"]
    name = zoo_goldens.name_of(family, variant)
    model = one_step(family, name)
    side = measured["resolution"]
    layers, products = macs_by_layer(model, torch.empty(1, model.config.in_channels, side, side, device="meta"))
    listed = LISTED[name]
    assert len(layers) == measured["weight_layers"]
    assert sum(layers.values()) == measured["macs_per_image_and_step"]["conv_and_linear"]
    assert sum(layers.values()) == listed.macs - listed.macs_attention
    by_input = {kind: getattr(listed, f"macs_{kind}") for kind in ("spikes", "levels", "integers", "real")}
    assert {kind: macs for kind, macs in by_input.items() if macs} == measured["conv_and_linear_macs_by_input"]
    assert listed.macs_attention == products
    if family not in BY_OFFICIAL_ORDER:
        assert products == measured["macs_per_image_and_step"]["attention_matmul"]
    assert listed.resolution == side


def kind_of(x: torch.Tensor, levels: int | None) -> str:
    """What a layer sees, told from the numbers themselves."""
    whole = torch.equal(x, x.round())
    if whole and x.max() > 1:
        return "integers"
    if levels is None:
        return "spikes" if whole else "real"
    return "levels" if torch.equal(levels * x, (levels * x).round()) else "real"


@pytest.mark.parametrize("recording", [name for name in zoo_goldens.RECORDINGS if "_tiny" in name])
def test_a_layer_sees_what_the_official_code_showed_it(recording):
    family, variant = zoo_goldens.variant_of(recording)
    levels = (8 if "_d8" in recording else 4) if LISTED[zoo_goldens.name_of(family, variant)].levels else None
    model = zoo_goldens.network(recording, **({"levels": levels} if levels else {"time_steps": 4}))
    kinds: dict[str, str] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, path=path: kinds.update({path: kind_of(inputs[0], levels)}))
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(zoo_goldens.images(recording))
    for hook in hooks:
        hook.remove()
    measured = zoo_goldens.manifest(family)[variant]["measured"]
    assert Counter(kinds.values()) == measured["weight_layers_by_input"]
    for path, kind in measured["weight_layers_with_other_than_binary_input"]:  # the first 40 of them
        assert kinds[path] == kind, path


def test_the_catalogue_lists_every_network_that_can_be_built():
    assert list(LISTED) == sviT_models.names()
    for name, network in LISTED.items():
        with torch.device("meta"):
            model = sviT_models.build(name)
        assert sum(p.numel() for p in model.parameters()) == network.parameters, name
        assert (network.time_steps is None) == (network.levels is not None), name
        assert getattr(model.config, "time_steps", None) == network.time_steps or network.levels, name
        assert getattr(model.config, "levels", None) in (None, network.levels), name


def test_a_published_accuracy_has_its_source_and_no_other_does():
    for network in LISTED.values():
        assert (network.accuracy is None) == (network.source == "") == (network.data == ""), network.name
    assert LISTED["sdtv1_8_768"].accuracy == 77.07  # the README of the official code
    assert LISTED["statten_8_768"].accuracy is None  # no figure is published


def test_the_macs_of_sdtv2_are_those_of_the_official_code():
    recorded = np.genfromtxt(
        zoo_goldens.goldens.DATA / "sdtv2_macs_224.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    for name in ("sdtv2_8_384", "sdtv2_8_512"):
        assert LISTED[name].macs - LISTED[name].macs_attention == recorded[name].sum()
