"""Networks of the zoo, recorded on tensors without data, are what torch.export says they are."""

import pytest
import torch

import sviT_models
from sviT_models.errors import ModelError
from sviT_models.graph import capture, record, trace
from sviT_models.graph.files import fingerprint
from tests.sviT_models.graph.small import images

QUICK = (
    "sdtv1_tiny_digits",
    "sdtv3_large_tiny_digits",
)  # a second each; the second one computes constants of its weights
NAMES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.campaign)
    for name in sviT_models.shipped_names()
    if not name.startswith("sdtv2_tiny_") or name == "sdtv2_tiny_digits"
]


def both(network, pictures, monkeypatch):
    """The graph as recorded, and as torch.export gives it."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.export, "export", None)  # it would fail
        one, _ = capture._structure(network, pictures, None, {})
    monkeypatch.setattr(trace, "can_be_recorded", lambda module: False)
    return one, capture._structure(network, pictures, None, {})[0]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_recorded_is_what_torch_exports(name, monkeypatch):
    one, other = both(sviT_models.open_checkpoint(name).model, images(2, 3, 32, 32), monkeypatch)
    assert fingerprint(one) == fingerprint(other)
    assert one.nodes == other.nodes


@pytest.mark.campaign
def test_a_fused_network_is_recorded_as_it_is_exported(monkeypatch):
    network = sviT_models.fuse(sviT_models.open_checkpoint("sdtv2_tiny_digits").model)
    one, other = both(network, images(2, 3, 32, 32), monkeypatch)
    assert fingerprint(one) == fingerprint(other)


def test_frames_are_recorded_as_they_are_exported(monkeypatch):
    torch.manual_seed(0)
    network = sviT_models.build("spikformer_tiny", num_classes=4, in_channels=2, resolution=16, time_steps=3).eval()
    one, other = both(network, images(2, 3, 2, 16, 16), monkeypatch)
    assert fingerprint(one) == fingerprint(other)


def test_what_looks_at_its_data_is_left_to_torch_which_says_why_it_cannot_be_captured(monkeypatch):
    network = sviT_models.build("sdtv1_tiny", num_classes=4, in_channels=1, resolution=16).eval()
    forward = type(network).forward
    monkeypatch.setattr(type(network), "forward", lambda self, x: forward(self, 2 * x if x.sum() > 0 else x))
    wrapped = trace._Traced(trace.double(network), trace.neurons_of(network, {}), 0)
    with torch.no_grad(), pytest.raises(record.NotRecordedError):
        record.recorded(wrapped, images(2, 1, 16, 16))
    with pytest.raises(ModelError, match="control flow depends on the data"):
        capture._structure(network, images(2, 1, 16, 16), None, {})


def test_a_network_with_code_of_others_is_not_recorded():
    network = sviT_models.build("sdtv1_tiny", num_classes=4, in_channels=1, resolution=16).eval()
    assert record.can_be_recorded(network)

    class Head(torch.nn.Linear):
        """Whose code may do anything."""

    network.head = Head(network.head.in_features, 4)
    assert not record.can_be_recorded(network)
    assert not record.can_be_recorded(torch.nn.Sequential(network))
