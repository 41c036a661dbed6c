"""What files and arguments hold does not steer the terminal, and is no markup."""

from hypothesis import given
from hypothesis import strategies as st

from dse.commands._show import print_rows, printable


@given(st.text())
def test_nothing_that_is_printed_steers_the_terminal(text):
    shown = printable(text)
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in shown)
    assert printable(shown) == shown
    assert shown == text or len(shown) > len(text)


def test_tables_show_names_as_they_are(capsys):
    print_rows([{"[b]class": "\x1b[31mred", "n": 1}, {"[b]class": "[/x] [red]y", "n": 2}], "a\x9bb")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert all(text in out for text in ("\\x1b[31mred", "[/x] [red]y", "[b]class", "a\\x9bb"))


def test_a_mistake_in_a_hostile_name_is_one_line(svit):
    for words in (("check", "a\x1b[2J\nb.yaml"), ("estimate", "\x1b]0;x\x07"), ("report", "\x9b5m")):
        said = svit(*words)
        assert said.status == 2
        assert not set("\x1b\x07\x9b") & set(said.err)
