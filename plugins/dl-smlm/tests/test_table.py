"""Localization tables: every variant of ThunderSTORM's, exact numbers, and one clear line for what is wrong."""

import json
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pandas as pd
import pynwb
import pytest

import nwbridge
from nwbridge import BadSource, Localizations
from nwbridge_dl_smlm.columns import KNOWN

PLAIN = '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]"\n'
ROWS = "1,1,10.5,20.25,100.125,900\n2,7,11.5,21.25,101.125,901.5\n3,100,12.5,22.25,102.125,902\n"


def located(path):
    (table,) = nwbridge.describe(path, source="dl-smlm").of(Localizations)
    return table


def values(table, size=None):
    """Return the columns, read in blocks of `size` rows."""
    found = {}
    for column in table.columns:
        with column.values.open() as reader:
            steps = range(0, len(table), size or max(1, len(table)))
            blocks = [np.array(reader[start : start + (size or len(table))]) for start in steps]
            found[column.name] = np.concatenate(blocks) if blocks else np.empty(0)
    return found


def findings(path):
    return [(f.severity, f.message) for f in nwbridge.describe(path, source="dl-smlm").findings]


def warnings_of(path):
    """Return what is said of the table, not of the files that are missing."""
    return [text for severity, text in findings(path) if severity == "warning" and "SR_locs.csv" in text[:12]]


# variants


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","offset [photon]","bkgstd [photon]",'
            '"chi2","uncertainty [nm]"',
            "7,3,1.5,2.5,100,900,12,4,0.5,9",
            {
                "source_id": (7, None),
                "frame": (3, None),
                "x": (1.5, "nm"),
                "y": (2.5, "nm"),
                "sigma": (100, "nm"),
                "intensity": (900, "photon"),
                "offset": (12, "photon"),
                "bkgstd": (4, "photon"),
                "chi2": (0.5, None),
                "uncertainty": (9, "nm"),
            },
        ),
        ("frame,x [nm],y [nm]", "3,1.5,2.5", {"frame": (3, None), "x": (1.5, "nm"), "y": (2.5, "nm")}),
        (
            '"frame","x [nm]","y [nm]","intensity [photons]","uncertainty_xy [nm]"',
            "3,1.5,2.5,900,9.5",
            {
                "frame": (3, None),
                "x": (1.5, "nm"),
                "y": (2.5, "nm"),
                "intensity": (900, "photons"),
                "uncertainty_xy": (9.5, "nm"),
            },
        ),
        (
            '"frame","x [nm]","y [nm]","z [nm]","sigma1 [nm]","sigma2 [nm]","loglikelihood","uncertainty_xy [nm]",'
            '"uncertainty_z [nm]","detections"',
            "3,1.5,2.5,-300,120,130,-55.5,9.5,30,4",
            {
                "frame": (3, None),
                "x": (1.5, "nm"),
                "y": (2.5, "nm"),
                "z": (-300, "nm"),
                "sigma1": (120, "nm"),
                "sigma2": (130, "nm"),
                "loglikelihood": (-55.5, None),
                "uncertainty_xy": (9.5, "nm"),
                "uncertainty_z": (30, "nm"),
                "detections": (4, None),
            },
        ),
        (
            '"id,""frame"",""x [nm]"",""y [nm]"""',
            "73897.0,2001.0,1.5,2.5",
            {"source_id": (73897, None), "frame": (2001, None), "x": (1.5, "nm"), "y": (2.5, "nm")},
        ),
        (
            '\ufeff"y [nm]" , "x [nm]","frame"',
            "2.5,1.5,3",
            {"y": (2.5, "nm"), "x": (1.5, "nm"), "frame": (3, None)},
        ),
    ],
    ids=["all", "few", "photons and uncertainty_xy", "three dimensions", "mangled quotes", "another order"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_every_variant(table, header, row, expected, end):
    found = located(table(f"{header}{end}{row}{end}"))
    assert {column.name: column.unit for column in found.columns} == {
        name: unit for name, (_, unit) in expected.items()
    }
    assert {name: column.tolist() for name, column in values(found).items()} == {
        n: [v] for n, (v, _) in expected.items()
    }
    whole = {name for name, column in values(found).items() if column.dtype == np.int64}
    assert whole == {"source_id", "frame", "detections"} & expected.keys()
    assert (found.frame_base, found.software) == (1, "ThunderSTORM")


@pytest.mark.parametrize(
    "name",
    [
        "coli_03_storm.csv",
        "coli_ds3_storm_table.csv",
        "locan_Thunderstorm_dstorm_data.csv",
        "ds_positions_demo1.csv",
    ],
)
@pytest.mark.parametrize("size", [7919, None])
def test_reads_real_tables_exactly(samples, table, name, size):
    file = samples / "dl_smlm" / name
    header, *lines = file.read_text().splitlines()
    headings = header.replace('""', '"').replace('"', "").split(",")
    frame = pd.DataFrame([list(map(float, line.split(","))) for line in lines], columns=headings)
    found = located(table(file.read_bytes()))
    assert len(found) == len(frame)
    for (column, read), heading in zip(values(found, size).items(), headings, strict=True):
        np.testing.assert_array_equal(read, frame[heading].to_numpy(), err_msg=column)
        assert found[column].unit == (heading.partition("[")[2].rstrip("]") or None)


def test_reads_numbers_as_python_does(table, tmp_path):
    rng = np.random.default_rng(8)
    bits = rng.integers(0, 2**64, 20_000, np.uint64).view(np.float64)
    texts = [repr(float(value)) for value in bits]
    texts += [f"{value:.{digits}e}" for value, digits in zip(bits[:5000], rng.integers(0, 40, 5000), strict=True)]
    halves = (2 * rng.integers(2**52, 2**53, 5000, np.uint64) + np.uint64(1)).tolist()  # between two float64
    texts += [str(half) for half in halves] + [
        "1e400",
        "-1e-400",
        "4.9e-324",
        "-0.0",
        "+1.5",
        " 2.5 ",
        "1.",
        ".5",
        "1E5",
    ]
    path = table("x [nm],y [nm]\n" + "".join(f"{text},0\n" for text in texts))
    expected = np.array([float(text) for text in texts])
    found = values(located(path))["x"]
    kept = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), ~kept)
    np.testing.assert_array_equal(found[kept].view(np.uint64), expected[kept].view(np.uint64))


