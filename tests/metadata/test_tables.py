"""A table of sessions, as spreadsheets write it, says what entries of Sessions would."""

import pytest
from pynwb import NWBHDF5IO

import nwbridge
from nwbridge import BadMetadata
from nwbridge.metadata import for_path, for_subject, load, load_all, load_table

TABLE = """path,subject,session,start_time,species,sex,age,source
m1/day1.tif,m1,day1,2020-01-31T12:00:00+01:00,Mus musculus,F,P90D,tiff
m2/day1.tif,m2,day2,,,,,
"""
ENTRIES = [
    {
        "path": "m1/day1.tif",
        "source": "tiff",
        "Subject": {"subject_id": "m1", "species": "Mus musculus", "sex": "F", "age": "P90D"},
        "NWBFile": {"session_id": "day1", "session_start_time": "2020-01-31T12:00:00+01:00"},
    },
    {"path": "m2/day1.tif", "Subject": {"subject_id": "m2"}, "NWBFile": {"session_id": "day2"}},
]


def table(tmp_path, text, name="sessions.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", TABLE),
        ("a.CSV", TABLE.replace(",", ";")),
        ("a.tsv", TABLE.replace(",", "\t")),
        ("a.csv", b"\xef\xbb\xbf" + TABLE.encode()),  # as Excel writes it
        ("a.csv", TABLE.replace("\n", "\r\n")),
        ("a.csv", TABLE.replace("\n", "\n\n,,,,,,,\n")),
        ("a.csv", TABLE.replace(",", " , ")),
        ("a.csv", TABLE.replace("path,subject,session,start_time", "PATH,Subject_ID,session_id,Session_Start_Time")),
        ("a.csv", TABLE.replace("m1/day1.tif", r"m1\day1.tif")),
        ("a.csv", TABLE.replace("sex,age,source", "Subject.sex,subject.AGE,source")),
        ("a.csv", TABLE.replace("\n", ",,\n")),  # empty columns at the end
    ],
)
def test_tables_of_all_programs_say_the_same(tmp_path, name, text):
    assert load(table(tmp_path, text, name)) == {"Sessions": ENTRIES}


def test_any_key_may_be_a_column(tmp_path):
    text = (
        "path;NWBFile.experimenter;NWBFile.keywords;Ophys.ImagingPlane.excitation_lambda;"
        "Ophys.ImagingPlane.grid_spacing;Ophys.ImagingPlane.optical_channel.emission_lambda;Subject.description\n"
        'a;"Doe, Jane; Roe, Rick";"x;y";920;"0.8;1.25";525,5;"of A; and B, too"\n'
    )
    with pytest.raises(BadMetadata, match=r"row 2 \(a\): .*lambda is '525,5'; expected a number, with a point"):
        load_table(table(tmp_path, text))
    (entry,) = load_table(table(tmp_path, text.replace("525,5", "525.5")))["Sessions"]
    assert entry["NWBFile"] == {"experimenter": ["Doe, Jane", "Roe, Rick"], "keywords": ["x", "y"]}
    plane = {"excitation_lambda": 920, "grid_spacing": [0.8, 1.25], "optical_channel": [{"emission_lambda": 525.5}]}
    assert entry["Ophys"] == {"ImagingPlane": [plane]}
    assert entry["Subject"] == {"description": "of A; and B, too"}


