"""A plain state_dict does not say how its network runs: what was assumed is said, and can be set."""

from dataclasses import replace

import pytest
import torch

import sviT_models
from dse.config.schema import Config, Data, Network, Quantization, Search
from dse.workflows.search_steps import prepare
from dse.workflows.search_values import SILENT
from sviT_models import ModelError

FEW = Data(search_images=10, verify_images=10, fisher_images=10, calibration_images=10)


@pytest.fixture
def plain(tmp_path):
    """The weights of a network that runs two time steps, and nothing else."""
    torch.save(sviT_models.open_checkpoint("sdtv2_tiny_digits").model.state_dict(), tmp_path / "plain.pth")
    return str(tmp_path / "plain.pth")


def test_a_search_says_what_was_assumed_and_takes_what_is_given(plain):
    heard = []
    config = Config(
        checkpoint=plain, data=FEW, quantization=Quantization(method="nearest"), search=Search(strategy="random")
    )
    told = prepare(config, hear=replace(SILENT, say=heard.append))
    assert told.experiment.network.time_steps == 4
    said = next(line for line in heard if "assumed" in line)
    assert "does not say time steps, heads, attention scale" in said
    assert "time_steps 4, heads 8, attention_scale 0.125" in said
    heard.clear()
    given = {"time_steps": 2, "heads": 8, "attention_scale": 0.125}
    told = prepare(
        config.model_copy(update={"network": Network(name="sdtv2_tiny", options=given)}),
        hear=replace(SILENT, say=heard.append),
    )
    assert told.experiment.network.time_steps == 2
    assert not any("assumed" in line for line in heard)
    assert isinstance(told.experiment.network.model, sviT_models.MetaSpikeFormer)


def test_files_that_say_so_assume_nothing(plain):
    assert sviT_models.open_checkpoint("sdtv2_tiny_digits").assumed == ""
    assert "heads 8" in sviT_models.open_checkpoint(plain, time_steps=2).assumed
    assert "time_steps" not in sviT_models.open_checkpoint(plain, time_steps=2).assumed
    with pytest.raises(ModelError, match="depth is not an option of a checkpoint"):
        sviT_models.open_checkpoint(plain, options={"depth": 3})
