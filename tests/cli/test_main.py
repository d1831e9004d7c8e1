"""What people type and read: help at once, one-line errors with the next step, exit codes, JSON for programs."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from nwbridge.cli import main
from nwbridge.plugins import installed

CODE = "import sys; from nwbridge.cli import main; sys.exit(main())"


def run(*words, **kwargs):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *map(str, words)], capture_output=True, text=True, check=False, **kwargs
    )


def said(capsys, *words):
    """Run in this process; return exit code, standard output and standard error."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("stop", "line"),
    [((), "nothing was written"), (("k.npz keeps the training",), "nothing was written; k.npz keeps the training")],
)
def test_an_interruption_tells_what_a_step_has_kept(capsys, monkeypatch, stop, line):
    def interrupted(_):
        raise KeyboardInterrupt(*stop)

    monkeypatch.setattr("nwbridge.cli.convert.run", interrupted)
    assert said(capsys, "convert", "a", "b.nwb") == (130, "", f"\nnwbridge: interrupted; {line}\n")


@pytest.mark.parametrize(
    "words", [["--help"], ["convert", "--help"], ["--version"], ["convert"], ["convert", "--nope"]]
)
def test_help_and_wrong_words_import_neither_numpy_nor_pynwb(words):
    code = f"import sys; from nwbridge.cli import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
    code += "sys.stderr.write('LOADED ' + ' '.join(m for m in ('numpy', 'pynwb', 'hdmf', 'torch') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.rpartition("LOADED")[2].strip()
    assert loaded == ("numpy" if words == ["convert", "--nope"] else "")  # plugins may have that flag


def test_listing_plugins_imports_neither_pynwb_nor_torch():
    code = "import sys; from nwbridge.cli import main; main(['plugins'])\n"
    code += "sys.exit(any(m in sys.modules for m in ('pynwb', 'hdmf', 'torch')))"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_the_help_lists_every_command_and_the_exit_codes(capsys):
    _, out, _ = said(capsys, "--help")
    assert all(command in out for command in ("convert", "inspect", "validate", "plugins", "demo", "exit codes"))


def test_plugins_are_listed_with_their_versions(capsys):
    code, out, _ = said(capsys, "plugins")
    assert code == 0
    assert re.search(r"^deepcad  \(nwbridge-deepcad \d.*\)  source: ", out, re.MULTILINE)
    assert out.index("deepcad") < out.index("neurofinder")


def test_one_plugin_is_described_with_its_options(capsys):
    _, out, _ = said(capsys, "plugins", "deepcad")
    assert re.search(r"^  --group NUMBER  row \(1 to 14\)", out, re.MULTILINE)
    assert "neurofinder" not in out
    (entry,) = json.loads(said(capsys, "plugins", "deepcad", "--json")[1])
    assert entry["sources"][0]["options"]["properties"]["group"]["type"] == ["integer", "null"]


def test_everything_that_a_plugin_offers_is_described_with_its_options(capsys):
    kinds = re.findall(r"^neurofinder  \(nwbridge-neurofinder \S+\)  (\w+): ", said(capsys, "plugins")[1], re.MULTILINE)
    assert kinds == ["source", "score", "export"]
    out = said(capsys, "plugins", "neurofinder")[1]
    assert (
        out.index("  score: ")
        < out.index("--match greedy|optimal ")
        < out.index("  export: ")
        < out.index("--skip-empty")
    )
    (entry,) = json.loads(said(capsys, "plugins", "neurofinder", "--json")[1])
    assert entry["scores"][0]["options"]["properties"]["match"]["enum"] == ["greedy", "optimal"]
    assert entry["exports"][0]["title"] == "the challenge's submission (JSON)"
    assert (entry["processors"], entry["checks"]) == ([], [])


def test_options_stand_in_columns_with_words_for_what_they_take(capsys):
    lines = said(capsys, "plugins", "tiff")[1].splitlines()
    assert (
        "  --rate NUMBER                 frames a second (volumes, where they have planes), whatever the tags say"
        in lines
    )
    assert any(line.startswith("  --files TEXT                  which TIFFs") for line in lines)
    wide = next(number for number, line in enumerate(lines) if line.startswith("  --order "))
    assert lines[wide + 1].startswith(" " * 32 + "how pages follow each other")
    assert said(capsys, "plugins", "dl-smlm")[1].endswith("false: only warn (default true)\n")


def test_an_unknown_plugin_is_refused_with_what_is_installed(capsys):
    code, _, err = said(capsys, "plugins", "nope")
    known = ", ".join(plugin.name for plugin in installed().plugins)
    assert (code, err) == (2, f"nwbridge: error: there is no plugin nope; installed: {known}\n")


def test_a_demo_is_written_converted_and_validated(capsys, tmp_path):
    code, out, _ = said(capsys, "demo", "neurofinder", tmp_path / "new" / "folder")
    assert code == 0
    path = tmp_path / "new" / "folder" / "neurofinder.99.00"
    assert f"wrote {path}" in out
    code, out, err = said(capsys, "convert", path, tmp_path / "x.nwb")
    assert (code, err) == (0, "")
    assert "verified: every value was read back from the file and equals the source's" in out
    assert "0 errors, 0 warnings" in out
    code, out, _ = said(capsys, "validate", tmp_path / "x.nwb")
    assert code == 0
    assert "hint: The session_start_time" in out


