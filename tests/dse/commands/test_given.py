"""A mistake in an option is said with the option, although the configuration has a key of the same kind."""

import pytest

from costmodels import CostError
from dse.commands._given import named, using
from dse.errors import ConfigError
from sviT_models.errors import ModelError

GIVEN = {"network": "own/net.py:make", "option": ["depth=2", "heads=x"], "checkpoint": "none", "hardware": "pent"}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("net.py:make has no option depth; there are: steps", "--option depth=2: net.py:make has no option depth; "),
        ("heads is 'x'; expected an integer", "--option heads=x: heads is 'x'; expected an integer"),
        ("own/net.py:make: no such Python file", "--network own/net.py:make: no such Python file"),
        ("no checkpoint 'none'; there are: a, b", "--checkpoint none: no checkpoint 'none'; there are: a, b"),
        ("pent: neither a file nor a shipped accelerator", "--hardware pent: neither a file nor"),
        ("--hours 3: cannot be with --images", "--hours 3: cannot be with --images"),
        ("pentium: the description says nonesuch", None),
        ("option depths is unknown", None),
    ],
)
def test_the_option_is_in_front_whose_value_the_message_names(message, said):
    found = named(message, GIVEN)
    assert (found is None) if said is None else found.startswith(said)


@pytest.mark.parametrize("kind", [ConfigError, CostError, ModelError])
def test_the_line_of_a_file_is_named_where_the_file_decides(tmp_path, kind):
    path = tmp_path / "my.yaml"
    path.write_text("frame_rate: 30\nhardware: generic_45nm\n")
    message = "pentium: neither a file nor a shipped accelerator; there are: generic_45nm"
    for given, said in ((None, f"{path}:2: hardware: {message}"), ("pentium", f"--hardware {message}")):
        with pytest.raises(ConfigError) as raised, using(path, hardware=given):
            raise kind(message)
        assert str(raised.value) == said
