"""The DeepCAD source meets the contract, and its names and pairs are understood."""

import io
import re
import shutil
import zipfile

import h5py
import numpy as np
import pynwb
import pytest
import tifffile

import nwbridge
from nwbridge import BadOption, BadSource, MissingMetadata
from nwbridge.testing import SourceContract
from nwbridge_deepcad import detect, example
from nwbridge_deepcad.names import GROUPS, read_names

MOUSE = {"Subject": {"species": "Mus musculus"}}
OUTER = "1_ZOOM1.3_550Vx575H_FOV_30Hz_80umdepth_dendrite_0.2power_1AMP"
LOW = "1_550Vx575H_FOV_30Hz_0.2power_00001_lowSNR_MC.tif"
HIGH = "1_550Vx575H_FOV_30Hz_0.2power_00001_highSNR_MC.tif"
RT = "05_MouseNeurons_GCaMP6f_100umdepth_50mWpower_30Hz_{}SNR_MCRound1.tif"

# number, depth µm, excitation powers mW, AMP, structures: as the download guide prints them
GUIDE = """
1 80 66,99 1 dendrite
2 100 66,99 1 somadendrite
3 120 66,99 1 soma
4 140 66,99 1 soma
5 160 66,99 1 soma
6 180 99,132 1 soma
7 200 99,132 10 soma
8 200 99,132 10 soma
9 150 66,99 10 soma
10 170 99 10 soma
11 80 66,99 10 dendrite
12 110 66,99 10 somadendrite
13 185 99,132 10 soma
14 210 99,132 10 soma
"""
FRACTIONS = {66: "0.2", 99: "0.3", 132: "0.4"}
DOWNLOADS = [
    (int(number), int(depth), int(power), int(amp), structures)
    for number, depth, powers, amp, structures in map(str.split, GUIDE.strip().splitlines())
    for power in powers.split(",")
]


class TestDeepcad(SourceContract):
    source = "deepcad"

    def read(self, path):
        series = {"lowSNR": "TwoPhotonSeriesLowSNR", "highSNR": "TwoPhotonSeriesHighSNR"}
        with zipfile.ZipFile(path) as archive:
            return {
                name: tifffile.imread(io.BytesIO(archive.read(member)))
                for member in archive.namelist()
                for word, name in series.items()
                if word in member
            }

    def declared_frames(self, path):
        with zipfile.ZipFile(path) as archive:
            first = io.BytesIO(archive.read(archive.namelist()[0]))
        with tifffile.TiffFile(first) as tiff:
            return tiff.imagej_metadata["images"]


def frames(seed=0, shape=(9, 44, 60)):
    return np.random.default_rng(seed).integers(0, 1 << 16, shape).astype(np.uint16)


