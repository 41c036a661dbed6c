"""The images of a data set by what they are for."""

import torch

import sviT_models
from dse.config.schema import Config, Data
from dse.evaluation.prepare import image_source


def test_events_become_as_many_frames_as_the_data_or_the_network_say():
    for data, network, expected in (
        ({}, None, 4),
        ({}, {"name": "sdtv1_tiny", "time_steps": 2}, 2),
        ({"frames": 3}, {"name": "sdtv1_tiny", "time_steps": 2}, 3),
    ):
        source = image_source(Config(network=network, data=Data(name="event_glyphs", **data)))
        assert source.at_most("search", 2).images.shape[:3] == (2, expected, 2)


def test_events_are_binned_by_the_rule_of_the_configuration():
    for by in ("count", "time"):
        source = image_source(Config(data=Data(name="event_glyphs", frames=3, binning=by)))
        binning = sviT_models.Binning(3, by)
        wanted = sviT_models.load_data("event_glyphs", "search", count=2, binning=binning).images
        assert torch.equal(source.load("search", 2).images, wanted)
