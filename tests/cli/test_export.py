"""`nwbridge export`: what it wrote is said; what stands in the way is said in one line."""

import json

import pytest

from nwbridge.cli import main


def said(capsys, *words):
    """Run in this process; return exit code, standard output and standard error."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out, err


def test_writes_a_file_and_says_of_which_recordings(capsys, neurofinder, tmp_path):
    out_file = tmp_path / "r.json"
    code, out, err = said(capsys, "export", "neurofinder", neurofinder, "-o", out_file)
    assert (code, err) == (0, "")
    assert out.startswith(f"wrote {out_file} (nwbridge-neurofinder ")
    assert out.endswith(", of neurofinder.99.00\n")
    assert [entry["dataset"] for entry in json.loads(out_file.read_text())] == ["99.00"]


def test_programs_get_one_line_of_json(capsys, neurofinder, tmp_path):
    words = ["--dataset", "00.00.test", "--json", "--out", tmp_path / "r.json"]
    code, out, err = said(capsys, "export", "neurofinder", neurofinder, *words)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert json.loads(out)["sessions"] == ["neurofinder.99.00"]
    assert json.loads((tmp_path / "r.json").read_text())[0]["dataset"] == "00.00.test"


def test_what_is_installed_is_listed(capsys):
    for words in (["export"], ["export", "--help"]):
        code, out, _ = said(capsys, *words)
        assert code == 0
        assert "  neurofinder  the challenge's submission (JSON)\n" in out
    assert {"name": "neurofinder", "title": "the challenge's submission (JSON)"} in json.loads(
        said(capsys, "export", "--json")[1]
    )


def test_the_help_of_one_lists_its_own_options(capsys):
    assert "--skip-empty" in said(capsys, "export", "neurofinder", "--help")[1]
    assert "--skip-empty" not in said(capsys, "export", "--help")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["neurofindr", "a", "-o", "b"], "there is no export neurofindr; did you mean neurofinder?"),
        (["neurofinder", "a"], "the following arguments are required: -o/--out"),
        (["neurofinder", "-o", "b"], "the following arguments are required: FILE"),
        (["neurofinder", "a", "-o", "b", "--abve", "1"], "there is no --abve (did you mean --above?)"),
        (["neurofinder", "a", "-o", "b"], "a does not exist"),
        (["neurofinder", "a", "-o", "no/b"], "the folder no does not exist: create it first"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "export", *words)
    assert (code, out) == (2, "")
    assert err.startswith("nwbridge: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