def pair(folder, low=None, high=None, names=(LOW, HIGH), **how):
    """Write a pair of TIFFs into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, movie in zip(
        names, (frames(1) if low is None else low, frames(2) if high is None else high), strict=True
    ):
        tifffile.imwrite(folder / name, movie, **({"imagej": True} | how))
    return folder


def series_in(nwb):
    """Return {name: (time, row, column)} as the file holds them."""
    with h5py.File(nwb) as file:
        return {name: series["data"][()].transpose(0, 2, 1) for name, series in file["acquisition"].items()}


def assert_pair(nwb, low, high):
    found = series_in(nwb)
    assert found.keys() == {"TwoPhotonSeriesLowSNR", "TwoPhotonSeriesHighSNR"}
    np.testing.assert_array_equal(found["TwoPhotonSeriesLowSNR"], low)
    np.testing.assert_array_equal(found["TwoPhotonSeriesHighSNR"], high)


def own(findings):
    return [finding.message for finding in findings if finding.check == "deepcad" and finding.severity == "warning"]


# names


@pytest.mark.parametrize(("number", "depth", "power", "amp", "structures"), DOWNLOADS)
def test_reads_every_download_of_the_guide_by_its_name(tmp_path, number, depth, power, amp, structures):
    name = f"{number}_ZOOM1.3_550Vx575H_FOV_30Hz_{depth}umdepth_{structures}_{FRACTIONS[power]}power_{amp}AMP"
    said, contradictions = read_names([name])
    expected = {"group": number, "zoom": 1.3, "height_um": 550, "width_um": 575, "rate_hz": 30, "depth_um": depth}
    expected |= {"power_mw": power, "fraction": float(FRACTIONS[power]), "amp": amp, "structures": structures}
    assert {key: fact.value for key, fact in said.items()} == expected
    assert {fact.by for fact in said.values()} == {name}
    assert contradictions == []


def test_holds_the_guide_s_table():
    rows = {number: {row for row in DOWNLOADS if row[0] == number} for number in range(1, 15)}
    assert rows == {
        number: {(number, row.depth_um, power, row.amp, row.structures) for power in row.powers_mw}
        for number, row in GROUPS.items()
    }


def test_completes_inner_names_by_the_group_s_row():
    said, contradictions = read_names([LOW.replace("1_550", "12_550")])
    assert {key: said[key].value for key in ("depth_um", "amp", "structures", "power_mw")} == {
        "depth_um": 110,
        "amp": 10,
        "structures": "somadendrite",
        "power_mw": 66,
    }
    assert said["depth_um"].by == "row 12 of the download guide's table"
    assert contradictions == []


def test_knows_the_only_power_of_group_10():
    assert read_names([], 10)[0]["power_mw"].value == 99
    assert "power_mw" not in read_names([], 9)[0]


def test_reads_the_names_of_deepcad_rt():
    said, contradictions = read_names([RT.format("low")])
    assert {key: fact.value for key, fact in said.items()} == {
        "species": "Mouse",
        "indicator": "GCaMP6f",
        "depth_um": 100,
        "power_mw": 50,
        "rate_hz": 30,
    }
    assert contradictions == []


@pytest.mark.parametrize("name", ["lowSNR.tif", "somatic_lowSNR.tif", "15_lowSNR.tif", "Hz_power_AMP_lowSNR.tif"])
def test_takes_nothing_from_names_that_say_nothing(name):
    assert read_names([name]) == ({}, [])


@pytest.mark.parametrize(
    ("outer", "message"),
    [
        (OUTER.replace("1_ZOOM", "2_ZOOM"), "says group 1, .* says 2$"),
        (OUTER.replace("550V", "500V"), "says height_um 550, .* says 500$"),
        (OUTER.replace("30Hz", "15Hz"), "says rate_hz 30, .* says 15$"),
        (OUTER.replace("0.2power", "0.3power"), "says power_mw 66, .* says 99$"),
        (OUTER.replace("80um", "90um"), "says depth_um 90, row 1 .* says 80$"),
        (OUTER.replace("1AMP", "10AMP"), "says amp 10, row 1 .* says 1$"),
        (OUTER.replace("_dendrite", "_soma"), "says structures soma, row 1 .* says dendrite$"),
        (OUTER.replace("0.2power", "99mWpower"), "says power_mw 66, .* says 99$"),
    ],
)
def test_warns_where_names_contradict_each_other_or_the_table(tmp_path, outer, message):
    findings = own(nwbridge.inspect(pair(tmp_path / outer)).findings)
    assert any(re.search(message, finding) for finding in findings), findings


def test_warns_of_a_power_that_the_group_has_not(tmp_path):
    names = [name.replace("0.2power", "0.4power") for name in (LOW, HIGH)]
    (found,) = own(nwbridge.inspect(pair(tmp_path / "data", names=names)).findings)
    assert found.endswith("says power_mw 132, row 1 66 or 99")


# options


def test_takes_the_group_from_the_option(tmp_path):
    folder = pair(tmp_path / "data", names=["movie_30Hz_lowSNR.tif", "movie_30Hz_highSNR.tif"])
    without, given = nwbridge.inspect(folder), nwbridge.inspect(folder, options={"group": 13})
    assert "185 µm" not in without.description
    assert "somata 185 µm below the pia mater" in given.description
    fields = {field.key: field for field in given.fields}
    assert fields["Subject.subject_id"].value == "deepcad-group-13"
    assert own(given.findings) == []


def test_warns_where_the_option_contradicts_the_name(tmp_path):
    inspection = nwbridge.inspect(pair(tmp_path / "data"), options={"group": 3})
    assert any(re.search("^--group 3 says group 3, .* says 1$", found) for found in own(inspection.findings))
    assert "120 µm" in inspection.description


@pytest.mark.parametrize("group", [0, 15, -1])
def test_refuses_a_group_that_the_table_has_not(tmp_path, group):
    with pytest.raises(BadOption, match="rows 1 to 14"):
        nwbridge.inspect(pair(tmp_path / "data"), options={"group": group})


def test_offers_several_recordings_by_name(tmp_path):
    other = [name.replace("0.2power", "0.3power") for name in (LOW, HIGH)]
    folder = pair(pair(tmp_path / "data"), names=other, low=frames(3), high=frames(4))
    archive = shutil.make_archive(str(tmp_path / "both"), "zip", folder)
    names = tuple(f"1_550Vx575H_FOV_30Hz_0.{power}power_00001_MC" for power in (2, 3))
    assert nwbridge.recordings(archive) == names
    with pytest.raises(BadOption, match=r"holds 2 recordings .* --only NAME"):
        nwbridge.inspect(archive)
    result = nwbridge.convert(archive, tmp_path / "out.nwb", only=names[1])
    assert_pair(tmp_path / "out.nwb", frames(3), frames(4))
    assert result.session_id == names[1]


def test_tells_equal_names_in_several_folders_apart(tmp_path):
    for number in (1, 2):
        pair(tmp_path / "data" / f"day{number}", low=frames(number), high=frames(10 + number))
    results = list(nwbridge.convert_each(tmp_path / "data", tmp_path / "out"))
    names = [f"day{number}_1_550Vx575H_FOV_30Hz_0.2power_00001_MC" for number in (1, 2)]
    assert [result.session_id for result in results] == names
    for number, name in enumerate(names, 1):
        assert_pair(tmp_path / "out" / f"{name}.nwb", frames(number), frames(10 + number))


def test_refuses_recordings_whose_files_would_have_one_name(tmp_path):
    pair(tmp_path / "data" / "day1")
    pair(tmp_path / "data", names=[f"day1_{name}" for name in (LOW, HIGH)])
    with pytest.raises(BadSource, match=r"names of its recordings are too alike: .*day1/.*; rename some"):
        nwbridge.inspect(tmp_path / "data")


def test_refuses_two_movies_of_one_detection_path(tmp_path):
    folder = pair(tmp_path / "data", names=[LOW, LOW.replace("_lowSNR", "_low_SNR")])
    with pytest.raises(BadSource, match="are both low-SNR; keep one"):
        nwbridge.inspect(folder)


# how a recording may lie there


@pytest.mark.parametrize("inside", ["", "sub-folder/"], ids=["flat", "sub-folder"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_reads_the_zip_as_it_was_downloaded(tmp_path, method, inside):
    folder = pair(tmp_path / "data")
    with zipfile.ZipFile(tmp_path / f"{OUTER}.zip", "w", method) as archive:
        for name in (LOW, HIGH):
            archive.write(folder / name, inside.replace("sub-folder", OUTER) + name)
    result = nwbridge.convert(tmp_path / f"{OUTER}.zip", tmp_path / "out.nwb")
    assert_pair(tmp_path / "out.nwb", frames(1), frames(2))
    assert result.session_id == OUTER
    assert own(result.findings) == []


def test_reads_the_folder_that_was_unpacked(tmp_path):
    result = nwbridge.convert(pair(tmp_path / OUTER), tmp_path / "out.nwb")
    assert_pair(tmp_path / "out.nwb", frames(1), frames(2))
    assert result.session_id == OUTER


def test_reads_one_tiff_and_the_name_of_its_folder(tmp_path):
    folder = pair(tmp_path / OUTER)
    result = nwbridge.convert(folder / HIGH, tmp_path / "out.nwb")
    found = series_in(tmp_path / "out.nwb")
    assert found.keys() == {"TwoPhotonSeriesHighSNR"}
    np.testing.assert_array_equal(found["TwoPhotonSeriesHighSNR"], frames(2))
    assert own(result.findings) == ["only the high-SNR movie is here; the low-SNR movie of the pair is missing"]
    with h5py.File(tmp_path / "out.nwb") as file:
        plane = file["general/optophysiology/ImagingPlane"]
        assert "zoom 1.3" in plane["description"][()].decode()
        assert [name for name in plane if "SNR" in name] == ["HighSNR"]


@pytest.mark.parametrize("kept", [LOW, HIGH])
def test_converts_half_a_pair_and_says_so(tmp_path, kept):
    folder = pair(tmp_path / OUTER)
    (folder / (HIGH if kept == LOW else LOW)).unlink()
    which, lacking = ("low", "high") if kept == LOW else ("high", "low")
    (found,) = own(nwbridge.inspect(folder).findings)
    assert found == f"only the {which}-SNR movie is here; the {lacking}-SNR movie of the pair is missing"


@pytest.mark.parametrize("shape", [(9, 60, 44), (8, 44, 60)], ids=["another shape", "fewer frames"])
def test_refuses_a_pair_that_differs(tmp_path, shape):
    folder = pair(tmp_path / OUTER, high=frames(2, shape))
    with pytest.raises(BadSource, match=rf"9 × 44 × 60 and .*{shape[0]} × {shape[1]} × {shape[2]}"):
        nwbridge.convert(folder, tmp_path / "out.nwb")
    assert not (tmp_path / "out.nwb").exists()


def test_warns_of_a_pair_of_two_types(tmp_path):
    folder = pair(tmp_path / OUTER, high=frames(2).astype(np.float32))
    assert own(nwbridge.inspect(folder).findings) == ["the low-SNR movie is uint16, the high-SNR movie float32"]


@pytest.mark.parametrize(
    "packed", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["folder", "stored", "deflated"]
)
@pytest.mark.parametrize(
    "how",
    [
        {"imagej": False, "bigtiff": True},
        {"imagej": False, "truncate": True},
        {"imagej": True},
        {"imagej": False, "compression": "lzw"},
    ],
    ids=["BigTIFF", "one directory", "ImageJ", "LZW"],
)
def test_reads_tiffs_of_every_make(tmp_path, how, packed):
    path = pair(tmp_path / OUTER, **how)
    if packed is not None:
        with zipfile.ZipFile(tmp_path / f"{OUTER}.zip", "w", packed) as archive:
            for name in (LOW, HIGH):
                archive.write(path / name, name)
        path = tmp_path / f"{OUTER}.zip"
    nwbridge.convert(path, tmp_path / "out.nwb")
    assert_pair(tmp_path / "out.nwb", frames(1), frames(2))


# what the file says


def test_writes_the_pair_on_one_plane_with_two_channels(tmp_path):
    nwbridge.convert(example(tmp_path), tmp_path / "out.nwb", metadata=MOUSE)
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io_:
        file = io_.read()
        (plane,) = file.imaging_planes.values()
        assert {channel.name for channel in plane.optical_channel} == {"LowSNR", "HighSNR"}
        np.testing.assert_allclose(plane.grid_spacing, [575 / 60, 550 / 44])  # x = columns first
        assert plane.grid_spacing_unit == "micrometers"
        assert plane.imaging_rate == 30.0
        assert plane.description == (
            "80 µm below the pia mater; excitation power 66 mW; power setting 0.2; zoom 1.3; amplifier gain 1"
        )
        assert (plane.indicator, plane.location) == ("unknown", "unknown")
        assert len(file.acquisition) == 2
        for series in file.acquisition.values():
            assert series.imaging_plane is plane
            assert (series.rate, series.starting_time, series.pmt_gain) == (30.0, 0.0, 1.0)
            np.testing.assert_allclose(series.field_of_view, [575e-6, 550e-6])  # width, height in metres
            assert "motion corrected" in series.description
        assert file.related_publications == ("doi:10.1038/s41592-021-01225-0",)
        assert file.subject.subject_id == "deepcad-group-01"
        assert "does not say which recordings share an animal" in file.subject.description


def test_tells_where_each_fact_comes_from(tmp_path):
    fields = {field.key: field for field in nwbridge.inspect(example(tmp_path)).fields}
    inner = LOW
    said = {
        "NWBFile.session_id": (OUTER, "the name of the zip, folder or file"),
        "Subject.subject_id": ("deepcad-group-01", "the group in the download guide"),
        "Ophys.TwoPhotonSeries.rate": (30, f"the name {inner}"),
        "Ophys.ImagingPlane.grid_spacing": ([575 / 60, 550 / 44], f"the name {inner}: field of view divided by pixels"),
    }
    assert {key: (fields[key].value, fields[key].note) for key in said} == said
    unknown = {key for key, field in fields.items() if field.origin == "unknown"}
    assert {"Subject.species", "Subject.sex", "Subject.age", "NWBFile.session_start_time"} <= unknown
    assert {"Ophys.ImagingPlane.indicator", "Ophys.ImagingPlane.location"} <= unknown
    assert {"NWBFile.lab", "NWBFile.experimenter", "NWBFile.institution"} <= unknown


def test_takes_species_and_indicator_from_the_names_of_deepcad_rt(tmp_path):
    folder = pair(tmp_path / "data", names=[RT.format("low"), RT.format("high")])
    result = nwbridge.convert(folder, tmp_path / "out.nwb")
    fields = {field.key: field for field in result.fields}
    assert (fields["Subject.species"].value, fields["Subject.species"].note) == (
        "Mus musculus",
        f"the name {RT.format('low')}",
    )
    assert fields["Ophys.ImagingPlane.indicator"].value == "GCaMP6f"
    assert fields["NWBFile.related_publications"].value == ("doi:10.1038/s41587-022-01450-8",)
    assert "Ophys.ImagingPlane.grid_spacing" not in fields
    assert result.ok


def test_claims_no_paper_and_no_group_for_names_that_say_nothing(tmp_path):
    folder = pair(tmp_path / "data", names=["lowSNR.tif", "highSNR.tif"])
    with pytest.raises(MissingMetadata, match=r"Ophys\.TwoPhotonSeries\.rate"):
        nwbridge.convert(folder, tmp_path / "out.nwb")
    inspection = nwbridge.inspect(folder)
    fields = {field.key: field.value for field in inspection.fields}
    assert fields["NWBFile.related_publications"] is None
    assert fields["Subject.subject_id"] == "data"
    assert "DeepCAD" not in inspection.description


def test_says_how_to_give_the_species(tmp_path):
    path = example(tmp_path)
    result = nwbridge.convert(path, tmp_path / "out.nwb")
    assert not result.ok
    (error,) = [finding for finding in result.findings if finding.severity == "error"]
    assert "Subject.species=Mus musculus" in error.advice
    given = nwbridge.convert(path, tmp_path / "given.nwb", metadata=MOUSE)
    assert [finding for finding in given.findings if finding.severity == "error"] == []


# real frames under DeepCAD's names: stand-ins, for no recording of DeepCAD itself is at hand


def test_reads_a_real_imagej_stack(samples, tmp_path):
    folder = tmp_path / OUTER
    folder.mkdir()
    shutil.copy(samples / "deepcad" / "sima_example.tif", folder / LOW)
    expected = tifffile.imread(folder / LOW)
    nwbridge.convert(folder, tmp_path / "out.nwb")
    assert expected.shape == (20, 128, 256)
    np.testing.assert_array_equal(series_in(tmp_path / "out.nwb")["TwoPhotonSeriesLowSNR"], expected)


def test_reads_real_frames_as_a_pair(samples, tmp_path):
    images = samples / "neurofinder" / "neurofinder.00.00" / "images"
    low = tifffile.imread(sorted(images.iterdir())[:12])
    high = tifffile.imread(sorted(images.iterdir())[8:])
    archive = shutil.make_archive(str(tmp_path / OUTER), "zip", pair(tmp_path / "data", low, high))
    nwbridge.convert(archive, tmp_path / "out.nwb")
    assert_pair(tmp_path / "out.nwb", low, high)


# what is none of its own


@pytest.mark.parametrize("name", ["lowSNR.txt", "movie.tif", "lowSNR/movie.tif", "a/b/c_lowSNR.tif"])
def test_leaves_other_names_to_others(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert detect(tmp_path) is None


def test_names_a_tiff_as_its_evidence(tmp_path):
    assert detect(pair(tmp_path / "data")) == f"TIFF named lowSNR or highSNR: {HIGH} and 1 more"
