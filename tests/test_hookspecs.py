"""The records of the contract check themselves when they are made."""

import dataclasses
import inspect

import pytest

from nwbridge import Check, Export, Movie, PluginFault, Processor, Score, Source, option
from nwbridge.cli.offered import OPTIONS_OF
from nwbridge.hookspecs import RESERVED, Hooks
from nwbridge.plugins import _RECORDS


def nothing(*arguments):
    """Does nothing."""


def source(**changes):
    return Source(
        **({"name": "mine", "title": "my files", "detect": nothing, "describe": nothing, "example": nothing} | changes)
    )


def processor(**changes):
    return Processor(**({"name": "mine", "title": "a step", "takes": (Movie,), "run": nothing} | changes))


def check(**changes):
    return Check(**({"name": "mine", "run": nothing} | changes))


def score(**changes):
    return Score(**({"name": "mine", "title": "a score", "run": nothing} | changes))


def export(**changes):
    return Export(**({"name": "mine", "title": "a file", "make": nothing} | changes))


@pytest.mark.parametrize("make", [source, processor, check, score, export])
@pytest.mark.parametrize("name", ["Mine", "my files", "", "a/b", "mine\n", None, 5, "-mine", "käse"])
def test_a_name_is_a_short_lower_case_word(make, name):
    with pytest.raises(PluginFault, match="expected a short lower-case word such as 'neurofinder'"):
        make(name=name)


@pytest.mark.parametrize("name", ["neurofinder", "suite2p", "open-ephys", "ndx_x", "2p"])
def test_common_names_are_taken(name):
    assert source(name=name).name == name


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (source, "detect"),
        (source, "describe"),
        (source, "example"),
        (processor, "run"),
        (processor, "run_together"),
        (check, "run"),
        (score, "run"),
        (export, "make"),
    ],
)
def test_what_should_be_a_function_is_one(make, function):
    with pytest.raises(PluginFault, match=f"mine: {function} is not a function"):
        make(**{function: "detect"})


@pytest.mark.parametrize("make", [source, processor, score, export])
def test_a_title_is_text(make):
    with pytest.raises(PluginFault, match="mine: the title is None; expected a line of text"):
        make(title=None)


@pytest.mark.parametrize("make", [source, processor, score, export])
def test_options_are_checked_at_once(make):
    @dataclasses.dataclass(frozen=True)
    class Options:
        bands: list = option(None, "not possible")  # noqa: RUF009

    with pytest.raises(PluginFault, match=r"Options\.bands"):
        make(options=Options)


@pytest.mark.parametrize("make", [source, processor, score, export])
@pytest.mark.parametrize("name", ["series", "light", "rows_first", "out", "workers", "threads"])
def test_no_option_takes_the_flag_of_a_command(make, name):
    options = dataclasses.make_dataclass("Options", [(name, int, option(1, "taken"))], frozen=True)
    with pytest.raises(PluginFault, match=f"mine: option {name} has the name of a flag of nwbridge"):
        make(options=options)


@pytest.mark.parametrize("field", ["takes", "beside"])
@pytest.mark.parametrize("kinds", [Movie, [Movie], ("Movie",)])
def test_a_processor_takes_types_in_a_tuple(field, kinds):
    with pytest.raises(PluginFault, match=f"Processor mine: {field} is .*; expected a tuple of types"):
        processor(**{field: kinds})


def test_a_processor_takes_something():
    with pytest.raises(PluginFault, match="Processor mine takes nothing; expected one type of element or more"):
        processor(takes=())


def test_a_processor_need_not_work_on_several_at_once():
    assert processor().run_together is None
    assert processor(run_together=nothing).run_together is nothing


def test_a_check_names_sources_in_a_tuple():
    with pytest.raises(PluginFault, match="Check mine: applies_to is 'neurofinder'; expected a tuple of names"):
        check(applies_to="neurofinder")
    assert check(applies_to=("neurofinder",)).applies_to == ("neurofinder",)


def test_the_registry_knows_every_hook():
    hooks = {name for name, _ in inspect.getmembers(Hooks, inspect.isfunction)}
    assert hooks == set(_RECORDS)


@pytest.mark.parametrize("hook", sorted(_RECORDS))
def test_every_hook_takes_nothing_and_is_documented(hook):
    function = getattr(Hooks, hook)
    assert list(inspect.signature(function).parameters) == ["self"]
    assert function.__doc__


def test_no_option_of_a_plugin_can_have_the_name_of_a_flag():
    from nwbridge.cli.main import build_parser

    commands = build_parser()._subparsers._group_actions[0].choices
    own = {
        flag.removeprefix("--").replace("-", "_")
        for name in OPTIONS_OF
        for action in commands[name]._actions
        for flag in action.option_strings
        if flag.startswith("--")
    }
    assert own == RESERVED
