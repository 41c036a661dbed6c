"""Captured graphs against recordings of the official implementations: logits to 1e-9, spike counts exactly."""

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.graph.capture import capture
from sviT_models.graph.run import run, spike_counts
from tests import goldens, zoo_goldens

SMALL = [
    name
    for name in zoo_goldens.RECORDINGS
    if "_tiny" in name and "imagenet_stem" not in name and zoo_goldens.variant_of(name)[0] in sviT_models.families()
]


# neuron layers that fire in the module although nothing reads them, so that the graph has none: it feeds a second head
UNREAD = {"sdtv3_large_tiny_large_64": {"lif"}}


def check(graph, images, recorded, key: str, columns: int, unread: frozenset[str] = frozenset()) -> None:
    expected = dict(zip(recorded["lif_names"].tolist(), recorded[f"spikes_f64_{key}"][:, :columns], strict=True))
    counts = spike_counts(graph, images)
    expected = {path: count for path, count in expected.items() if path not in unread}
    assert {path: count.tolist() for path, count in counts.items()} == {p: c.tolist() for p, c in expected.items()}
    np.testing.assert_allclose(run(graph, images).numpy(), recorded[f"logits_f64_{key}"], rtol=0, atol=1e-9)


def test_sdtv2():
    recorded = np.load(goldens.DATA / "golden_tiny_32.npz")
    model = sviT_models.build("sdtv2_tiny", num_classes=10, time_steps=4)
    state = {key: torch.from_numpy(goldens.weight(key, tuple(t.shape))) for key, t in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    images = torch.from_numpy(goldens.images(tuple(recorded["input_shape"]), int(recorded["input_seed"])))
    graph = capture(model, images[:2])
    check(graph, images.double(), recorded, "T4", 4)
    # the membrane shortcuts are numbers, what neurons emit is bits, and the products of attention count
    assert {node.value.kind for node in graph.of("add")} == {"number"}
    assert {str(node.value) for node in graph.of("neuron")} == {"spike"}
    first, second = list(graph.of("matmul"))[:2]
    assert (first.value.largest, second.value.largest) == (4, 4 * 8)  # 2 x 2 tokens; 8 channels per head


@pytest.mark.parametrize("recording", SMALL)
def test_the_zoo(recording):
    recorded = np.load(zoo_goldens.DATA / f"{recording}.npz")
    images = zoo_goldens.images(recording)
    key = max((k for k in recorded if k.startswith("logits_f64_")), key=lambda k: int(k[12:])).removeprefix(
        "logits_f64_"
    )
    option = {"time_steps" if key[0] == "T" else "levels": int(key[1:]), "resolution": images.shape[-1]}
    graph = capture(zoo_goldens.network(recording, **option), images)
    unread = frozenset(UNREAD.get(recording, ()))
    check(graph, images, recorded, key, int(key[1:]) + (key[0] == "D"), unread)
