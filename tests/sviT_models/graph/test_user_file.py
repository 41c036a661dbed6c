"""Networks from a Python file that the user names."""

import pytest
from torch import nn

from sviT_models.errors import ModelError
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.user_file import GROUP, installed_network, user_network
from tests.own_code import installed

GOOD = """
from torch import nn
import beside
from sviT_models.graph.neurons import SpikingLaw

NEURONS = {"MyNeuron": SpikingLaw(tau=4.0)}

def make(width=3):
    return nn.Linear(width, beside.CLASSES)

def build():
    return nn.Linear(1, 1)

def number():
    return 3

def fails():
    return 1 / 0
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("CLASSES = 7\n")
    path = tmp_path / "my_model.py"
    path.write_text(GOOD)
    return path


def test_a_function_of_the_file_makes_the_network(file):
    found = user_network(f"{file}:make", {"width": 5})
    assert isinstance(found.module, nn.Linear)
    assert (found.module.in_features, found.module.out_features) == (5, 7)
    assert not found.module.training
    assert found.neurons == {"MyNeuron": SpikingLaw(tau=4.0)}


def test_build_is_the_function_where_none_is_named(file):
    assert user_network(str(file)).module.out_features == 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("none", r"my_model.py: no function or class 'none'; it has: make, build, number, fails"),
        ("number", r"my_model.py:number gives a int; expected a torch.nn.Module"),
        ("fails", r"my_model.py:fails: line 18: ZeroDivisionError: division by zero"),
    ],
)
def test_functions_that_make_no_network_are_refused(file, function, message):
    with pytest.raises(ModelError, match=message) as raised:
        user_network(f"{file}:{function}")
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_run_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no such Python file; expected FILE.py:FUNCTION"):
        user_network(f"{tmp_path}/none.py:make")
    (tmp_path / "bad.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(ModelError, match=r"bad.py: line 2: SyntaxError"):
        user_network(f"{tmp_path}/bad.py:f")
    (tmp_path / "missing.py").write_text("import no_such_library\n")
    with pytest.raises(ModelError, match=r"missing.py: line 1: ModuleNotFoundError: No module named 'no_such_library'"):
        user_network(f"{tmp_path}/missing.py:f")


def test_an_installed_package_gives_its_network_with_its_neurons(tmp_path):
    names = "own = own_network:make\nthree = own_network:number\nfive = own_network:FIVE"
    text = GOOD.replace("import beside\n", "FIVE = 5\n").replace("beside.CLASSES", "7")
    with installed(tmp_path, {GROUP: names}, own_network=text):
        found = installed_network("own", {"width": 5})
        assert (found.module.in_features, found.module.out_features) == (5, 7)
        assert found.neurons == {"MyNeuron": SpikingLaw(tau=4.0)}
        with pytest.raises(ModelError, match=r"^entry point three gives a int; expected a torch.nn.Module"):
            installed_network("three")
        with pytest.raises(ModelError, match=r"^entry point five: names no function"):
            installed_network("five")
