import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import sviT_models
from sviT_models.checkpoints.files import load_checkpoint, read_metadata, save_checkpoint
from sviT_models.hashing import sha256
from tests import goldens


def official_state(column: str = "tiny", distilled: bool = False) -> dict[str, torch.Tensor]:
    """A state_dict in the layout of the official files, which store float32 and integer counters."""
    shapes = goldens.official_state(column)
    if distilled:
        classes, width = shapes["head.weight"]
        shapes |= {"head_kd.weight": (classes, width), "head_kd.bias": (classes,)}
    return {key: torch.from_numpy(goldens.weight(key, shape)) for key, shape in shapes.items()}


def official_file(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """As the official training script writes it: weights, optimizer, counters, and the arguments of the run."""
    arguments = argparse.Namespace(model="metaspikformer", lr=6e-4, kd=False, output_dir="./out", gpu=None)
    torch.save({"model": state, "optimizer": {"state": {}}, "epoch": 199, "scaler": {}, "args": arguments}, path)
    return path


def message(path: Path, **options: object) -> str:
    with pytest.raises(sviT_models.ModelError) as error:
        load_checkpoint(path, **options)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text


def logits(model: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        return model.double()(torch.from_numpy(goldens.images((4, 3, 32, 32), seed=1)).double()).numpy()


@pytest.mark.parametrize("time_steps", [1, 4])
@pytest.mark.parametrize("distilled", [False, True])
def test_an_official_file_gives_the_official_logits(tmp_path, distilled, time_steps):
    path = official_file(tmp_path / "weights.pth", official_state(distilled=distilled))
    model = load_checkpoint(path, "sdtv2_tiny", distilled=distilled, time_steps=time_steps)
    recorded = np.load(goldens.DATA / f"golden_tiny_{'kd_' if distilled else ''}32.npz")
    np.testing.assert_allclose(logits(model), recorded[f"logits_f64_T{time_steps}"], rtol=0, atol=1e-9)
    assert not model.training


def plain(state, path):
    torch.save(state, path)


def old(state, path):
    torch.save({"model": state}, path, _use_new_zipfile_serialization=False)


def parallel(state, path):
    torch.save({"state_dict": {f"module.{key}": tensor for key, tensor in state.items()}}, path)


def compiled(state, path):
    torch.save({"model": {f"_orig_mod.{key}": tensor for key, tensor in state.items()}}, path)


def compiled_parallel(state, path):
    torch.save({f"_orig_mod.module.{key}": tensor for key, tensor in state.items()}, path)


def parallel_compiled(state, path):
    torch.save({f"module._orig_mod.{key}": tensor for key, tensor in state.items()}, path)


def averaged(state, path):
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    save_file({"n_averaged": torch.tensor(5), **wrapped}, path)


def half(state, path):  # float16 is exact in float32, not the other way round: compare with the rounded weights
    torch.save({key: t.half() if t.is_floating_point() else t for key, t in state.items()}, path)


@pytest.mark.parametrize(
    "write",
    [plain, old, parallel, compiled, compiled_parallel, parallel_compiled, averaged, half, save_file],
)
def test_every_layout_gives_the_same_network(tmp_path, write):
    state = official_state()
    write(state, tmp_path / "weights")
    model = load_checkpoint(tmp_path / "weights")
    for key, tensor in model.state_dict().items():
        rounded = state[key].half().float() if write is half and state[key].is_floating_point() else state[key]
        assert tensor.dtype == state[key].dtype
        assert torch.equal(tensor, rounded), key


def test_name_and_classes_come_from_the_shapes(tmp_path):
    model = load_checkpoint(official_file(tmp_path / "weights.pth", official_state()))
    assert model.config == sviT_models.ModelConfig("sdtv2_tiny", (16, 32, 64, 80), num_classes=10)


def test_a_saved_network_comes_back_as_it_was(tmp_path):
    options = {"num_classes": 7, "time_steps": 2, "distilled": True, "heads": 4, "attention_scale": 0.5}
    model = sviT_models.build("sdtv2_tiny", **options).eval()
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, model, {"command": "svit-dse train", "seed": 3, "accuracy": 0.985})
    again = load_checkpoint(path)
    assert again.config == model.config
    loaded = again.state_dict()
    assert all(torch.equal(tensor, loaded[key]) for key, tensor in model.state_dict().items())
    notes = read_metadata(path)
    assert (notes["command"], notes["seed"], notes["accuracy"]) == ("svit-dse train", 3, 0.985)
    assert load_checkpoint(path, time_steps=1).config.time_steps == 1
    assert os.listdir(tmp_path) == ["tiny.safetensors"]
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_network_of_own_size_comes_back(tmp_path):
    config = sviT_models.ModelConfig("mine", (4, 6, 8, 12), num_classes=3, time_steps=2, heads=2)
    save_checkpoint(tmp_path / "mine.safetensors", sviT_models.MetaSpikeFormer(config))
    assert load_checkpoint(tmp_path / "mine.safetensors").config == config


def test_a_network_of_a_family_in_a_size_of_its_own_comes_back(tmp_path):
    for name, options in (
        ("qsd_tiny", {"embed_dims": [8, 8, 8, 8]}),
        ("sdtv3_large_tiny_large", {"embed_dims": (8, 8, 16)}),
    ):
        model = sviT_models.build(name, **options, levels=2)
        save_checkpoint(tmp_path / f"{name}.safetensors", model)
        assert load_checkpoint(tmp_path / f"{name}.safetensors").config == model.config


def test_how_many_batches_a_norm_has_seen_may_be_left_out_and_is_where_weights_are_halved(tmp_path):
    model = sviT_models.build("sdtv1_tiny")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())
    whole = model.state_dict()
    save_checkpoint(tmp_path / "half.safetensors", model, half=True)
    with safe_open(tmp_path / "half.safetensors", "pt") as file:
        assert set(file.keys()) == {key for key in whole if not key.endswith("num_batches_tracked")}
    back = load_checkpoint(tmp_path / "half.safetensors").state_dict()
    assert list(back) == list(whole)
    assert all(torch.equal(back[key], whole[key]) for key in whole)
    torch.save({k: v for k, v in whole.items() if k != "block.0.mlp.fc1_bn.running_mean"}, tmp_path / "w.pth")
    assert "1 missing (block.0.mlp.fc1_bn.running_mean)" in message(tmp_path / "w.pth", name="sdtv1_tiny")


