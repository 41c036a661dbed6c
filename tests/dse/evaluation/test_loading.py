"""Loading what a configuration names."""

import pytest

from dse.config.schema import Config, Data
from dse.errors import ConfigError
from dse.evaluation.loading import load_at_most


def test_data_that_change_over_time_are_refused_on_one_line():
    config = Config(checkpoint="sdtv2_tiny_digits", data=Data(name="event_glyphs"))
    with pytest.raises(ConfigError, match=r"^data.name 'event_glyphs': has 4 frames per sample; .* takes still images"):
        load_at_most(config, "search", 2)
