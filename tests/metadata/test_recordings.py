"""One document speaks of a thousand recordings: the right part of it is chosen for each."""

import pytest
from pynwb import NWBHDF5IO

import nwbridge
from nwbridge import BadMetadata
from nwbridge.metadata import check, for_path, for_subject, from_settings, how_to_read, override, unmatched

LAB = check(
    {
        "NWBFile": {"lab": "Doe Lab"},
        "Subject": {"species": "Mus musculus", "sex": "U", "age": "P1D", "genotype": "default"},
        "Subjects": {"m1": {"sex": "F", "genotype": "of m1", "strain": "of m1"}, "m2": {"sex": "M"}},
        "Pattern": "{subject_id}/{session_id}",
        "Sessions": [
            {"path": "m1/*", "Subject": {"age": "P30D", "strain": "of the folder"}, "source": "tiff"},
            {"path": "m1/day2.tif", "NWBFile": {"session_id": "two"}, "Subject": {"age": "P31D"}, "options": {"a": 1}},
        ],
    }
)


def said(content, path, subject, name=None):
    return for_subject(for_path(content, path, name), subject)


def test_the_nearer_says_it_the_more_it_counts():
    """Defaults, then the animal, then the path's pattern, then entries in order."""
    assert said(LAB, "m1/day2.tif", "m1") == {
        "NWBFile": {"lab": "Doe Lab", "session_id": "two"},
        "Subject": {
            "species": "Mus musculus",
            "subject_id": "m1",
            "sex": "F",
            "age": "P31D",
            "genotype": "of m1",
            "strain": "of the folder",
        },
    }
    assert said(LAB, "m1/day1.tif", "m1")["Subject"]["age"] == "P30D"
    assert said(LAB, "m2/day2.tif", "m2")["Subject"] == {
        "species": "Mus musculus",
        "subject_id": "m2",
        "sex": "M",
        "age": "P1D",
        "genotype": "default",
    }


def test_a_value_of_the_command_line_wins_over_the_animal_and_the_recording():
    settings = from_settings(["Subject.sex=O", "Subject.age=P99D", "NWBFile.session_id=given"])
    chosen = said(override(LAB, settings), "m1/day2.tif", "m1")
    assert (chosen["Subject"]["sex"], chosen["Subject"]["age"]) == ("O", "P99D")
    assert chosen["NWBFile"]["session_id"] == "given"


@pytest.mark.parametrize("path", ["m1/day2.tif", "m2/day1", "m9/day1.h5"])
def test_what_was_chosen_may_be_chosen_from_again(path):
    chosen = for_path(LAB, path)
    assert for_path(chosen, path) == chosen
    assert set(chosen) <= {"NWBFile", "Subject", "Subjects", "source", "options"}


def test_an_animal_that_only_the_source_knows_is_found_as_well():
    content = check({"Subjects": {"m1": {"sex": "F"}}, "Sessions": [{"path": "*", "Subject": {"age": "P30D"}}]})
    assert said(content, "a.tif", "m1")["Subject"] == {"sex": "F", "age": "P30D"}
    assert said(content, "a.tif", "m2")["Subject"] == {"age": "P30D"}


def test_source_and_options_are_those_of_the_last_entry_that_fits():
    assert how_to_read(LAB, "m1/day2.tif") == ("tiff", {"a": 1})
    assert how_to_read(LAB, "m2/day2.tif") == (None, {})
    assert how_to_read(for_path(LAB, "m1/day2.tif"), "m1/day2.tif") == ("tiff", {"a": 1})


@pytest.mark.parametrize(
    ("wanted", "path", "name", "fits"),
    [
        ("day1.tif", "m1/day1.tif", None, True),
        ("day1", "m1/day1.tif", None, True),
        ("ay1.tif", "m1/day1.tif", None, False),  # folders and names are whole
        ("m1/day1", "/data/all/m1/day1.tif", None, True),
        ("1/day1", "m1/day1.tif", None, False),
        ("m1/*", "m1/day1.tif", None, True),
        ("m1/*", "m1/left/day1.tif", None, False),  # * stays within a name
        ("m1/**", "m1/left/day1.tif", None, True),
        ("**", "m1/left/day1.tif", None, True),
        ("m1/**/day1", "m1/day1.tif", None, True),
        ("*/day*.tif", "m1/day1.tif", None, True),
        ("*_left", "m1/day1_left.ome.tif", None, True),
        ("[1]", "x/[1]", None, True),  # only * is special
        ("x.y", "m/xzy", None, False),
        ("set.h5", "set.h5", "a", True),  # the container, and so all that it holds
        ("set.h5/a", "set.h5", "a", True),
        ("set/a", "set.h5", "a", True),
        ("set.h5::a", "set.h5", "a", True),
        ("set.h5/b", "set.h5", "a", False),
        ("a", "set.h5", "a", True),
    ],
)
def test_an_entry_s_path_is_the_end_of_the_recording_s(wanted, path, name, fits):
    content = check({"Sessions": [{"path": wanted, "NWBFile": {"lab": "it"}}]})
    assert ("NWBFile" in for_path(content, path, name)) is fits


