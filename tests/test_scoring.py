"""A score is asked for by name, with checked options; what it returns is plain values."""

import dataclasses
import json
import math

import numpy as np
import pytest

import nwbridge
from nwbridge import Ambiguous, BadOption, BadSource, Finding, PluginFault, Score, Scores, option
from nwbridge.plugins import Plugin, Registry


@dataclasses.dataclass(frozen=True)
class Options:
    bin_s: float = option(0.04, "seconds in a bin")


def registry_of(run):
    return Registry((Plugin("mine", "nwbridge-mine", "1.2", scores=(Score("likeness", "how alike", run, Options),)),))


def returning(*rows, **parts):
    return registry_of(lambda truth, result, options: Scores(rows, **parts))


@pytest.fixture
def files(tmp_path):
    for name in ("truth", "result"):
        (tmp_path / name).write_text(name)
    return tmp_path / "truth", tmp_path / "result"


def test_a_score_is_given_both_paths_and_its_options(files):
    def run(truth, result, options):
        row = {"truth": truth.read_text(), "result": result.read_text(), "bin_s": options.bin_s}
        return Scores((row,), {"bin_s": options.bin_s}, (Finding("hint", "short recording"),))

    scored = nwbridge.score("likeness", *map(str, files), options={"bin-s": "0.2"}, registry=registry_of(run))
    assert scored.rows == ({"truth": "truth", "result": "result", "bin_s": 0.2},)
    assert scored.conventions == {"bin_s": 0.2}
    assert (scored.score, scored.plugin) == ("likeness", "nwbridge-mine 1.2")
    assert (scored.truth, scored.result) == tuple(map(str, files))
    assert [finding.message for finding in scored.findings] == ["short recording"]
    assert scored.ok


def test_numbers_of_any_kind_become_what_json_can_hold(files):
    row = {"a": np.float32(0.5), "b": np.int64(3), "c": math.nan, "d": -math.inf, "e": None, "f": np.bool_(True)}
    scored = nwbridge.score("likeness", *files, registry=returning(row, conventions={"threshold": math.inf}))
    read = json.loads(json.dumps(scored.as_json(), allow_nan=False))
    assert read["rows"] == [{"a": 0.5, "b": 3, "c": None, "d": "-inf", "e": None, "f": True}]
    assert read["conventions"] == {"threshold": "inf"}
    assert read["ok"] is True


def test_a_finding_that_is_an_error_makes_it_not_ok(files):
    findings = (Finding("error", "these are of two recordings"),)
    assert not nwbridge.score("likeness", *files, registry=returning({"r": 1.0}, findings=findings)).ok


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("likenes", {}, "there is no score likenes; did you mean likeness?"),
        ("zzz", {}, "there is no score zzz; installed: likeness"),
        ("likeness", {"bins": 3}, r"score likeness has no option --bins; did you mean --bin-s\?"),
        ("likeness", {"bin_s": "x"}, "--bin-s x: expected a number"),
    ],
)
def test_a_wrong_name_or_option_is_answered_with_the_nearest(files, name, options, message):
    with pytest.raises(BadOption, match=message):
        nwbridge.score(name, *files, options=options, registry=returning({"r": 1.0}))


@pytest.mark.parametrize("name", ["absent", "x" * 5000])
@pytest.mark.parametrize("place", [0, 1])
def test_both_paths_have_to_be_there(files, name, place):
    paths = list(files)
    paths[place] = files[0].with_name(name)
    with pytest.raises(BadSource, match=f"{name} does not exist"):
        nwbridge.score("likeness", *paths, registry=returning({"r": 1.0}))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"r": 1.0}, "returned a dict; expected Scores"),
        (Scores(()), "returned no row; expected one for each thing compared"),
        (Scores(({"r": [1.0]},)), "returned a list; expected numbers and text"),
        (Scores(({"r": np.ones(3)},)), "returned a ndarray; expected numbers and text"),
        (Scores(({"r": 1.0},), {}, ("odd",)), "returned findings that are none; expected Finding"),
    ],
)
def test_a_score_that_breaks_its_contract_is_named(files, found, message):
    with pytest.raises(PluginFault, match=rf"^nwbridge-mine 1\.2: score likeness {message}$"):
        nwbridge.score("likeness", *files, registry=registry_of(lambda *_: found))


def test_a_score_that_fails_is_named(files):
    def fail(truth, result, options):
        raise KeyError("rate")

    with pytest.raises(PluginFault, match=r"nwbridge-mine 1\.2 failed while scoring .*result: KeyError: 'rate'"):
        nwbridge.score("likeness", *files, registry=registry_of(fail))


@pytest.mark.parametrize(
    ("error", "message", "said"),
    [
        (BadOption, "x holds 2 recordings: convert them into a folder, or choose one with --only NAME",
         "x holds 2 recordings: convert them into a folder, and give one of the files"),
        (Ambiguous, "x could be both (a; b): choose with --source NAME",
         "x could be both (a; b): convert it with nwbridge convert --source NAME, and give that file"),
    ],
)  # fmt: skip
def test_advice_names_no_flag_that_scores_do_not_have(files, error, message, said):
    def run(truth, result, options):
        raise error(message)

    with pytest.raises(error) as raised:
        nwbridge.score("likeness", *files, registry=registry_of(run))
    assert str(raised.value) == said
