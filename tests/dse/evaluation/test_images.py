"""The images of a data set by what they are for."""

import pytest

from dse.config.schema import Config, Data
from dse.errors import ConfigError
from dse.evaluation.prepare import image_source


def test_data_that_change_over_time_are_refused_on_one_line():
    source = image_source(Config(checkpoint="sdtv2_tiny_digits", data=Data(name="event_glyphs")))
    with pytest.raises(ConfigError, match=r"^data.name 'event_glyphs': has 4 frames per sample; .* takes still images"):
        source.at_most("search", 2)
