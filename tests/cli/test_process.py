"""`nwbridge process`, as somebody types it."""

import json
import subprocess
import sys

import h5py
import pytest
from foreign import plain, sha256, with_regions

from nwbridge.cli import main
from nwbridge.plugins import installed

MOCK = """
from steps import ADD, BLINK, DOUBLE, FIND, SHARE
import nwbridge

@nwbridge.hookimpl
def register_processors():
    return [ADD, FIND, DOUBLE, BLINK, SHARE]
"""


@pytest.fixture
def path(tmp_path):
    """A file with a movie and regions."""
    return with_regions(tmp_path / "in file.nwb")


@pytest.fixture
def nwbridge(tmp_path, monkeypatch, capsys):
    """The command with the made-up steps installed; returns exit code, output and errors."""
    site = tmp_path / "site"
    info = site / "nwbridge_made_up-1.5.dist-info"
    info.mkdir(parents=True)
    (site / "nwbt_made_up.py").write_text(MOCK, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nwbridge-made-up\nVersion: 1.5\n", "utf-8")
    (info / "entry_points.txt").write_text("[nwbridge]\nmade-up = nwbt_made_up\n", "utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        return code, out.out, out.err

    yield run
    installed.cache_clear()


def test_it_says_what_was_made_of_what(nwbridge, path, tmp_path):
    code, out, errors = nwbridge("process", "add", path, "out.nwb", "--amount", "2", "--quiet")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "add of TwoPhotonSeries (nwbridge-made-up 1.5)"
    assert [line.split()[0] for line in lines[1:4]] == ["Brighter:", "Pictures:", "Chosen:"]
    assert "30 × 14 × 22 float32" in lines[1]
    assert "verified: every new value was read back" in out
    assert "hint: 2 was added" in out
    assert any(line.startswith("  add") for line in lines[lines.index("history") + 1 :])
    with h5py.File(tmp_path / "out.nwb") as file:
        words = file["general/source_script"].asstr()[()]
    assert words == "nwbridge process add 'in file.nwb' out.nwb --amount 2"


def test_several_steps_run_in_order_with_options_each(nwbridge, path, tmp_path):
    flags = ("--add.amount", "3", "--find.amount=1", "--mode", "twice", "--quiet", "--no-verify")
    code, out, _ = nwbridge("process", "add,find,double", path, "out.nwb", *flags)
    assert code == 0
    assert out.startswith("add of TwoPhotonSeries → find of Brighter → double of Fluorescence_2")
    assert "not verified (--no-verify)" in out
    with h5py.File(tmp_path / "out.nwb") as file:
        parameters = file["analysis/processing_steps/parameters"].asstr()[()]
    assert [dict(json.loads(row)) for row in parameters] == [
        {"amount": 3.0, "mode": "twice", "seed": None},
        {"amount": 1},
        {},
    ]


def test_programs_get_json(nwbridge, path):
    code, out, errors = nwbridge("process", "add", path, "out.nwb", "--json")
    told = json.loads(out)
    assert (code, errors, told["ok"]) == (0, "", True)
    (step,) = told["steps"]
    assert (step["name"], step["made_from"], step["sha256"]) == ("add", ["TwoPhotonSeries"], sha256(path))
    assert [element["name"] for element in told["elements"]] == ["Brighter", "Pictures", "Chosen"]


def test_inspecting_shows_the_history(nwbridge, path):
    nwbridge("process", "add", path, "one.nwb", "--quiet")
    nwbridge("process", "find", "one.nwb", "two.nwb", "--series", "Brighter", "--quiet")
    code, out, _ = nwbridge("inspect", "two.nwb")
    assert code == 0
    lines = out.splitlines()
    rows = lines[lines.index("history") + 1 :][:4]
    assert [row.split()[0] for row in rows] == ["add", "of", "find", "of"]
    assert rows[1].endswith(f"SHA-256 {sha256(path)}")
    assert "of in file.nwb, identifier its-identifier" in rows[1]
    assert "made-up 1.5" in rows[0]
    code, out, _ = nwbridge("inspect", "two.nwb", "--json")
    assert [step["name"] for step in json.loads(out)["steps"]] == ["add", "find"]


def test_a_light_file_is_made_when_asked(nwbridge, path, tmp_path):
    code, _, _ = nwbridge("process", "add", path, "out.nwb", "--light", "--quiet")
    assert code == 0
    with h5py.File(tmp_path / "out.nwb") as file:
        assert list(file["acquisition"]) == []
        assert file["general/source_script"].asstr()[()].endswith("out.nwb --light")


def test_findings_of_a_file_that_dandi_would_refuse_are_told(nwbridge, tmp_path):
    code, out, _ = nwbridge("process", "add", plain(tmp_path / "in.nwb"), "out.nwb", "--quiet")
    assert code == 1
    assert "Subject is missing" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing", "{path}", "out.nwb"), "there is no step nothing"),
        (("add", "{path}", "out.nwb", "--amont", "3"), "amont"),
        (("add", "{path}", "out.nwb", "--amount", "much"), "amount"),
        (("add,find", "{path}", "out.nwb", "--amount", "3"), "say --add.amount or --find.amount"),
        (("add", "{path}", "out.nwb", "--series", "X"), "--series X: in file.nwb has TwoPhotonSeries"),
        (("add", "absent.nwb", "out.nwb"), "does not exist"),
        (("add", "{path}", "{path}", "--overwrite"), "is the file that is read"),
        (("add", "{path}", "out.nwb", "--for", "zenodo"), "expected dandi"),
        (("add", "{path}"), "OUT.nwb"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(nwbridge, path, tmp_path, words, message):
    before = sha256(path)
    words = [word.format(path=path) for word in words]
    code, _, errors = nwbridge("process", *words, "--quiet")
    assert code == 2
    assert message in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out.nwb").exists()
    assert sha256(path) == before


def test_the_steps_that_are_installed_are_listed(nwbridge):
    code, out, _ = nwbridge("plugins")
    assert code == 0
    assert "a brighter movie" in out


def test_help_lists_the_options_of_the_steps_that_are_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "nwbridge", "process", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "STEP[,STEP]" in done.stdout


@pytest.fixture
def days(tmp_path):
    """Two files of a movie each."""
    return [with_regions(tmp_path / f"{name}.nwb") for name in ("one", "two")]


def test_several_files_go_into_a_folder_each_with_its_results(nwbridge, days, tmp_path):
    code, out, errors = nwbridge("process", "add,share", *days, "results", "--add.amount", "2", "--quiet")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if line.startswith("[")] == [f"[1/2] {days[0]}", f"[2/2] {days[1]}"]
    assert lines.count("add of TwoPhotonSeries → share of Brighter (nwbridge-made-up 1.5)") == 2
    assert sum(line.startswith("verified") for line in lines) == 2
    assert any("Brighter together with Brighter of two.nwb → Shared" in line for line in lines)
    assert sorted(file.name for file in (tmp_path / "results").iterdir()) == ["one.nwb", "two.nwb"]


@pytest.mark.parametrize("order", ["{0} {1} --quiet out", "{0} --quiet {1} out", "--quiet {0} --light {1} out"])
def test_flags_may_stand_between_files(nwbridge, days, tmp_path, order):
    code, _, errors = nwbridge("process", "share", *(word.format(*days) for word in order.split()))
    assert (code, errors) == (0, "")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["one.nwb", "two.nwb"]


def test_of_several_files_programs_get_a_line_of_json_each(nwbridge, days):
    code, out, _ = nwbridge("process", "share", *days, "results", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["steps"][0]["together_with"] for one in told] == [
        [["two.nwb", "its-identifier", "TwoPhotonSeries", 2]],
        [["one.nwb", "its-identifier", "TwoPhotonSeries", 1]],
    ]
    _, out, _ = nwbridge("inspect", "results/two.nwb")
    assert "TwoPhotonSeries together with TwoPhotonSeries of one.nwb → Shared" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("add", "{0}", "{1}", "out"),
            "add works on each movie by itself; process all files of a folder with nwbridge batch",
        ),
        (("share", "{0}", "{0}", "out"), "would become one file"),
        (("share", "{0}", "{1}"), "two.nwb exists already"),  # where the first would go
        (("share", "{0}", "{1}", "{1}"), "two.nwb is no folder: of several files"),
        (("share", "{0}", "{1}", "."), "is the file that is read: choose another folder"),
        (("share", "{0}", "{1}", "out.nwb"), "out.nwb is no folder"),
        (("share", "{0}", "absent.nwb", "out"), "absent.nwb does not exist"),
        (("nothing", "{0}", "{1}", "out"), "there is no step nothing"),
        (("share", "{0}", "out.nwb", "--series", "TwoPhotonSeries,X"), "--series X: one.nwb has TwoPhotonSeries"),
    ],
)
def test_several_files_that_make_no_series_are_refused_in_one_line(nwbridge, days, tmp_path, words, message):
    before = [sha256(path) for path in days]
    names = sorted(file.name for file in tmp_path.iterdir())
    code, _, errors = nwbridge("process", *(word.format(*days) for word in words), "--quiet")
    assert code == 2
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert [sha256(path) for path in days] == before