def test_an_exact_path_may_begin_above_the_batch_s_folder(tmp_path):
    content = check({"Sessions": [{"path": f"{tmp_path}/all/m1/a.tif", "NWBFile": {"lab": "it"}}]})
    assert for_path(content, "m1/a.tif", root=tmp_path / "all") == {"NWBFile": {"lab": "it"}}
    assert for_path(content, "m2/a.tif", root=tmp_path / "all") == {}


@pytest.mark.parametrize(
    ("pattern", "path", "name", "subject", "session"),
    [
        ("{subject_id}/{session_id}", "m1/day1.tif", None, "m1", "day1"),
        ("{subject_id}/{session_id}", "x/m1/day1", None, "m1", "day1"),
        ("{subject_id}/*/{session_id}", "m1/raw/day1.tif", None, "m1", "day1"),
        ("{subject_id}_{session_id}", "m1_day_1.tif", None, "m1", "day_1"),
        ("sub-{subject_id}_ses-{session_id}_*", "sub-1_ses-a_b_c.tif", None, "1", "a"),
        ("sub-{subject_id}/sub-{subject_id}_ses-{session_id}", "sub-1/sub-1_ses-2.tif", None, "1", "2"),
        ("{subject_id}/{session_id}.tif", "m1/day1.tif", None, "m1", "day1"),
        ("{Subject.subject_id}/{NWBFile.session_id}", "m1/day1.tif", None, "m1", "day1"),
        ("{subject_id}/{session_id}", "m1.h5", "day1", "m1", "day1"),
        ("{subject_id}/*/{session_id}", "m1/set.h5", "day1", "m1", "day1"),
        (["{subject_id}/x/{session_id}", "{session_id}_{subject_id}"], "m1/day1_m2.tif", None, "m2", "day1"),
    ],
)
def test_names_are_read_from_the_path(pattern, path, name, subject, session):
    chosen = for_path(check({"Pattern": pattern}), path, name)
    assert chosen == {"Subject": {"subject_id": subject}, "NWBFile": {"session_id": session}}


def test_a_folder_s_dots_are_part_of_its_name(tmp_path):
    (tmp_path / "mouse.left").mkdir()
    chosen = for_path(check({"Pattern": "{session_id}"}), tmp_path / "mouse.left")
    assert chosen["NWBFile"]["session_id"] == "mouse.left"


@pytest.mark.parametrize(
    ("pattern", "path", "words"),
    [
        ("{subject_id}/{session_id}", "day1.tif", r"day1.tif fits no Pattern \({subject_id}/{session_id}\); rename it"),
        ("{subject_id}/{subject_id}_*", "m1/m2_a", "m1/m2_a fits no Pattern"),
        ("{Subject.sex}/*", "male/a", "male/a, as Pattern {Subject.sex}/. reads it: Subject.sex is 'male'; write M"),
        ("{Subject.age}_*", "30d_a", "Subject.age is '30d'; write P30D"),
        ("{NWBFile.session_start_time}", "20200131", "session_start_time is '20200131', without a time zone"),
    ],
)
def test_a_path_that_does_not_say_what_the_pattern_reads_is_refused(pattern, path, words):
    with pytest.raises(BadMetadata, match=words):
        for_path(check({"Pattern": pattern}), path)


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ("m1/a.tif", []),
        ("m1/a", []),
        ("m1/b.tif", ["m1/b.tif of the metadata fits no recording; did you mean m1/a.tif?"]),
        (
            "a.tif",
            ["a.tif of the metadata fits 2 recordings (m1/a.tif, m2/a.tif); expected one: write more of its path"],
        ),
        ("zzzzzzz", ["zzzzzzz of the metadata fits no recording"]),
        ("*.tif", []),
        ("*.h5", []),
        ("*.zip", ["*.zip of the metadata fits no recording"]),
        ("set.h5", []),  # all that it holds
        ("set.h5::x", []),
        ("set.h5::xx", ["set.h5::xx of the metadata fits no recording; did you mean set.h5::x?"]),
    ],
)
def test_an_entry_that_means_no_recording_or_too_many_is_said(wanted, lines):
    content = check({"Sessions": [{"path": wanted}]})
    assert unmatched(content, ["m1/a.tif", "m2/a.tif", ("set.h5", "x"), ("set.h5", "y")]) == lines


def test_an_entry_that_fits_recordings_in_folders_with_colons_is_said():
    lines = unmatched(check({"Sessions": [{"path": "x.tif"}]}), ["d::1/x.tif", "d::2/x.tif"])
    assert len(lines) == 1
    assert lines[0].startswith("x.tif of the metadata fits 2 recordings (d::1/x.tif, d::2/x.tif)")


def test_accents_may_be_written_in_either_way():
    content = check({"Pattern": "{subject_id}/*", "Sessions": [{"path": "m\u00fc/a.tif", "Subject": {"sex": "F"}}]})
    for root in (None, "/u\u0308/in"):
        said = for_path(content, "mu\u0308/a.tif", None, root)["Subject"]
        assert said == {"subject_id": "m\u00fc", "sex": "F"}
    assert unmatched(content, ["mu\u0308/a.tif"], "/u\u0308/in") == []


