"""`nwbridge score`: a table for people, one line of JSON for programs, what is installed for those who ask."""

import json

import pytest

from nwbridge.cli import main
from nwbridge.plugins import installed


def said(capsys, *words):
    """Run in this process; return exit code, standard output and standard error."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def found(tmp_path):
    """A result that finds one of the three cells of the neurofinder example, and something else."""
    regions = [[[r, c] for r in range(24, 33) for c in range(36, 45)], [[2, 50], [3, 50], [3, 51]]]
    (tmp_path / "r.json").write_text(json.dumps([{"coordinates": pixels} for pixels in regions]))
    return tmp_path / "r.json"


def test_prints_a_table_whose_columns_stand_below_their_names(capsys, neurofinder, found):
    code, out, err = said(capsys, "score", "neurofinder", neurofinder, found)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith(f": {found} against {neurofinder}")
    counts, shares = ["truth", "submitted", "matched"], ["recall", "precision", "combined", "inclusion", "exclusion"]
    assert lines[1].split() == ["dataset", *counts, *shares]
    assert lines[2].split()[:7] == ["99.00", "3", "2", "1", "0.3333", "0.5000", "0.4000"]
    assert [lines[2].index("99.00"), lines[2].index("0.3333") + 6] == [
        lines[1].index("dataset"),
        lines[1].index("recall") + 6,
    ]


def test_always_prints_what_the_numbers_depend_on(capsys, neurofinder, found):
    out = said(capsys, "score", "neurofinder", neurofinder, found)[1]
    kept = out[out.index("conventions\n") :].splitlines()
    assert kept[1].split(maxsplit=2) == ["threshold", "px", "6"]
    assert kept[2].endswith("round(5 · 1.15 pixels per µm of the truth)")
    out = said(capsys, "score", "neurofinder", neurofinder, found, "--threshold", "inf")[1]
    assert "threshold px         inf\n" in out
    assert out.splitlines()[2].split()[3] == "2"


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_options_of_the_score_may_stand_anywhere(capsys, neurofinder, found, place):
    words = ["score", "neurofinder", neurofinder, found]
    words[place:place] = ["--threshold", "0.5", "--match", "optimal"]
    code, out, _ = said(capsys, *words, "--json")
    conventions = json.loads(out)["conventions"]
    assert (code, conventions["threshold_px"], conventions["matching"][:7]) == (0, 0.5, "optimal")


def test_programs_get_one_line_of_json_with_every_digit(capsys, neurofinder, found):
    code, out, err = said(capsys, "score", "neurofinder", neurofinder, found, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    (row,) = json.loads(out)["rows"]
    assert (row["recall"], row["precision"]) == (1 / 3, 1 / 2)


def test_findings_stand_below_the_table(capsys, neurofinder, tmp_path):
    (tmp_path / "r.json").write_text("[]")
    code, out, _ = said(capsys, "score", "neurofinder", neurofinder, tmp_path / "r.json")
    assert (code, out.splitlines()[-1]) == (0, "  warning: RESULT has no region: the scores are 0")


@pytest.mark.parametrize("words", [["score"], ["score", "--help"]])
def test_what_is_installed_is_listed(capsys, words):
    code, out, _ = said(capsys, *words)
    assert code == 0
    scores = [one for plugin in installed().plugins for one in plugin.scores]
    assert "neurofinder" in [one.name for one in scores]
    assert all(f"  {one.name} " in out and one.title in out for one in scores)
    assert "nwbridge score NAME --help lists the options of one" in out


def test_programs_get_the_list_too(capsys):
    listed = json.loads(said(capsys, "score", "--json")[1])
    assert {"name": "neurofinder", "title": "regions against true ones, as the challenge scores them"} in listed


def test_the_help_of_one_lists_its_own_options(capsys):
    out = " ".join(said(capsys, "score", "neurofinder", "--help")[1].split())
    assert "options of neurofinder: --threshold NUMBER pixels" in out
    assert "--match greedy|optimal" in out
    assert "--threshold" not in said(capsys, "score", "--help")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nerofinder", "a", "b"], "there is no score nerofinder; did you mean neurofinder?"),
        (["nerofinder", "a", "b", "--threshold", "5"], "there is no score nerofinder; did you mean neurofinder?"),
        (["neurofinder", "a", "b", "--thresold", "5"], "there is no --thresold (did you mean --threshold?)"),
        (["neurofinder", "a", "b", "--threshold", "x"], "--threshold x: expected a number"),
        (["neurofinder", "a", "b"], "a does not exist"),
        (["neurofinder", "a"], "the following arguments are required: RESULT"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "score", *words)
    assert (code, out) == (2, "")
    assert err.startswith("nwbridge: error: ")
    assert message in err
    assert err.count("\n") == 1
