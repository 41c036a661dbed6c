"""Scores of widths between layers against gradients taken by hand, one image at a time."""

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.engine.fixed_point.ranges import observe
from sviT_models.engine.fixed_point.streams import Streams
from tests.sviT_models.small import IMAGES, LABELS, network

WIDTHS = (4, 8, 16)


@pytest.fixture(scope="module")
def double():
    return network().double()


@pytest.fixture(scope="module")
def scores(double):
    return sviT_models.activation_scores(double, IMAGES, LABELS, WIDTHS, IMAGES)


def observed(model):
    streams = Streams(sviT_models.Engine(model, sviT_models.WeightBank(model)).program(IMAGES))
    return streams, observe(streams, [IMAGES])


def harm(values, gradient, bits, exponent):
    """Sum of (gradient x change)^2, rounding in numpy."""
    given, step = values.detach().numpy(), 2.0 ** (exponent - bits + 1)
    rounded = np.clip(np.floor(given / step + 0.5), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step
    return float(np.square((rounded - given) * gradient.numpy()).sum())


def score(table, name, bits):
    return table.set_index(["name", "bits"])["score"][name, bits]


def test_a_stream_is_scored_at_every_sum_that_is_written_to_it(double, scores):
    ranges, expected = observed(double)[1], dict.fromkeys(WIDTHS, 0.0)
    for image, label in zip(IMAGES.double(), LABELS, strict=True):
        kept = []
        hook = double.downsample4.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
        double(image[None])
        hook.remove()
        x, written = kept[0].detach().requires_grad_(), []
        for block in double.block4:
            for part in (block.attn, block.mlp):
                written.append(x)
                x = x + part(x)
        written.append(x)
        logits = double.head(double.lif(x.flatten(3).mean(3))).mean(0)
        gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, label[None]), written)
        for bits in WIDTHS:
            exponent = ranges.numbers["downsample4"].exponent(bits)
            expected[bits] += sum(harm(v, g, bits, exponent) for v, g in zip(written, gradients, strict=True))
    for bits in WIDTHS:
        assert score(scores, "downsample4", bits) == pytest.approx(expected[bits] / len(IMAGES), rel=1e-6)


def test_a_sum_that_is_handed_over_is_scored_where_it_is_written(double, scores):
    (streams, ranges), name, expected = observed(double), "ConvBlock2_1.0.Conv", 0.0
    (handed,) = (operation for operation, layer in streams.inputs.items() if layer == f"{name}.pwconv2")
    for image, label in zip(IMAGES.double(), LABELS, strict=True):
        probe = {}

        def add(_module, _inputs, output, probe=probe):
            probe |= {"zero": torch.zeros_like(output, requires_grad=True), "value": output}
            return output + probe["zero"]

        handle = double.get_submodule(f"{name}.dwconv").register_forward_hook(add)
        loss = torch.nn.functional.cross_entropy(double(image[None]), label[None])
        handle.remove()
        (gradient,) = torch.autograd.grad(loss, probe["zero"])
        expected += harm(probe["value"], gradient, 8, ranges.inputs[handed].exponent(8))
    assert score(scores, f"{name}.pwconv2", 8) == pytest.approx(expected / len(IMAGES), rel=1e-6)


def test_every_width_of_the_engine_but_the_images_has_scores_and_wider_is_better(double, scores):
    engine = sviT_models.Engine(double, sviT_models.WeightBank(double))
    assert set(scores["name"]) == set(engine.activation_names(IMAGES)[1:])
    assert scores.groupby("bits")["score"].sum().is_monotonic_decreasing
    fused = sviT_models.fuse(double)
    streams = sviT_models.activation_scores(fused, IMAGES, LABELS, (8,), IMAGES)["name"]
    assert sorted(streams) == [f"downsample{stage}" for stage in ("1_1", "1_2", "2", "3", "4")]
