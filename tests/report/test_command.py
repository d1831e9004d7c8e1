import json

import pytest

from nwbridge.cli import main


@pytest.fixture
def ask(capsys):
    """A function that types a command and returns exit code, standard output and error."""

    def type_in(*words):
        code = main(list(map(str, words)))
        return (code, *capsys.readouterr())

    return type_in


def test_writes_a_page_and_says_how_large_it_is(tmp_path, recorded, ask):
    out = tmp_path / "page.html"
    code, said, wrong = ask("report", *recorded, "-o", out, "--no-check", "--workers", "1")
    assert (code, wrong) == (0, "")
    assert said.startswith(f"wrote {out}: 2 recordings, ")
    code, said, _ = ask("report", *recorded, "-o", out, "--no-check", "--overwrite", "--json")
    assert json.loads(said) == {"out": str(out), "recordings": 2, "unread": [], "bytes": out.stat().st_size}


def test_a_file_that_cannot_be_read_changes_the_exit_code(tmp_path, recorded, ask):
    (tmp_path / "bad.nwb").write_text("no", "utf-8")
    code, said, wrong = ask("report", recorded[0], tmp_path / "bad.nwb", "-o", tmp_path / "a.html", "--no-check")
    assert code == 1
    assert "2 recordings" in said
    assert wrong.strip() == "bad.nwb cannot be read: the page says why"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("absent.nwb",), "absent.nwb does not exist"),
        ((".", "--workers", "0"), "--workers 0: expected at least 1"),
        ((".", "-o", "page.pdf"), "page.pdf should end in .html"),
        (("."), "holds no NWB file and no results.jsonl"),
    ],
)
def test_refuses_in_one_line(tmp_path, monkeypatch, ask, words, message):
    monkeypatch.chdir(tmp_path)
    code, said, wrong = ask("report", *words)
    assert (code, said) == (2, "")
    assert message in wrong
    assert wrong.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
