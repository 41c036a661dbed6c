from contextlib import ExitStack

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.graph.activity import fan_out
from sviT_models.measure.hooks import evaluating, watching
from tests import goldens
from tests.sviT_models.small import network

DOCUMENTED = [  # the columns of docs/design.md, in its order
    *("name", "kind", "group", "block", "stage", "input", "input_bits", "in_channels", "out_channels", "groups"),
    *("kernel", "stride", "padding", "in_height", "in_width", "out_height", "out_width", "weights"),
    *("channel_constants", "macs", "fan_in", "neurons", "lif", "lif_spikes", "spikes", "synops", "balance"),
    *("time_steps", "after", "since"),
]
MEASURED = ["lif_spikes", "spikes", "synops", "balance"]


def small() -> torch.nn.Module:
    """A network of a few channels with the weights of the goldens, in float64."""
    return network().double()


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return small()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    images = torch.from_numpy(goldens.images((5, 3, 36, 32), seed=3)).double()
    images[0, :, :7] = 0.0  # zeros in the image are no operations
    return images


@pytest.fixture(scope="module")
def whole(model, images) -> pd.DataFrame:
    return sviT_models.profile(model, images).set_index("name", drop=False)


@pytest.fixture(scope="module")
def table(whole) -> pd.DataFrame:
    """The rows without the additions behind them."""
    return whole[whole["kind"] != "add"]


@pytest.mark.parametrize(
    ("name", "gmacs"),  # per step at 224 px, as published for the official code with its attention products
    [
        ("sdtv2_8_512", 24.82),
        pytest.param("sdtv2_8_256", 6.47, marks=pytest.mark.campaign),
        pytest.param("sdtv2_8_384", 14.02, marks=pytest.mark.campaign),
        pytest.param("sdtv2_8_768", 55.61, marks=pytest.mark.campaign),
    ],
)
def test_macs_sum_to_the_figures_of_the_official_networks(name, gmacs):
    with torch.device("meta"):
        table = sviT_models.layer_table(sviT_models.build(name), 224)
    assert table["macs"].sum() / 1e9 == pytest.approx(gmacs, abs=0.005)


@pytest.mark.parametrize("name", [pytest.param("sdtv2_8_384", marks=pytest.mark.campaign), "sdtv2_8_512"])
def test_every_weight_layer_has_the_macs_counted_in_the_official_code(name):
    counted = pd.read_csv(goldens.DATA / "sdtv2_macs_224.csv", index_col="name")[name]
    with torch.device("meta"):
        table = sviT_models.layer_table(sviT_models.build(name), 224)
    weighted = table[table["weights"] > 0].set_index("name")["macs"]
    assert weighted.to_dict() == counted.to_dict()
    assert list(weighted.index) == list(counted.index)