def test_a_demo_does_not_mix_with_other_files(capsys, tmp_path):
    (tmp_path / "mine").touch()
    code, _, err = said(capsys, "demo", "neurofinder", tmp_path)
    assert (code, "is not empty: give a new folder" in err) == (2, True)


def test_converting_prints_one_line_of_json_for_programs(capsys, neurofinder, tmp_path):
    code, out, err = said(capsys, "convert", neurofinder, tmp_path / "x.nwb", "--json", "--first", 3)
    assert (code, err, out.count("\n")) == (0, "", 1)
    result = json.loads(out)
    assert (result["ok"], result["verified"], result["elements"][0]["shape"]) == (True, True, [3, 40, 52])


def test_errors_are_json_too_when_asked_for(capsys, tmp_path):
    code, out, err = said(capsys, "convert", tmp_path / "absent", tmp_path / "x.nwb", "--json")
    assert code == 2
    assert json.loads(out) == {"error": "BadSource", "message": f"{tmp_path / 'absent'} does not exist"}
    assert err == f"nwbridge: error: {tmp_path / 'absent'} does not exist\n"


def test_a_finding_that_is_an_error_shows_in_the_exit_code_and_says_what_to_do(capsys, deepcad, tmp_path):
    code, out, _ = said(capsys, "convert", deepcad, tmp_path / "x.nwb")
    assert code == 1
    assert "error: Subject species is missing." in out
    assert "→ DANDI requires the Latin name: --set 'Subject.species=Mus musculus'" in out
    code, out, _ = said(capsys, "convert", deepcad, tmp_path / "y.nwb", "--set", "Subject.species=Mus musculus")
    assert code == 0


def test_inspect_shows_origins_and_says_that_nothing_was_written(capsys, neurofinder, tmp_path):
    code, out, _ = said(capsys, "inspect", neurofinder, "--set", "Subject.sex=F")
    assert code == 0
    assert re.search(r"user +Subject.sex +F", out)
    assert re.search(r"source +Subject.species +Mus musculus  \(info.json: animal\)", out)
    assert re.search(r"unknown +Subject.age +–  \(written as P0D/", out)
    assert "TwoPhotonSeries: Movie 60 × 40 × 52 uint16 (time × row × column)" in out
    assert out.endswith("nothing was written\n")
    program = json.loads(said(capsys, "inspect", neurofinder, "--json")[1])
    assert program["estimate"]["array_bytes"] == 60 * 40 * 52 * 2 + 207 * 12


def test_options_of_a_source_are_flags(capsys, deepcad, tmp_path):
    code, out, _ = said(capsys, "inspect", "--group", "11", deepcad)
    assert code == 0
    assert "row 11 of the download guide's table says 10" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "a", "b.nwb", "--overwrit"], "there is no --overwrit (did you mean --overwrite?)"),
        (["convert", "a", "b.nwb", "--groop", "1"], "there is no --groop (did you mean --group?)"),
        (["convert", "a", "b.nwb", "--first", "x"], "argument --first: invalid int value: 'x'"),
        (["convert", "a"], "the following arguments are required: OUT.nwb"),
        (
            ["convert", "a", "b.nwb", "--set", "Subject.species=Mus", "musculus"],
            "musculus stands alone; quote the value: --set 'Subject.species=Mus musculus'",
        ),
        (
            ["inspect", "--set", "Subject.species=Mus", "musculus", "a"],
            "musculus stands alone; quote the value: --set 'Subject.species=Mus musculus'",
        ),
        (
            ["convert", "a.h5", "b.h5", "c.h5"],
            "c.h5 is one word too many; of several recordings, give the folder that holds them",
        ),
        (
            ["convert", "a.h5", "b.h5"],
            "b.h5 is no place to write to: expected a file that ends in .nwb, or a folder",
        ),
        (["convrt"], "invalid choice: 'convrt'"),
        (["convert", "a", "b.nwb", "--chunks", "1,x"], "--chunks 1,x: expected frames,rows,columns, as in 64,128,128"),
        (["convert", "a", "b.nwb", "--compression", "lzf"], "--compression lzf: expected one of fast, small, none"),
        (["convert", "a", "b.nwb", "--set", "Subject.sexx=M"], "there is no key sexx; did you mean sex?"),
        (["convert", "a", "b.nwb", "--metadata", "absent.yaml"], "the metadata file absent.yaml does not exist"),
        (["convert", "a", "b.nwb"], "a does not exist"),
        (["validate", "absent.nwb"], "absent.nwb does not exist"),
        (["demo", "neurofindr", "x"], "there is no source neurofindr; did you mean neurofinder?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("nwbridge: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_without_a_command_the_help_is_shown(capsys):
    code, out, _ = said(capsys)
    assert code == 2
    assert out.startswith("usage: nwbridge")


def test_progress_is_shown_on_a_terminal_and_nowhere_else(neurofinder, tmp_path):
    import pty
    import termios

    silent = run("convert", neurofinder, tmp_path / "a.nwb")
    assert (silent.returncode, silent.stderr) == (0, "")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "convert", str(neurofinder), str(tmp_path / "b.nwb")],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert all(phase in shown for phase in (b"writing", b"verifying", b"validating"))