def test_reads_blocks_of_any_size_and_from_the_beginning_again(table):
    rows = np.random.default_rng(3).random((200_000, 3)) * 33280
    text = "".join(f"{number},{x!r},{y!r},{s!r}\n" for number, (x, y, s) in enumerate(rows.tolist(), 1))
    found = located(table("frame,x [nm],y [nm],sigma [nm]\n" + text))
    with found["y"].values.open() as reader:
        for start, stop in [(0, 1), (1, 90_000), (150_000, 200_000), (10, 20), (199_999, 300_000), (5, 5)]:
            np.testing.assert_array_equal(reader[start:stop], rows[start:stop, 1])
    assert len(text) > 8 << 20, "the table fits into two blocks"


def test_fills_all_columns_in_one_reading(table, tmp_path):
    path = table(PLAIN + ROWS * 30_000)
    assert nwbridge.convert(path, tmp_path / "out.nwb").verified
    expected = np.array([list(map(float, line.split(","))) for line in ROWS.splitlines()] * 30_000).T
    with h5py.File(tmp_path / "out.nwb") as file:
        stored = file["processing/ophys/Localizations"]
        for name, column in zip(("source_id", "frame", "x", "y", "sigma", "intensity"), expected, strict=True):
            np.testing.assert_array_equal(stored[name][()], column)


# counting columns


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2"], np.int64),
        (["1.0", "2.0"], np.int64),
        (["1", "2.0"], np.int64),
        (["1", "2.5"], np.float64),
        (["1", "nan"], np.float64),
        (["1", "inf"], np.float64),
        (["9223372036854775807", "1"], np.int64),
        (["9223372036854775807", "1.0"], np.float64),
        (["9223372036854775808", "1"], np.float64),
        (["9007199254740993", "2.0"], np.float64),
    ],
    ids=str,
)
def test_keeps_counts_exact(table, texts, kind):
    found = values(located(table("id,x [nm],y [nm]\n" + "".join(f"{text},1,2\n" for text in texts))))["source_id"]
    assert found.dtype == kind
    np.testing.assert_array_equal(found, np.array([kind(text.removesuffix(".0")) for text in texts]))


def test_keeps_counts_exact_where_only_a_later_block_writes_them_as_floats(table):
    rows = "".join(f"{number},{number}.123456789012345678901234567890,2\n" for number in range(130_000))
    found = located(table("frame,x [nm],y [nm]\n1,1,2\n" + rows + "7.0,1,2\n"))
    frames = values(found)["frame"]
    assert frames.dtype == np.int64
    np.testing.assert_array_equal(frames, [1, *range(130_000), 7])


