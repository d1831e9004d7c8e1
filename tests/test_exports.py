"""An export is given every recording of its paths; its file is whole or absent, and none of those that are read."""

import dataclasses

import pytest
from recordings import broken

import nwbridge
from nwbridge import BadOption, BadSource, CannotWrite, Export, PluginFault, Session, Source, option
from nwbridge.plugins import Plugin, Registry


@dataclasses.dataclass(frozen=True)
class Options:
    end: str = option(".", "what stands at the end")


def names(sessions, options):
    return (" ".join(session.id for session in sessions) + options.end).encode()


def registry_of(make=names):
    """A registry that exports names; a text is a recording, one of several lines holds as many."""

    def describe(path, options):
        lines = path.read_text().splitlines()
        found = {
            name: broken if name == "broken" else lambda name=name: Session(name, name, (), files=(path,))
            for name in lines
        }
        return found if len(lines) > 1 else found[lines[0]]()

    def detect(path):
        return "its name" if path.suffix == ".txt" else None

    sources = (Source("text", "texts", detect, describe, print), Source("other", "others", detect, describe, print))
    exports = (Export("names", "the names", make, Options),)
    return Registry((Plugin("mine", "nwbridge-mine", "1.2", sources=sources, exports=exports),))


def text(path, *lines):
    path.write_text("\n".join(lines))
    return path


def export(paths, out, **more):
    return nwbridge.export("names", paths, out, **({"source": "text", "registry": registry_of()} | more))


def test_every_recording_of_every_path_is_in_the_file(tmp_path):
    paths = [text(tmp_path / "a.txt", "a1"), text(tmp_path / "b.txt", "b1", "b2")]
    exported = export(paths, tmp_path / "out.bin", options={"end": "!"})
    assert (tmp_path / "out.bin").read_bytes() == b"a1 b1 b2!"
    assert exported.as_json() == {
        "export": "names",
        "plugin": "nwbridge-mine 1.2",
        "out": str(tmp_path / "out.bin"),
        "paths": tuple(map(str, paths)),
        "sessions": ("a1", "b1", "b2"),
        "bytes": 9,
    }


def test_one_path_need_not_stand_in_a_list(tmp_path):
    assert export(str(text(tmp_path / "a.txt", "a1")), tmp_path / "out").sessions == ("a1",)


def test_a_source_is_named_where_several_recognize_a_path(tmp_path):
    with pytest.raises(nwbridge.Ambiguous, match="choose with --source NAME"):
        export(text(tmp_path / "a.txt", "a1"), tmp_path / "out", source=None)


@pytest.mark.parametrize(
    ("lines", "make", "error", "message"),
    [
        (("a", "broken"), names, BadSource, r"b\.h5 is cut off"),
        (("a",), lambda *_: "text", PluginFault, r"nwbridge-mine 1\.2: export names returned a str; expected bytes"),
        (("a",), lambda *_: 1 / 0, PluginFault, r"nwbridge-mine 1\.2 failed while making out: ZeroDivisionError"),
    ],
)
def test_nothing_is_written_where_anything_fails(tmp_path, lines, make, error, message):
    path = text(tmp_path / "a.txt", *lines)
    with pytest.raises(error, match=message):
        export(path, tmp_path / "out", registry=registry_of(make))
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_only_when_asked(tmp_path):
    path, out = text(tmp_path / "a.txt", "a1"), text(tmp_path / "out", "mine")
    with pytest.raises(CannotWrite, match="exists already: choose another name or say --overwrite"):
        export(path, out)
    assert out.read_text() == "mine"
    export(path, out, overwrite=True)
    assert out.read_text() == "a1."


def test_a_file_that_is_read_is_never_overwritten(tmp_path):
    path = text(tmp_path / "a.txt", "a1")
    (tmp_path / "link").symlink_to(path)
    for out in (path, tmp_path / "link", tmp_path / "." / "a.txt"):
        with pytest.raises(BadOption, match="is one of the files that are read: choose another name"):
            export(path, out, overwrite=True)
    assert path.read_text() == "a1"


@pytest.mark.parametrize(
    ("name", "paths", "options", "message"),
    [
        ("name", ["a.txt"], {}, "there is no export name; did you mean names?"),
        ("names", ["a.txt"], {"ending": "x"}, "export names has no option --ending; did you mean --end"),
        ("names", [], {}, "no recording was named: expected NWB files"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, name, paths, options, message):
    with pytest.raises(BadOption, match=message):
        nwbridge.export(name, paths, tmp_path / "out", options=options, registry=registry_of())


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSource, match=r"absent\.txt does not exist"):
        export([tmp_path / "absent.txt"], tmp_path / "out")
