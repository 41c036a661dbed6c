"""YAML that no person means: one line with its place, before anything is built from it."""

import pytest

from costmodels import CostError
from costmodels.yaml_file import read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
HOSTILE = {
    "ten to the ninth by aliases": (LAUGHS, r":\d: more than 200,000 values, with its aliases written out"),
    "brackets": ("search: " + "[" * 2000 + "]" * 2000, r":1: nested deeper than 40 levels"),
    "digits": ("node: " + "9" * 5000, r":1: a number of 5000 digits"),
    "a mapping as a key": ("? y: {a: 1}\n", r"keys are words|not valid YAML"),
    "long": ("# " + "x" * 4_000_001, r"has more than 4,000,000 bytes"),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(CostError, match=said) as error:
        read_yaml(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))


def test_what_people_write_is_read_with_its_aliases(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: &common {b: [1, 2]}\nc: *common\nd: 0x10\n")
    assert read_yaml(path)["c"]["b"] == [1, 2]
