"""The names of what comes with the package are those under which it is found."""

import pytest

import sviT_models


def test_every_trained_network_of_the_folder_has_a_name():
    names = sviT_models.shipped_names()
    assert "sdtv2_tiny_digits" in names
    assert all(sviT_models.checkpoint_path(name).stem == name for name in names)


@pytest.mark.parametrize("name", sviT_models.dataset_names())
def test_every_data_set_is_loaded_by_its_name(name):
    assert len(sviT_models.load_data(name, "verify", count=36)) == 36
