from pathlib import Path

import pytest

from dse.config.file import dump_config, load_config, template
from dse.config.schema import Config
from dse.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_template_is_the_default(tmp_path):
    assert load_config(written(tmp_path, template())) == Config()


def test_every_key_of_the_template_has_a_comment():
    for line in template().splitlines():
        if line and not line.lstrip().startswith("#") and not line.endswith(":"):
            assert "  # " in line, line


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n"])
def test_an_empty_file_is_no_search(tmp_path, text):
    with pytest.raises(ConfigError, match=r"my\.yaml: is empty; `svit-dse init my-new\.yaml` writes a commented"):
        load_config(written(tmp_path, text))


def test_what_is_written_reads_back_equal(tmp_path):
    config = load_config(
        written(
            tmp_path,
            "hardware: mine.yaml\nbudgets: {drop: 0.5, memory: 300 kB, energy: 20 uJ}\n"
            "search: {widths: [8, 2, 4], fixed: {head: 8}, options: {a: [1, 2]}}\n",
        )
    )
    assert config.budgets == {"drop": 0.5, "memory": 300e3, "energy": pytest.approx(20e-6)}
    assert config.search.widths == (2, 4, 8)
    assert load_config(written(tmp_path, dump_config(config))) == config


def test_what_was_left_out_stays_out_where_that_is_asked_for(tmp_path):
    text = "network: {name: sdtv2_tiny, options: {time_steps: 1}}\nsearch: {evaluations: 6}\n"
    config = load_config(written(tmp_path, text))
    again = load_config(written(tmp_path, dump_config(config, as_given=True)))
    assert again == config
    assert again.search.model_fields_set == config.search.model_fields_set == {"evaluations"}
    assert load_config(written(tmp_path, dump_config(config))).search.model_fields_set > {"evaluations"}


def test_budgets_become_columns():
    config = Config(budgets={"drop": 1.0, "power": "2 mW"})
    assert config.column_budgets() == {"drop": 1.0, "power_w": pytest.approx(2e-3)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("graph: fused", ":1: unknown key graph; did you mean 'form'?"),
        ("search:\n  graphs: [unfused, fused]", ":2: unknown key search.graphs; did you mean 'forms'?"),
        ("serch:\n  a: 1", ":1: unknown key serch; did you mean 'search'?"),
        ("search:\n  seed: 1\n  evalutions: 3", ":3: unknown key search.evalutions; did you mean 'evaluations'?"),
        ("search:\n  widths: [0, 2]", ":2: search.widths is [0, 2]; width 0 does not exist"),
        ("search:\n  fixed: {head: 9}", ":2: search.fixed: head: width 9 does not exist"),
        ("search:\n  time_steps: [0]", "time steps must be at least 1"),
        ("search:\n  objectives: [drop, power, memory]", "expected [drop, memory, power]"),
        ("search:\n  evaluations: lots", ":2: search.evaluations is 'lots'"),
        ("search:\n  granularity: group", "search.granularity is 'group'"),
        ("budgets:\n  memory: 3 J", "budgets.memory is '3 J'; expected a value in B, such as '300 kB'"),
        ("budgets:\n  mem: 3", "unknown budget 'mem'; there are drop, memory"),
        ("budgets: 3", "expected a mapping"),
        ("budgets:\n  drop: -1", "not negative"),
        ("frame_rate: -1", ":1: frame_rate is -1; expected greater than 0"),
        ("data: {name: [}", "not valid YAML"),
        ("data:\n\t- a", ":2: not valid YAML"),
        ("seed: !!python/object/apply:os.system [ls]", "unknown key seed"),
        ("search: {seed: 3, seed: 4}", "not valid YAML: found duplicate key"),
        ("search: {seed: 1180591620717411303424}", ":1: search.seed is 1180591620717411303424; expected"),  # 2^70
        ("search: {seed: " + "9" * 5000 + "}", ":1: a number of 5000 digits"),
        ("- a\n- b", "expected keys such as"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, expected):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_a_missing_file_names_the_command_that_writes_one(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file; `svit-dse init"):
        load_config(tmp_path / "none.yaml")


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="not a readable YAML text file"):
        load_config(path)
