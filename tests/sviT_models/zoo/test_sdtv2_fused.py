from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.measure.hooks import evaluating, watching
from tests import goldens
from tests.sviT_models import small


def network(
    dims: tuple[int, int, int, int], time_steps: int, seed: int = 0, classes: int = 10, heads: int = 2, kd: bool = False
) -> torch.nn.Module:
    config = sviT_models.ModelConfig("test", dims, classes, time_steps, distilled=kd, heads=heads)
    model = sviT_models.MetaSpikeFormer(config)
    state = {k: torch.from_numpy(goldens.weight(k, tuple(t.shape), seed)) for k, t in model.state_dict().items()}
    model.load_state_dict(state)
    return model.double().eval()


@pytest.mark.parametrize("time_steps", [1, 4])
@pytest.mark.parametrize("kd", [False, True])
def test_the_fused_graph_has_the_official_logits_and_spikes(time_steps, kd):
    recorded = np.load(goldens.DATA / f"golden_tiny_{'kd_' if kd else ''}32.npz")
    fused = sviT_models.fuse(network((16, 32, 64, 80), time_steps, heads=8, kd=kd))
    images = torch.from_numpy(goldens.images((4, 3, 32, 32), seed=1)).double()
    with torch.no_grad():
        logits = fused(images).numpy()
    np.testing.assert_allclose(logits, recorded[f"logits_f64_T{time_steps}"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(sviT_models.spike_counts(fused, images)[1], recorded[f"spikes_f64_T{time_steps}"])


@settings(max_examples=8)
@given(
    st.tuples(st.sampled_from([2, 4, 6]), st.integers(1, 6), st.sampled_from([2, 4, 8]), st.sampled_from([2, 6])),
    st.integers(1, 3),
    st.integers(0, 100),
)
def test_fusing_keeps_the_logits(dims, time_steps, seed):
    model = network(dims, time_steps, seed)
    images = torch.from_numpy(goldens.images((2, 3, 40, 24), seed)).double()
    with torch.no_grad():
        torch.testing.assert_close(sviT_models.fuse(model)(images), model(images), rtol=0, atol=1e-9)


def test_the_fused_macs_are_the_published_ones():
    with torch.device("meta"):
        fused = sviT_models.fuse(sviT_models.build("sdtv2_8_512"))
        table = sviT_models.layer_table(fused, 224).set_index("name")
    assert table["macs"].sum() / 1e9 == pytest.approx(57.5, abs=0.05)
    layers = table[table["weights"] > 0]
    # 138 layers, of which 8 blocks x 4 RepConvs lose two each and 4 SepConvs one: 138 - 64 - 4 = 70
    assert sviT_models.weight_layers(fused) == list(layers.index)
    assert len(sviT_models.weight_layers(fused)) == 70
    assert list(layers.index[layers["input"] == "multibit"]) == ["downsample1_1.encode_conv"]
    query = table.loc["block3.0.attn.q_conv.0"]
    assert (query["kernel"], query["padding"], query["channel_constants"]) == (3, 1, 512)
    assert query["macs"] == 512 * 512 * 9 * 14 * 14
    separable = table.loc["ConvBlock1_1.0.Conv.pwconv2"]
    assert (separable["kernel"], separable["padding"], separable["lif"]) == (7, 3, "ConvBlock1_1.0.Conv.lif2")
    assert separable["macs"] == 128 * 64 * 49 * 112 * 112
    charged = [lif for joined in table["lif"] if joined for lif in joined.split(";")]
    assert sorted(charged) == sorted(sviT_models.lif_layers(fused))


def test_synaptic_operations_of_the_fused_graph_are_the_products_that_are_not_zero():
    fused = sviT_models.fuse(small.network().double())
    images = torch.from_numpy(goldens.images((3, 3, 32, 32), seed=2)).double()
    table = sviT_models.profile(fused, images).set_index("name")
    modules, seen = dict(fused.named_modules()), {}
    names = [name for name, module in modules.items() if isinstance(module, torch.nn.Conv2d)][1:]  # not the image
    with evaluating(fused), watching(fused, names, lambda name, x, _: seen.update({name: x})):
        fused(images)
    for name, x in seen.items():
        layer = modules[name]
        products = F.conv2d((x != 0).double(), torch.ones_like(layer.weight), None, layer.stride, layer.padding).sum()
        assert table.loc[name, "synops"] == pytest.approx(products.item() / 3, rel=1e-12), name


def test_the_network_itself_stays_as_it_was():
    model = network((4, 6, 8, 12), time_steps=1).float()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    fused = sviT_models.fuse(model)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert {parameter.dtype for parameter in fused.parameters()} == {torch.float32}
    assert not any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in fused.modules())


def test_a_fused_network_is_not_stored_as_a_checkpoint(tmp_path):
    with pytest.raises(sviT_models.ModelError, match="only the network as built can be stored"):
        sviT_models.save_checkpoint(tmp_path / "fused.safetensors", sviT_models.fuse(network((4, 6, 8, 12), 1)))


def test_fusing_twice_is_refused():
    with pytest.raises(sviT_models.ModelError, match="fused already"):
        sviT_models.fuse(sviT_models.fuse(network((4, 6, 8, 12), 1)))


@pytest.mark.campaign
@pytest.mark.parametrize("name", sviT_models.names("sdtv2"))
def test_the_table_of_sizes_in_the_documentation_is_true(name):
    lines = (Path(__file__).parents[3] / "docs" / "network.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| `{name}`")]
    _, dims, parameters, unfused, fused = (cell.strip() for cell in line.strip("|").split("|"))
    with torch.device("meta"):
        model = sviT_models.build(name)
        macs = [sviT_models.layer_table(graph, 224)["macs"].sum() / 1e9 for graph in (model, sviT_models.fuse(model))]
    assert dims == ", ".join(map(str, model.config.embed_dims))
    assert parameters == f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M"
    assert [unfused, fused] == [f"{count:.2f} G" for count in macs]
