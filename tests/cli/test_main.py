"""What people type and read: help at once, one-line errors with the next step, exit codes, JSON for programs."""

import json
import os
import re
import subprocess
import sys

import pytest

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
    assert "--group int" in out
    assert "neurofinder" not in out
    (entry,) = json.loads(said(capsys, "plugins", "deepcad", "--json")[1])
    assert entry["sources"][0]["options"]["properties"]["group"]["type"] == ["integer", "null"]


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
    code, _, err = said(capsys, "convert", neurofinder, tmp_path / "file", "--quiet")
    assert (code, err) == (2, f"nwbridge: error: the folder {tmp_path / 'file'} cannot be made: File exists\n")