# worth knowing


def test_keeps_and_counts_values_that_are_not_finite(table):
    path = table("frame,x [nm],y [nm],sigma [nm]\n1,nan,2,inf\n2,NaN,3,4\n3,5,-Infinity,6\n")
    found = values(located(path))
    np.testing.assert_array_equal(found["x"], [np.nan, np.nan, 5])
    np.testing.assert_array_equal(found["y"], [2, 3, -np.inf])
    assert warnings_of(path) == [
        f"SR_locs.csv: column {name} has {count} of 3 values that are NaN or infinite"
        for name, count in (("x", 2), ("y", 1), ("sigma", 1))
    ]


@pytest.mark.parametrize("frame", ["101", "101.0"])
def test_warns_of_frames_beyond_the_stack_and_does_not_link_to_it(cell, frame):
    text = (cell / "SR_locs.csv").read_text()
    (cell / "SR_locs.csv").write_text(text + f"999,{frame},1,2,3,4,5,6,7,8\r\n")
    table = located(cell)
    assert (table.found_in, table.frame_base) == (None, 1)
    (warning,) = warnings_of(cell)
    assert "frames go up to 101, WF_raw.tif has 100: the table is not linked" in warning


def test_leaves_the_base_of_frames_open_where_one_is_zero(cell):
    text = (cell / "SR_locs.csv").read_text()
    (cell / "SR_locs.csv").write_text(text + "999,0,1,2,3,4,5,6,7,8\r\n")
    table = located(cell)
    assert (table.found_in, table.frame_base) == (None, None)
    assert "the first frame is 0; ThunderSTORM counts from 1" in warnings_of(cell)[0]


@pytest.mark.parametrize("frame", ["1.5", "nan", "1e19"])
def test_warns_of_frames_that_are_not_whole_and_does_not_link_to_them(cell, frame):
    (cell / "SR_locs.csv").write_text(f"frame,x [nm],y [nm]\n{frame},1,2\n")
    assert located(cell).found_in is None
    assert any("not all frames are whole numbers: the table is not linked" in text for text in warnings_of(cell))


def test_warns_of_a_table_without_frames(cell):
    (cell / "SR_locs.csv").write_text("x [nm],y [nm]\n1,2\n")
    assert (located(cell).found_in, located(cell).frame_base) == (None, None)
    assert "no column frame" in warnings_of(cell)[0]


def test_hints_at_positions_outside_the_field_of_view_and_keeps_them(cell):
    text = (cell / "SR_locs.csv").read_text()
    (cell / "SR_locs.csv").write_text(text + "999,9,4160.5,3120,3,4,5,6,7,8\r\n")
    hints = [text for severity, text in findings(cell) if severity == "hint" and "goes from" in text]
    assert len(hints) == 1  # y reaches the edge, x exceeds it
    assert hints[0].startswith("SR_locs.csv: x goes from ")
    assert hints[0].endswith(" to 4160.5 nm; the frames from 0 to 4160 nm")
    assert values(located(cell))["x"][-1] == 4160.5


@pytest.mark.parametrize(("unit", "count"), [("nm", 1), ("px", 0)])
def test_compares_positions_in_nm_with_the_field_of_view(cell, unit, count):
    (cell / "SR_locs.csv").write_text(f"frame,x [nm],y [{unit}]\n1,2,-5000\n")
    said = [text for _, text in findings(cell) if "goes from" in text]
    assert said == ["SR_locs.csv: y goes from -5000 to -5000 nm; the frames from 0 to 3120 nm"] * count


def test_warns_where_the_last_line_has_no_end(table):
    path = table((PLAIN + ROWS).rstrip("\n"))
    assert len(located(path)) == 3
    assert "no line end after its last line" in warnings_of(path)[0]


def test_takes_a_table_without_rows(table, tmp_path):
    path = table(PLAIN)
    assert len(located(path)) == 0
    assert warnings_of(path) == ["SR_locs.csv has no localization"]
    assert nwbridge.convert(path, tmp_path / "out.nwb").verified


def test_does_not_say_that_an_image_was_made_from_a_table_without_rows(cell, tmp_path):
    (cell / "SR_locs.csv").write_text(PLAIN)
    nwbridge.convert(cell, tmp_path / "out.nwb")
    with h5py.File(tmp_path / "out.nwb") as file:
        assert "Localizations" not in file["processing/ophys"]
        text = file["processing/ophys/SuperResolution"].attrs["description"]
        assert "[made from: localizations that are not here]" in text