def test_all_mismatches_are_listed_with_the_first_few_by_name(tmp_path):
    state = official_state()
    for key in [key for key in state if key.startswith("block3.5.")]:
        state[f"extra.{key}"] = state.pop(key)
    lost = sum(key.startswith("block3.5.") for key in goldens.official_state("tiny"))
    text = message(official_file(tmp_path / "w.pth", state), name="sdtv2_tiny")
    assert f"{lost} missing (block3.5.attn.q_conv.0.body.0.weight, " in text
    assert f"and {lost - 4} more)" in text
    assert f"{lost} unexpected (extra.block3.5." in text


def test_the_likely_causes_are_suggested(tmp_path):
    kd = official_file(tmp_path / "kd.pth", official_state(distilled=True))
    text = message(kd)
    assert "2 unexpected (head_kd.weight, head_kd.bias); has head_kd.*: pass --distilled" in text
    assert "does not fit sdtv2_tiny" in text

    bare = official_file(tmp_path / "bare.pth", official_state())
    assert "2 missing (head_kd.weight, head_kd.bias); has no head_kd.*: leave out" in message(bare, distilled=True)
    text = message(bare, num_classes=1000)
    assert "head.weight (10, 80) instead of (1000, 80)" in text
    assert "has 10 classes, not 1000" in text
    assert "this looks like sdtv2_tiny" in message(bare, name="sdtv2_8_256")

    with torch.device("meta"):
        state = sviT_models.build("sdtv2_8_384").state_dict()
    large = official_file(
        tmp_path / "large.pth", {key: torch.zeros(t.shape, dtype=t.dtype) for key, t in state.items()}
    )
    text = message(large, name="sdtv2_8_512")
    assert "downsample1_1.encode_conv.weight (48, 3, 7, 7) instead of (64, 3, 7, 7)" in text
    assert "this looks like sdtv2_8_384" in text

    other = official_file(tmp_path / "other.pth", {"patch_embed.proj.weight": torch.zeros(4, 3, 16, 16)})
    assert "another architecture" in message(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_name_their_tensor(tmp_path, value):
    state = official_state()
    state["block3.2.mlp.fc1_conv.weight"][5, 3] = value
    text = message(official_file(tmp_path / "w.pth", state))
    assert "block3.2.mlp.fc1_conv.weight holds 1 of 16384 values that are NaN or infinite" in text  # 256 * 64


def test_weights_of_another_type_and_impossible_statistics_are_named(tmp_path):
    state = official_state()
    state["head.weight"] = state["head.weight"].to(torch.int8)
    assert "head.weight has type torch.int8" in message(official_file(tmp_path / "w.pth", state))
    state = official_state()
    state["downsample2.encode_bn.running_var"][0] = -1.0
    assert "downsample2.encode_bn.running_var holds a negative" in message(official_file(tmp_path / "v.pth", state))


class Trap:
    def __reduce__(self):
        return os.mkdir, (str(Trap.folder),)


def test_a_pickle_with_code_is_not_run(tmp_path):
    Trap.folder = tmp_path / "trap"
    torch.save({"model": official_state(), "extra": Trap()}, tmp_path / "w.pth")
    text = message(tmp_path / "w.pth")
    assert "mkdir, which could run code and is not loaded" in text
    assert not Trap.folder.exists()


@pytest.mark.parametrize("kind", ["safetensors", "zip", "old"])
@pytest.mark.parametrize("kept", [0.999, 0.5, 0.001])
def test_a_truncated_file_is_called_so(tmp_path, kind, kept):
    path = tmp_path / "w.bin"
    {"safetensors": save_file, "zip": plain, "old": old}[kind](official_state(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "truncated or corrupt" in message(path)


def test_files_that_are_no_checkpoints_are_named(tmp_path):
    assert "is a folder" in message(tmp_path)
    assert "no such checkpoint" in message(tmp_path / "absent.pth")
    (tmp_path / "empty.pth").touch()
    assert "is empty" in message(tmp_path / "empty.pth")
    (tmp_path / "notes.txt").write_text("weights to come")
    assert "neither safetensors nor" in message(tmp_path / "notes.txt")
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    assert "holds a list; expected a state_dict" in message(tmp_path / "list.pth")
    torch.save({"model": {"epoch": 3}}, tmp_path / "number.pth")
    assert "entry 'epoch' is of type int" in message(tmp_path / "number.pth")


def test_tensors_of_odd_shapes_and_layouts_are_named(tmp_path):
    state = official_state()
    state["head.weight"] = torch.tensor(1.0)
    state["downsample1_1.encode_conv.weight"] = torch.tensor(1.0)
    assert "head.weight () instead of (10, 80)" in message(official_file(tmp_path / "w.pth", state))
    state["head.weight"] = torch.eye(80).to_sparse()
    assert "'head.weight' is of type torch.sparse_coo" in message(official_file(tmp_path / "v.pth", state))
    state["head.weight"] = torch.eye(80, device="meta")
    assert "'head.weight' is of type tensor without data" in message(official_file(tmp_path / "u.pth", state))


def test_spoilt_metadata_is_named(tmp_path):
    state = official_state()
    save_file(state, tmp_path / "a", metadata={"config": "{"})
    assert "metadata is not JSON" in message(tmp_path / "a")
    save_file(state, tmp_path / "deep", metadata={"config": "[" * 100_000})
    assert "metadata is not JSON" in message(tmp_path / "deep")
    save_file(state, tmp_path / "b", metadata={"config": json.dumps({"depth": 3})})
    assert "expected build options" in message(tmp_path / "b")
    save_file(state, tmp_path / "c", metadata={"config": json.dumps({"name": "sdtv2_tiny", "heads": 3})})
    assert "heads is 3" in message(tmp_path / "c")
    much = {"name": "sdtv2_tiny", "attention_scale": "much"}
    for options, said in (
        ({"name": "mine"}, "expected build options"),
        (much, "sdtv2_tiny cannot be built with attention_scale='much'"),
        ([1], "expected build options"),
        ({"name": 1}, "expected build options"),
        ({"name": ["sdtv2_tiny"]}, "expected build options"),
    ):
        save_file(state, tmp_path / "d", metadata={"config": json.dumps(options)})
        assert said in message(tmp_path / "d")


def test_a_name_that_is_not_in_the_zoo_is_refused(tmp_path):
    path = official_file(tmp_path / "w.pth", official_state())
    assert "no model 'resnet'; the nearest names are: " in message(path, name="resnet")


def test_saving_is_refused_with_a_reason(tmp_path):
    model = sviT_models.build("sdtv2_tiny", num_classes=2)
    with pytest.raises(sviT_models.ModelError, match=r"name it .*w\.safetensors"):
        save_checkpoint(tmp_path / "w.pth", model)
    with pytest.raises(sviT_models.ModelError, match="no such folder"):
        save_checkpoint(tmp_path / "absent" / "w.safetensors", model)
    model.head = torch.nn.Linear(80, 3)
    with pytest.raises(sviT_models.ModelError, match=r"2 misshapen \(head.weight \(3, 80\) instead of \(2, 80\)"):
        save_checkpoint(tmp_path / "w.safetensors", model)
    assert os.listdir(tmp_path) == []