def test_a_quoted_name_may_hold_the_separator(tmp_path):
    assert load_table(table(tmp_path, 'path,session\n"a,b.tif",x\n'))["Sessions"][0]["path"] == "a,b.tif"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sessions.csv is empty; expected a row of column names"),
        ("subject,session\nm1,s1\n", "sessions.csv has no column path"),
        ("path,sesion\na,b\n", "sessions.csv has a column sesion; did you mean session?"),
        ("path,Subject.genotyp\na,b\n", "has a column Subject.genotyp; did you mean Subject.genotype?"),
        ("path,zzzzzz\na,b\n", "has a column zzzzzz; expected path, source, subject, .*a full key such as"),
        ("path,NWBFile.identifier\na,b\n", "has a column NWBFile.identifier; "),
        ("path,subject,subject_id\na,b,c\n", "has two columns of Subject.subject_id"),
        ("path,sex\na,F\n\nb,male\n", r"sessions.csv row 4 \(b\): Subject.sex is 'male'; write M"),
        ("path,age\na,30 days\n", r"row 2 \(a\): Subject.age is '30 days'; write P30D"),
        ("path,subject\n,m1\n", "row 2 has no path"),
        ("path,subject\na,m1\na,m2\n", "row 3: a stands in row 2 too"),
        ("path,subject\nd/a,m1\n.\\d\\a/,m2\n", "row 3: ./d/a/ stands in row 2 too"),
        ("path,subject\na,m1,F\n", "row 2 has a value in a column without a name"),
        ("path,\na,b\n", "row 2 has a value in a column without a name"),
        (
            "path,start_time\na,2020-01-31 12:00\n",
            r"row 2 \(a\): NWBFile.session_start_time is '2020-01-31 12:00', without a time zone; .*12:00:00\+01:00",
        ),
        ("path,start_time\na,31.1.2020\n", r"row 2 \(a\): .*is '31.1.2020'; expected 2020-01-31T00:00:00"),
        ('path,subject\n"a,b\n', "sessions.csv cannot be read as a table"),
        (
            "path,subject\nä,b\n".encode("latin-1"),
            "cannot be read: it is not UTF-8; save it as 'CSV UTF-8'",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_row(tmp_path, text, words):
    with pytest.raises(BadMetadata, match=words) as caught:
        load(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadMetadata, match=r"the metadata file .*sessions\.csv does not exist"):
        load(tmp_path / "sessions.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadMetadata, match=r"folder\.csv cannot be read"):
        load(tmp_path / "folder.csv")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_several_files_add_up_and_the_table_wins(tmp_path, order):
    names = ("a.yaml", "b.yaml", "t.csv")
    texts = (
        "Subject: {sex: M}\nSubjects: {m1: {age: P1D}}\n",
        "NWBFile: {lab: Doe Lab}\nSessions:\n- {path: '*', NWBFile: {session_id: x}, Subject: {strain: s}}\n",
        "path,subject,session\nm1/a,m1,one\n",
    )
    paths = [table(tmp_path, text, name) for name, text in zip(names, texts, strict=True)]
    content = load_all([paths[number] for number in order])
    assert for_subject(for_path(content, "m1/a.tif"), "m1") == {
        "NWBFile": {"lab": "Doe Lab", "session_id": "one"},
        "Subject": {"sex": "M", "age": "P1D", "subject_id": "m1", "strain": "s"},
    }


def test_a_row_reaches_the_file(tmp_path, neurofinder):
    text = f"path,subject,session,start_time,sex\n{neurofinder.name},m1,s1,2020-01-31T12:00:00+01:00,F\nother,m2,,,M\n"
    nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=table(tmp_path, text))
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        assert (file.session_id, file.subject.subject_id, file.subject.sex) == ("s1", "m1", "F")
        assert file.session_start_time.isoformat() == "2020-01-31T12:00:00+01:00"


def test_what_is_wrong_in_many_rows_is_said_at_once(tmp_path):
    rows = [f"m{n},male,{n}.03.2024 12:00" for n in range(1, 21)]
    with pytest.raises(BadMetadata) as caught:
        load_table(table(tmp_path, "\n".join(["path,sex,start_time", *rows[:2], "ok,F,", *rows[2:], "m1,F,\n"])))
    said = str(caught.value).removeprefix("sessions.csv ").split("; row ")
    assert (
        said[0]
        == (
            "row 2 (m1): NWBFile.session_start_time is '1.03.2024 12:00'; "
            "expected 2024-03-01T12:00:00+01:00, with the time zone of the place"
        )
        or said[0] == "row 2 (m1): Subject.sex is 'male'; write M"
    )
    assert len(said) == 10
    assert [line.split()[0] for line in said[1:]] == ["2", "3", "3", "5", "5", "6", "6", "7", "7"]
    assert str(caught.value).endswith("; and 31 more")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "better"),
    [
        ("01.03.2024 12:00", "expected 2024-03-01T12:00:00+01:00, with the time zone of the place"),
        ("31.1.2020", "expected 2020-01-31T00:00:00+01:00, with"),
        ("1/31/2020 2:05 PM", "expected 2020-01-31T14:05:00+01:00, with"),
        ("31/1/2020 12:00:30 am", "expected 2020-01-31T00:00:30+01:00, with"),
        ("2/1/2020 9:00", "expected 2020-01-02T09:00:00+01:00 or 2020-02-01T09:00:00+01:00, with"),
        ("2020/01/31 09:00", "expected 2020-01-31T09:00:00+01:00, with"),
        ("31.13.2020 9:00", "expected a date and time such as"),
        ("1.2.20 9:00", "expected a date and time such as"),
        ("in May", "expected a date and time such as"),
    ],
)
def test_a_spreadsheet_s_time_is_refused_with_how_to_write_it(tmp_path, written, better):
    with pytest.raises(BadMetadata) as caught:
        load_table(table(tmp_path, f"path,start_time\na,{written}\n"))
    assert f"sessions.csv row 2 (a): NWBFile.session_start_time is '{written}'; {better}" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "meant"),
    [("mouse", "subject"), ("Animal", "subject"), ("file", "path"), ("date", "start_time"), ("Sesion", "session")],
)
def test_what_labs_call_a_column_is_known(tmp_path, column, meant):
    with pytest.raises(BadMetadata, match=rf"sessions.csv has a column {column}; did you mean {meant}\?"):
        load_table(table(tmp_path, f"path,{column}\na,b\n"))