def test_shapes_of_8_512_by_hand():
    with torch.device("meta"):
        table = sviT_models.layer_table(sviT_models.build("sdtv2_8_512"), 224).set_index("name")
    image = table.loc["downsample1_1.encode_conv"]
    assert (image["input"], image["input_bits"], image["kernel"], image["stride"], image["padding"]) == (
        *("multibit", 8),
        *(7, 2, 3),
    )
    wide = table.loc["ConvBlock1_1.0.conv1"]
    assert wide["macs"] == 64 * 256 * 3 * 3 * 112 * 112  # works at half of the first embedding, 112 = 224 / 2
    assert (wide["fan_in"], wide["weights"], wide["neurons"]) == (64 * 9, 64 * 256 * 9, 64 * 112 * 112)
    inner = table.loc["block3.0.attn.q_conv.0.body.2.0"]
    assert (inner["kind"], inner["group"]) == ("depthwise", "block3.0.attn.q_conv")
    assert (inner["in_height"], inner["padding"], inner["out_height"]) == (14, 1, 14)
    assert (inner["input"], inner["input_bits"], inner["channel_constants"]) == ("multibit", 16, 0)
    keys_values = table.loc["block3.0.attn.kv"]
    assert keys_values["macs"] == 14 * 14 * 512 * (512 // 8)  # tokens x channels x head size
    assert (keys_values["fan_in"], keys_values["neurons"]) == (14 * 14, 2 * 512 * 14 * 14)
    assert table.loc["block4.1.attn.qkv", "macs"] == 14 * 14 * 640 * (640 // 8)
    tokens = table.loc["block4.0.mlp.fc1_conv"]
    assert (tokens["in_height"], tokens["in_width"], tokens["out_channels"]) == (14, 14, 2560)
    assert tokens["channel_constants"] == 2560
    assert table.loc["head", "macs"] == 640 * 1000


def test_the_share_of_macs_with_multi_bit_input_is_that_of_the_official_graph():
    with torch.device("meta"):
        table = sviT_models.layer_table(sviT_models.build("sdtv2_8_512"), 224)
    layers = table[(table["kind"] != "attention") & (table["name"] != "downsample1_1.encode_conv")]
    weighted = table.loc[table["kind"] != "attention", "macs"].sum()
    assert layers.loc[layers["input"] == "multibit", "macs"].sum() / weighted == pytest.approx(0.094, abs=0.0005)


def test_the_columns_are_the_documented_ones(whole, table):
    assert list(table.columns) == DOCUMENTED
    assert len(table) == 138 + 8 * 2
    assert len(whole) == len(table) + 2 * (4 + 8)  # shortcuts
    assert whole["name"].is_unique
    assert set(table["kind"]) == {"conv", "depthwise", "linear", "attention"}
    assert not table.isna().any(axis=None)


def test_rows_stand_in_the_order_in_which_data_flows(model, table):
    names = list(table.index)
    assert [name for name in names if not name.endswith("kv")] == sviT_models.weight_layers(model)
    start = names.index("block4.0.attn.v_conv.0.body.2.1")
    assert names[start + 1 : start + 4] == [
        "block4.0.attn.kv",
        "block4.0.attn.qkv",
        "block4.0.attn.proj_conv.0.body.0",
    ]


def test_every_lif_layer_is_charged_once_and_its_spikes_are_those_counted(model, images, table):
    names, counts = sviT_models.spike_counts(model, images)
    charged = [lif for joined in table["lif"] if joined for lif in joined.split(";")]
    assert sorted(charged) == sorted(names)
    total = dict(zip(names, counts.sum(1) / len(images), strict=True))
    for _, row in table.iterrows():
        expected = sum(total[lif] for lif in row["lif"].split(";") if lif)
        assert row["lif_spikes"] == pytest.approx(expected, rel=1e-12), row["name"]


def test_shapes_do_not_depend_on_the_images(model, table):
    square = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    measured = sviT_models.profile(model, square).drop(columns=MEASURED)
    shaped = sviT_models.layer_table(model, 32)
    assert shaped[MEASURED].isna().all(axis=None)
    pd.testing.assert_frame_equal(measured, shaped.drop(columns=MEASURED))


def test_macs_are_outputs_times_fan_in(table):
    outputs = table["out_channels"] * table["out_height"] * table["out_width"]
    np.testing.assert_array_equal(table["macs"], outputs * table["fan_in"])


@torch.no_grad()
def folded_inputs(model: torch.nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What reaches every weight layer once batch norms are folded, the image repeated for every time step."""
    seen: dict[str, torch.Tensor] = {}
    modules = dict(model.named_modules())
    with evaluating(model), watching(model, modules, lambda name, x, out: seen.update({name: x, f"{name}:out": out})):
        model(images)
    inputs = {name: seen[name] for name in sviT_models.weight_layers(model)}
    inputs["downsample1_1.encode_conv"] = images.repeat(model.config.time_steps, 1, 1, 1)
    for name in [name for name in inputs if name.endswith("body.2.0")]:
        path = name.removesuffix(".2.0")
        norm = modules[f"{path}.1.bn"]
        sums = seen[f"{path}.0:out"]
        inputs[name] = F.pad(sums, (1, 1, 1, 1))
        scaled = F.pad(sums * (norm.weight / (norm.running_var + norm.eps).sqrt()).view(-1, 1, 1), (1, 1, 1, 1))
        inputs[f"{path}.2.1"] = F.conv2d(scaled, modules[name].weight, groups=len(norm.weight))
    return inputs


def test_synaptic_operations_are_the_products_that_are_not_zero(model, images, table):
    modules = dict(model.named_modules())
    for name, x in folded_inputs(model, images).items():
        layer = modules[name]
        present = (x != 0).double()
        if isinstance(layer, torch.nn.Linear):
            products = present.sum() * layer.out_features
        else:  # the same convolution with all weights 1 counts the products that each output adds up
            ones = torch.ones_like(layer.weight)
            convolve = F.conv1d if layer.weight.ndim == 3 else F.conv2d
            products = convolve(present, ones, None, layer.stride, layer.padding, 1, layer.groups).sum()
        assert table.loc[name, "synops"] == pytest.approx(products.item() / len(images), rel=1e-12), name
        assert table.loc[name, "spikes"] == pytest.approx(present.sum().item() / len(images), rel=1e-12), name
        channels = present.transpose(0, 1).flatten(1).sum(1) if present.ndim > 3 or "fc" in name else None
        if channels is not None and channels.max() > 0:
            assert table.loc[name, "balance"] == pytest.approx((channels.mean() / channels.max()).item()), name
    assert (table["synops"] <= table["macs"] * table["time_steps"]).all()


def test_attention_operations_are_coincident_pairs(model, images, table):
    path, heads = "block3.1.attn", model.config.heads
    spikes: dict[str, np.ndarray] = {}
    names = [f"{path}.{matrix}_lif" for matrix in "qkv"]
    with evaluating(model), watching(model, names, lambda name, _, out: spikes.update({name[-5]: out.numpy()})):
        model(images)
    pairs = met = 0
    for t, b, head in np.ndindex(model.config.time_steps, len(images), heads):
        size = spikes["q"].shape[2] // heads
        q, k, v = (spikes[m][t, b, head * size : (head + 1) * size].reshape(size, -1).T for m in "qkv")  # (N, d)
        for token in range(len(q)):  # K^T V is a sum over tokens of outer products
            pairs += np.outer(k[token], v[token]).sum()
        product = k.T @ v
        met += sum(np.count_nonzero(product[i]) for token in range(len(q)) for i in np.flatnonzero(q[token]))
    assert pairs > 0
    assert met > 0
    assert table.loc[f"{path}.kv", "synops"] == pytest.approx(pairs / len(images))
    assert table.loc[f"{path}.qkv", "synops"] == pytest.approx(met / len(images))
    assert table.loc[f"{path}.kv", "spikes"] == pytest.approx(spikes["k"].sum() / len(images))
    assert table.loc[f"{path}.qkv", "spikes"] == pytest.approx(spikes["q"].sum() / len(images))


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 3), st.integers(0, 3))
def test_fan_out_counts_the_windows_over_each_pixel(size, kernel, stride, padding):
    if size + 2 * padding < kernel:
        return
    counts = [0] * size
    for start in range(-padding, size + padding - kernel + 1, stride):
        for pixel in range(start, start + kernel):
            if 0 <= pixel < size:
                counts[pixel] += 1
    assert fan_out(size, kernel, stride, padding).tolist() == counts


@settings(max_examples=5)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_batches_do_not_change_the_table(model, images, whole, sizes):
    parts = [*images.split([*sizes, 0])] if sum(sizes) == len(images) else [images[: sizes[0]], *images[sizes[0] :]]
    pd.testing.assert_frame_equal(sviT_models.profile(model, parts), whole.reset_index(drop=True), rtol=1e-12)


def test_profiling_leaves_no_trace(images):
    model = small().train()
    modes = [module.training for module in model.modules()]
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    sviT_models.profile(model, images)
    sviT_models.spike_health(model, images)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_hooks_go_even_when_the_run_fails(model):
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(sviT_models.ModelError, match=r"after one of \(3, 32, 32\)"))
        sviT_models.profile(model, [torch.zeros(3, 32, 32), torch.zeros(3, 48, 48)])
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("images", [torch.zeros(0, 3, 32, 32), []])
def test_a_profile_of_nothing_is_refused(model, images):
    with pytest.raises(sviT_models.ModelError, match="no images"):
        sviT_models.profile(model, images)


def test_health_names_dead_and_saturated_neurons(model, images):
    model = small()
    with torch.no_grad():  # block3.0: MLP neurons 0-3 of fc2 never fire, 4-5 always do: their drive is the norm's bias
        norm = model.block3[0].mlp.fc1_bn
        norm.weight[:6] = 0.0
        norm.bias[:4], norm.bias[4:6] = -1.0, 9.0
    health = sviT_models.spike_health(model, [images[:2], images[2:]]).set_index("name")
    row = health.loc["block3.0.mlp.fc2_lif"]
    seen: list[torch.Tensor] = []
    with evaluating(model), watching(model, ["block3.0.mlp.fc2_lif"], lambda name, _, out: seen.append(out)):
        model(images)
    spikes = seen[0].flatten(2).numpy()  # (T, B, neurons)
    assert row["neurons"] == 32 * 3 * 2 == spikes.shape[2]
    assert row["dead"] == pytest.approx((spikes.sum((0, 1)) == 0).mean())
    assert row["saturated"] == pytest.approx((spikes.sum((0, 1)) == 2 * 5).mean())
    assert row["dead"] >= 4 / 32 - 1e-12
    assert row["saturated"] >= 2 / 32 - 1e-12
    assert [row["rate_1"], row["rate_2"]] == pytest.approx(spikes.mean((1, 2)).tolist())
    assert row["rate"] == pytest.approx(spikes.mean())
    names, counts = sviT_models.spike_counts(model, images)
    np.testing.assert_allclose(health["rate_2"] * health["neurons"] * 5, counts[:, 1])
    assert list(health.index) == names