def test_ignores_empty_lines(table):
    assert len(located(table("frame,x [nm],y [nm]\r\n1,2,3\r\n\r\n2,3,4\r\n\r\n"))) == 2


@pytest.mark.parametrize(
    ("heading", "unit", "words"),
    [
        ("x [px]", "px", "column x [px] is in px; ThunderSTORM writes nm"),
        ("x [um]", "um", "column x [um] is in um; ThunderSTORM writes nm"),
        ("x [µm]", "µm", "column x [µm] is in µm; ThunderSTORM writes nm"),
        ("x", None, "column x is in an unknown unit; ThunderSTORM writes nm"),
        ("x [furlong]", "furlong", "column x [furlong] is in furlong"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_carries_another_unit_as_it_is_and_says_so(table, heading, unit, words, encoding):
    path = table(f"frame,{heading},y [nm]\n1,1234.5,2\n".encode(encoding))
    found = located(path)
    assert (found["x"].unit, values(found)["x"].tolist()) == (unit, [1234.5])
    assert any(words in text for _, text in findings(path))


def test_carries_unknown_columns_with_their_unit(table):
    path = table('frame,x [nm],y [nm],"dx/dt [nm/s]",group,.\n1,2,3,4.5,6,7\n')
    found = located(path)
    assert [(c.name, c.unit) for c in found.columns[3:]] == [("dx_dt", "nm/s"), ("group", None), ("_", None)]
    assert [values(found)[name].tolist() for name in ("dx_dt", "group", "_")] == [[4.5], [6.0], [7.0]]
    hints = [text for severity, text in findings(path) if severity == "hint"]
    assert hints[:3] == [
        f"{name} is no column of ThunderSTORM's; it was kept as it is" for name in ("dx/dt [nm/s]", "group", ".")
    ]


def test_the_extension_has_a_place_for_every_column_of_thunderstorm_s(table, tmp_path):
    path = table(f"{','.join(KNOWN)}\n{','.join(map(str, range(len(KNOWN))))}\n")
    nwbridge.convert(path, tmp_path / "out.nwb")
    with h5py.File(tmp_path / "out.nwb") as file:
        (version,) = file["specifications/ndx-smlm"].values()
        form = json.loads((Path(pynwb.__file__).parent / "nwb-schema" / "nwb.schema.json").read_text())
        for part in version.values():
            jsonschema.validate(json.loads(part[()]), form)
        (kind,) = json.loads(version["ndx-smlm.extensions"][()])["groups"]
        stored = file["processing/ophys/Localizations"]
        names = [name for name, *_ in KNOWN.values()]
        assert {stored[name].attrs["neurodata_type"] for name in names} == {"LocalizationColumn"}
        assert {spec["name"] for spec in kind["datasets"]} == set(names)
    documented = {spec["name"]: spec["doc"].rsplit(". ", 1)[-1] for spec in kind["datasets"]}
    ends = {"length": "Usually in nm.", "light": "Usually in photon.", "number": "Dimensionless."}
    assert documented == {name: ends[sort] for name, sort, _ in KNOWN.values()}


# what cannot be read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line of column names within 0 bytes"),
        ("frame,x [nm],y [nm]", "no line of column names"),
        ("frame,y [nm]\n1,2\n", r"no column x; its first line is frame, y \[nm\]; expected a ThunderSTORM table"),
        ("frame,x [nm]\n1,2\n", "no column y"),
        ("frame,x [nm],why [nm]\n1,2,3\n", "no column y"),
        ("frame;x [nm];y [nm]\n1;2;3\n", "no column x"),
        ("1,1,20718.5,21925.1\n", "no column x; its first line is 1, 1, 20718.5, 21925.1"),
        ("frame,x [nm],y [nm],x [px]\n1,2,3,4\n", "two columns x;"),
        ("frame,x [nm],y [nm],X [nm]\n1,2,3,4\n", "two columns x;"),
        ("frame,x [nm],y [nm],\n1,2,3,4\n", "a column without a name"),
        ("frame,x [photon],y [nm]\n1,2,3\n", r"column x \[photon\] cannot be in photon; expected nm"),
        ("frame,x [nm],y [nm],intensity [nm]\n1,2,3,4\n", "cannot be in nm; expected photon or photons"),
        ("frame [px],x [nm],y [nm]\n1,2,3\n", "cannot be in px; expected no unit"),
        (PLAIN.encode("utf-16"), "no line of column names"),
        ("frame,x [nm],y [nm]\r1,2,3\r", "no line of column names .* lines that end in LF or CR LF"),
        ("frame,x [nm],y [nm],\x1b[31m\n1,2,3,4\n", "no line of column names"),
        ("frame\tx [nm]\ty [nm]\n1\t2\t3\n", "no column x; .* separated by commas"),
    ],
    ids=str,
)
def test_refuses_a_first_line_that_cannot_be(table, text, message):
    with pytest.raises(BadSource, match=rf"SR_locs\.csv.*{message}"):
        located(table(text))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2\n", "line 5 has 2 fields; expected 6: '1,2'"),
        ("1,2,3,4,5,6,7\n", "line 5 has 7 fields; expected 6"),
        ("1,2,3,4", "is cut off: line 5 has 4 fields; expected 6: download it again"),
        ("1,2,3,4,5,", r"line 5, column intensity \[photon\] is empty; expected a number"),
        ("1,2,,4,5,6\n", r"line 5, column x \[nm\] is empty"),
        ("1,2,3,four,5,6\n", r"line 5, column y \[nm\] is 'four'; expected a number"),
        ("one,2,3,4,5,6\n", "line 5, column id is 'one'"),
        ("0x1F,2,3,4,5,6\n", "line 5, column id is '0x1F'"),
        ("1,2,1_000,4,5,6\n", "line 5, column x .nm. is '1_000'"),
        ('1,2,"3,5",4,5,6\n', "line 5, column x .nm. is '3,5'"),
        ("1,2,3e,4,5,6\n", "line 5, column x .nm. is '3e'"),
        ("1,2,3\x00,4,5,6\n", "line 5, column x .nm. is"),
        ("null,2,3,4,5,6\n", "line 5, column id is 'null'"),
        ("1,2,3,4,5,6\n\n\n1,2,true,4,5,6\n", "line 8, column x .nm. is 'true'"),
        ('"1,2,3,4,5,6\n7,8,9,10,11,12\n', "line 5 has 1 fields; expected 6"),
        (PLAIN, "line 5, column id is 'id'"),
        ('1,2,3,4,5,"6\n7,8,9,10,11,12\n', "line 5 has 1 fields; expected 6: '1,2,3,4,5,\"6'"),
        ("1,2,3\r4,5,6\n", "line 5 has 3 fields; expected 6: '1,2,3'"),
        ("-" * 200_000 + "\n", "line 5 has 1 fields; expected 6: '-{60}…'"),
        ("\x1b[31m\n", r"line 5 has 1 fields; expected 6: '\\x1b\[31m'"),
    ],
    ids=str,
)
def test_refuses_a_row_that_is_not_of_numbers(table, rows, message):
    with pytest.raises(BadSource, match=rf"SR_locs\.csv.*{message}"):
        located(table(PLAIN + ROWS + rows))