def test_a_whole_path_means_no_file_deeper_down_that_only_ends_alike(tmp_path):
    (tmp_path / "d").mkdir()
    for path in ("x.tif", "d/x.tif"):
        (tmp_path / path).touch()
    rows = [{"path": "d/x.tif", "Subject": {"sex": "F"}}, {"path": "x.tif", "Subject": {"sex": "M", "age": "P1D"}}]
    content = check({"Sessions": rows})
    assert for_path(content, "d/x.tif", None, tmp_path) == {"Subject": {"sex": "F"}}
    assert for_path(content, "x.tif", None, tmp_path) == {"Subject": {"sex": "M", "age": "P1D"}}
    assert for_path(content, tmp_path / "d" / "x.tif") == {"Subject": {"sex": "F"}}  # where there is no root
    assert unmatched(content, ["d/x.tif", "x.tif"], tmp_path) == []
    (whole,) = check({"Sessions": [{"path": str(tmp_path / "d" / "x.tif")}]})["Sessions"]
    assert unmatched({"Sessions": [whole]}, ["d/x.tif", "x.tif"], tmp_path) == []


def test_of_thousands_of_entries_each_recording_gets_its_own_in_order():
    entries = [{"path": f"d{n % 7}\\r{n}.tif", "Subject": {"subject_id": f"m{n}"}} for n in range(3000)]
    entries[1000:1000] = [{"path": "*", "Subject": {"sex": "F", "subject_id": "all"}}]
    content = check({"Sessions": entries})
    for number, subject in ((3, "all"), (2500, "m2500")):
        said = for_path(content, f"d{number % 7}/r{number}.tif")
        assert said == {"Subject": {"sex": "F", "subject_id": subject}}
    (line,) = unmatched(content, [f"d{n % 7}/r{n}.tif" for n in range(2999)])
    assert line.startswith("d3\\r2999.tif of the metadata fits no recording")


def test_a_single_conversion_takes_what_the_batch_s_document_says_of_it(tmp_path, neurofinder):
    content = {
        "Subject": {"sex": "U"},
        "Subjects": {"m1": {"sex": "F", "age": "P30D"}, "m2": {"sex": "M"}},
        "Sessions": [
            {"path": "other", "NWBFile": {"lab": "another"}},
            {"path": neurofinder.name, "NWBFile": {"lab": "this"}, "Subject": {"subject_id": "m1"}},
        ],
    }
    nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=content)
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        assert (file.lab, file.subject.subject_id, file.subject.sex, file.subject.age) == ("this", "m1", "F", "P30D")


def test_an_animal_that_is_not_listed_is_said(tmp_path, neurofinder):
    result = nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata={"Subjects": {"m1": {"sex": "F"}}})
    (finding,) = [finding for finding in result.findings if finding.check == "metadata"]
    assert finding.severity == "warning"
    assert finding.message == f"the animal {neurofinder.name} is not among the Subjects of the metadata"


def test_the_document_names_the_source_and_its_options(deepcad):
    named = {"Sessions": [{"path": "*.zip", "source": "nwb"}]}
    with pytest.raises(nwbridge.NwbridgeError, match="is no HDF5 file"):
        nwbridge.inspect(deepcad, metadata=named)
    assert nwbridge.inspect(deepcad, metadata=named, source="deepcad").source == "deepcad"
    wrong = {"Sessions": [{"path": "*", "options": {"no_such": 1}}]}
    with pytest.raises(nwbridge.BadOption, match="deepcad has no option"):
        nwbridge.inspect(deepcad, metadata=wrong)


@pytest.mark.parametrize(
    ("wanted", "better"),
    [
        ("m101/2024-03-01", "m101/2024-03-01/*"),  # a folder of recordings
        ("m105", "m105/**"),
        ("m105/*", "m105/**"),
        ("2024-03-01/", "2024-03-01/*"),
        ("m101/2024-03-01/x.tif", "m101/2024-03-01/y.tif"),
    ],
)
def test_a_folder_s_recordings_are_offered_where_an_entry_names_the_folder(wanted, better):
    paths = ["m101/2024-03-01/y.tif", "m101/2024-03-01/z.h5", "m105/d1/ideas_run", "m103/2024-03-05/plane1"]
    (line,) = unmatched(check({"Sessions": [{"path": wanted}]}), paths)
    assert line == f"{wanted} of the metadata fits no recording; did you mean {better}?"
    assert unmatched(check({"Sessions": [{"path": better}]}), paths) == []


def test_an_animal_that_is_nearly_listed_is_said_with_its_key(neurofinder):
    given = {"Subjects": {"M101": {"sex": "F"}}, "Subject": {"subject_id": "m101"}}
    (finding,) = [one for one in nwbridge.inspect(neurofinder, metadata=given).findings if one.check == "metadata"]
    assert finding.message == "the animal m101 is not among the Subjects of the metadata"
    assert finding.advice == "rename M101 there to m101, or give Subject.subject_id"