def test_output_into_a_closed_pipe_ends_quietly():
    process = subprocess.run(
        f'{sys.executable} -c "{CODE}" plugins deepcad | true', shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in process.stderr


def test_a_folder_as_output_gets_a_file_for_each_recording(neurofinder, tmp_path, capsys):
    code, out, _ = said(capsys, "convert", neurofinder, tmp_path / "out", "--quiet")
    assert code == 0
    assert f"wrote {tmp_path / 'out' / 'neurofinder.99.00.nwb'}" in out
    code, _, err = said(capsys, "convert", neurofinder, tmp_path / "out", "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "exists already" in err


def test_a_folder_that_cannot_be_made_is_refused(neurofinder, tmp_path, capsys):
    (tmp_path / "file").touch()
    code, _, err = said(capsys, "convert", neurofinder, tmp_path / "file" / "out", "--quiet")
    words = f"the folder {tmp_path / 'file' / 'out'} cannot be made: Not a directory"
    assert (code, err) == (2, f"nwbridge: error: {words}\n")


@pytest.fixture
def isxd_files(tmp_path):
    """A folder of three recordings, the second of which is cut off."""
    example = installed().source("ideas")[0].example(tmp_path)
    folder = tmp_path / "in put"
    folder.mkdir()
    content = (example / "movie.isxd").read_bytes()
    for name, size in (("a", len(content)), ("b", 100), ("c", len(content))):
        (folder / f"{name}.isxd").write_bytes(content[:size])
    return folder


def test_several_recordings_are_listed_with_the_way_to_look_at_one(capsys, isxd_files):
    code, out, err = said(capsys, "inspect", isxd_files)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("ideas (nwbridge-ideas ")
    assert lines[0].endswith("): 3 .isxd files, the first a.isxd")
    assert lines[1:] == [
        "3 recordings",
        "  a",
        "  b",
        "  c",
        f"look at one: nwbridge inspect '{isxd_files}' --only a",
        f"convert all: nwbridge convert '{isxd_files}' FOLDER",
    ]
    assert said(capsys, "inspect", isxd_files, "--only", "a")[0] == 0
    assert json.loads(said(capsys, "inspect", isxd_files, "--json")[1])["recordings"] == ["a", "b", "c"]
    assert said(capsys, "inspect", isxd_files, "--only", "d")[0] == 2


def test_several_results_stand_below_their_names_and_are_counted(capsys, isxd_files, tmp_path):
    code, out, err = said(capsys, "convert", isxd_files, tmp_path / "out")
    assert code == 2
    assert err.startswith("nwbridge: error: b.isxd is cut off")
    assert [line for line in out.splitlines() if line.startswith("[")] == ["[1/3] a", "[2/3] b", "[3/3] c"]
    assert "\n\n[2/3] b\n" in out
    assert out.count(": 3 .isxd files, the first a.isxd") == 1
    assert out.splitlines()[-2:] == [
        f"2 of 3 recordings written to {tmp_path / 'out'}; refused: b",
        "to give what is advised, run the same command with --overwrite and each --set or option added",
    ]


def test_what_is_printed_can_be_typed_again(capsys, tmp_path):
    said(capsys, "demo", "tiff", tmp_path / "in put")
    path, out = tmp_path / "in put" / "example.tif", tmp_path / "o x.nwb"
    shown = said(capsys, "convert", path, out)[1].splitlines()
    assert shown[-2].endswith(f"; hints: nwbridge validate '{out}'")
    assert shown[-1] == "to give what is advised, run the same command with --overwrite and each --set or option added"
    checked = said(capsys, "validate", out)[1].splitlines()
    assert checked[-1] == (
        f"(or this file into a new one: nwbridge convert '{out}' '{tmp_path / 'o x-2.nwb'}' --set KEY=VALUE)"
    )
    given = ("--set", "Subject.species=Mus musculus", "--set", "Ophys.ImagingPlane.location=VISp", "--overwrite")
    code, again, _ = said(capsys, "convert", path, out, "--kind", "two-photon", *given)
    assert code == 0
    assert "to give what is advised" not in again


def test_an_estimate_has_two_digits(capsys, neurofinder):
    out = said(capsys, "inspect", neurofinder)[1]
    (about,) = re.findall(r"^about (\S+ kB) for 252\.1 kB of values", out, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d0 kB", about)


def test_a_missing_rate_is_asked_for_by_the_source_s_own_flag_too(capsys, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 20, 30), np.uint16), photometric="minisblack")
    code, _, err = said(capsys, "convert", tmp_path / "a.tif", tmp_path / "a.nwb")
    assert (code, err.endswith(": give it with --set Ophys.TwoPhotonSeries.rate=HZ, or give --rate HZ\n")) == (2, True)