def test_names_the_line_far_behind_in_a_long_table(table):
    with pytest.raises(BadSource, match=r"SR_locs\.csv: line 600002, column x \[nm\] is '-'"):
        located(table(PLAIN + ROWS * 200_000 + "1,2,-,4,5,6\n" + ROWS))


def test_refuses_a_line_without_an_end(table):
    with pytest.raises(BadSource, match=r"no line end in .* bytes"):
        located(table(PLAIN + "1" * (9 << 20)))


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("locan_rapidSTORM_dstorm_data.txt", "rapidSTORM"),
        ("locan_rapidSTORM_from_images.txt", "rapidSTORM"),
        ("locan_Elyra_dstorm_data.txt", "Zeiss Elyra"),
        ("locan_Nanoimager_dstorm_data.csv", "ONI Nanoimager"),
        ("picasso_testdata_locs.hdf5", "Picasso"),
    ],
)
def test_refuses_real_tables_of_other_programs_by_name(samples, table, name, program):
    file = samples / "dl_smlm" / name
    with pytest.raises(BadSource, match=f"is a table of {program}"):
        nwbridge.describe(file, source="dl-smlm")
    with pytest.raises(BadSource, match=rf"SR_locs\.csv is a table of {program}"):
        located(table(file.read_bytes()))


def test_notices_a_table_that_became_shorter(table):
    found = located(table(PLAIN + ROWS))
    table(PLAIN + "1,1,10.5,20.25,100.125,900\n")
    with pytest.raises(BadSource, match=r"SR_locs\.csv"), found["x"].values.open() as reader:
        reader[0:3]
