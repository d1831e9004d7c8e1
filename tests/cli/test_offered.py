"""The options of plugins are flags of the commands that run them, and only there."""

import argparse

import pytest

from nwbridge.cli import main
from nwbridge.cli.main import COMMANDS
from nwbridge.cli.offered import OPTIONS_OF, add_options, listing, options_in, records, takes_names
from nwbridge.options import flags
from nwbridge.plugins import installed

NAMED = [(command, one) for command in OPTIONS_OF if takes_names(command) for one in records(command)]


def test_every_command_that_takes_options_is_one():
    assert set(OPTIONS_OF) <= set(COMMANDS)
    assert [command for command in OPTIONS_OF if takes_names(command)] == ["process", "score", "export"]


@pytest.mark.parametrize("command", ["metadata", "validate", None, "nope"])
def test_other_commands_run_nothing_by_name(command):
    assert not takes_names(command)


@pytest.mark.parametrize(("command", "record"), NAMED, ids=lambda value: getattr(value, "name", value))
def test_the_help_of_everything_that_is_installed_shows_its_options_and_their_defaults(capsys, command, record):
    with pytest.raises(SystemExit) as end:
        main([command, record.name, "--help"])
    assert end.value.code == 0
    out = "".join(capsys.readouterr().out.split())  # its lines are cut at blanks and hyphens
    for flag in flags(record.options):
        assert flag.flag in out
        assert "".join(flag.help.split()) in out
        assert flag.default is None or f"(default{str(flag.default).lower()})" in out.lower()


def test_all_sources_offer_their_options_but_only_what_is_named_of_the_rest():
    assert [one.name for one in records("convert", ["a.h5"])] == list(installed().sources())
    assert records("score", ["score", "a.json", "b.json"]) == []
    assert [one.name for one in records("score", ["--threshold", "5", "neurofinder", "a"])] == ["neurofinder"]


def test_steps_in_a_list_offer_theirs_in_its_order():
    names = [one.name for one in records("process")]
    assert len(names) > 1
    assert [one.name for one in records("process", [",".join(reversed(names[:2])), "a.nwb"])] == names[1::-1]


def test_options_that_were_given_are_told_from_the_command_s_own():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--json", action="store_true")
    add_options(parser, "score", ["neurofinder"])
    given = parser.parse_args(["neurofinder", "--json", "--threshold", "5", "--rejected"])
    assert options_in(given) == {"threshold": "5", "rejected": "true"}
    assert options_in(parser.parse_args(["neurofinder"])) == {}


def test_names_in_a_list_stand_in_columns():
    first, *lines, last = listing("process").splitlines()
    assert (first, last) == ("installed:", "nwbridge process NAME --help lists the options of one")
    assert len({len(line) - len(one.title) for line, one in zip(lines, records("process"), strict=True)}) == 1
