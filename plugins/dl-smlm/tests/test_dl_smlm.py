"""The source meets the contract, and every file of a cell becomes what it is."""

import shutil
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

import nwbridge
from nwbridge import BadOption, BadSource, Localizations, Movie
from nwbridge.testing import SourceContract
from nwbridge_dl_smlm import describe, detect, example
from nwbridge_dl_smlm.recording import SmlmOptions

NAMES = ["source_id", "frame", "x", "y", "sigma", "intensity", "offset", "bkgstd", "chi2", "uncertainty"]


def images(path):
    return {
        "OnePhotonSeries": tifffile.imread(path / "WF_raw.tif"),
        "Widefield/WF": tifffile.imread(path / "WF1.tif"),
        "SuperResolution/SR": tifffile.imread(path / "SR1.tif"),
    }


class TestDlSmlm(SourceContract):
    source = "dl-smlm"

    def read(self, path):
        lines = [line.split(",") for line in (path / "SR_locs.csv").read_text().splitlines()[1:]]
        columns = zip(NAMES, zip(*lines, strict=True), strict=True)
        kinds = dict.fromkeys(("source_id", "frame"), np.int64)
        table = {f"Localizations/{n}": np.array(list(map(float, c))).astype(kinds.get(n, float)) for n, c in columns}
        return images(path) | table


def described(path, **options):
    return nwbridge.describe(path, source="dl-smlm", options=options)


def cells(path):
    """Return the functions that describe the cells below a path, by name."""
    return describe(path, SmlmOptions())


def said(session, severity="warning"):
    return [finding.message for finding in session.findings if finding.severity == severity]


def zipped(folder, target, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(target, "w", method) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(folder.parent).as_posix())
    return target


def structure(folder, name, cells):
    """Write a structure of several cells, each of its own values."""
    for number in cells:
        target = folder / name / f"cell{number}"
        target.mkdir(parents=True)
        frames = np.random.default_rng(number).integers(0, 65536, (100, 5, 7)).astype(np.uint16)
        tifffile.imwrite(target / "WF_raw.tif", frames)
        tifffile.imwrite(target / f"WF{number}.tif", frames.sum(axis=0, dtype=np.float32))
        tifffile.imwrite(target / f"SR{number}.tif", frames[0].repeat(8, 0).repeat(8, 1).astype(np.float32))
        (target / "SR_locs.csv").write_text(f'"frame","x [nm]","y [nm]"\n1,{number}.5,7\n')
    return folder / name


# what is published and where it stands


def test_writes_the_camera_s_facts_into_the_series(cell, tmp_path):
    nwbridge.convert(cell, tmp_path / "out.nwb")
    with h5py.File(tmp_path / "out.nwb") as file:
        series = file["acquisition/OnePhotonSeries"]
        data = series["data"].attrs
        assert (data["conversion"], data["offset"], data["unit"]) == (0.23, -23.0, "electrons")
        exposure, binning = (series.attrs.get(k, series.get(k)) for k in ("exposure_time", "binning"))
        assert (float(exposure[()]), int(binning[()])) == (0.05, 2)
        spacing = series["imaging_plane/grid_spacing"]
        assert (spacing[()].tolist(), spacing.attrs["unit"]) == ([0.13, 0.13], "micrometers")
        assert series["imaging_plane"]["location"][()] == b"clathrin-coated pits"
        device = file["general/devices/models/ORCA-Fusion BT"]
        assert device.attrs["manufacturer"] == "Hamamatsu"
        assert file["general/related_publications"][0] == b"doi:10.1038/s41597-025-04979-w"


def test_gives_an_origin_to_all_that_the_files_do_not_hold(cell):
    origins = described(cell).origins
    published = ("exposure_time", "binning", "conversion", "offset", "unit")
    assert all("10.1038/s41597-025-04979-w" in origins[f"Ophys.OnePhotonSeries.{key}"] for key in published)
    assert "10.1038/s41597-025-04979-w" in origins["Ophys.ImagingPlane.grid_spacing"]


def test_says_in_the_file_that_the_rate_is_derived(cell, tmp_path):
    result = nwbridge.convert(cell, tmp_path / "out.nwb")
    assert any("derived from the exposure of 50 ms" in f.message for f in result.findings if f.severity == "warning")
    with h5py.File(tmp_path / "out.nwb") as file:
        series = file["acquisition/OnePhotonSeries"]
        assert series["starting_time"].attrs["rate"] == 20
        assert "derived from the exposure" in series.attrs["description"]


def test_takes_the_rate_that_is_given(cell):
    session = described(cell, rate=19.5)
    assert session.of(Movie)[0].rate_hz == 19.5
    assert "derived" not in session.of(Movie)[0].description
    assert said(session) == []
    assert session.origins["Ophys.OnePhotonSeries.rate"] == "option --rate"


@pytest.mark.parametrize("rate", [0, -3, float("inf")])
def test_refuses_a_rate_that_is_none(cell, rate):
    with pytest.raises(BadOption, match="more than 0"):
        described(cell, rate=rate)


def test_asks_for_the_cell_line_and_its_species(cell):
    session = described(cell)
    assert (session.subject.species, session.subject.strain) == (None, None)
    assert session.subject.description == "cultured cell"  # true also where they are given
    (hint,) = [finding for finding in session.findings if finding.severity == "hint"]
    assert "cell line" in hint.message
    assert "Subject.strain=cellLine: NAME" in hint.advice
    assert "Subject.species=" in hint.advice


def test_does_not_ask_again_for_what_the_user_gives(cell):
    given = {"Subject": {"strain": "cellLine: COS-7", "species": "Chlorocebus sabaeus"}}
    for metadata, asked in ((None, 1), ({"Subject": {"strain": "cellLine: COS-7"}}, 1), (given, 0)):
        inspection = nwbridge.inspect(cell, source="dl-smlm", metadata=metadata)
        assert sum("cell line" in finding.message for finding in inspection.findings) == asked


def test_gives_both_images_the_size_of_their_pixels(cell):
    sizes = {image.name: image.pixel_um for element in described(cell).elements[1:3] for image in element.images}
    assert sizes == {"WF": (0.13, 0.13), "SR": (0.01625, 0.01625)}


def test_links_the_table_to_plane_and_series(cell, tmp_path):
    nwbridge.convert(cell, tmp_path / "out.nwb")
    with h5py.File(tmp_path / "out.nwb") as file:
        table = file["processing/ophys/Localizations"]
        assert table["found_in"] == file["acquisition/OnePhotonSeries"]
        assert table["imaging_plane"] == file["general/optophysiology/ImagingPlane"]
        assert (table.attrs["frame_base"], table.attrs["software"]) == (1, "ThunderSTORM")
        assert {n: table[n].attrs.get("unit") for n in ("x", "intensity", "chi2")} == {
            "x": "nm",
            "intensity": "photon",
            "chi2": None,
        }


# folders, zips, structures


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_converts_every_cell_of_a_downloaded_zip(tmp_path, method):
    folder = structure(tmp_path / "in", "ER-sec61β", (1, 2, 10))
    path = zipped(folder, tmp_path / "ER-sec61β.zip", method)
    recordings = cells(path)
    assert list(recordings) == [f"ER-sec61beta_cell{number}" for number in (1, 2, 10)]
    for number, (name, function) in zip((1, 2, 10), recordings.items(), strict=True):
        session = function()
        assert (session.id, session.subject.subject_id) == (name, name)
        assert "ER-sec61β (endoplasmic reticulum, membrane)" in session.description
        assert "ER-sec61β" in session.of(Movie)[0].plane.description
        assert "Sec61β" in session.of(Movie)[0].plane.description
        with session.of(Movie)[0].data.open() as reader:
            expected = tifffile.imread(folder / f"cell{number}" / "WF_raw.tif")
            np.testing.assert_array_equal(reader[0:100], expected)


def test_writes_a_file_for_each_cell_of_a_structure(tmp_path):
    folder = structure(tmp_path, "OMM-tomm20", (1, 2))
    for name in cells(folder):
        assert nwbridge.convert(folder, tmp_path / f"{name}.nwb", only=name).verified
    for number in (1, 2):
        with h5py.File(tmp_path / f"OMM-tomm20_cell{number}.nwb") as file:
            assert file["processing/ophys/Localizations/x"][0] == number + 0.5


def test_a_damaged_cell_does_not_spoil_the_others(tmp_path):
    folder = structure(tmp_path, "CCPs", (1, 2))
    (folder / "cell1" / "SR_locs.csv").write_text("nothing\n")
    recordings = cells(folder)
    with pytest.raises(BadSource, match=r"cell1/SR_locs\.csv has no column x"):
        recordings["CCPs_cell1"]()
    assert recordings["CCPs_cell2"]().id == "CCPs_cell2"


def test_reads_several_structures_below_one_folder(tmp_path):
    structure(tmp_path / "data", "CCPs", (1,))
    structure(tmp_path / "data", "IMM-cox8a", (1,))
    assert list(cells(tmp_path / "data")) == ["CCPs_cell1", "IMM-cox8a_cell1"]


@pytest.mark.parametrize(
    ("name", "expected", "location"),
    [
        ("CCPs", "CCPs", "clathrin-coated pits"),
        ("ER-sec61β", "ER-sec61beta", "endoplasmic reticulum, membrane"),
        ("ER-sec61ª┬", "ER-sec61beta", "endoplasmic reticulum, membrane"),  # as an old zip tool spoils the letter
        ("ER-KDEL", "ER-KDEL", "endoplasmic reticulum, lumen"),
        ("Microtubules", "Microtubules", "microtubules"),
        ("OMM-tomm20", "OMM-tomm20", "outer mitochondrial membrane"),
        ("IMM-cox8a", "IMM-cox8a", "inner mitochondrial membrane"),
        ("Äktin φ", "Aktin_phi", None),
    ],
)
def test_names_a_recording_after_structure_and_cell(tmp_path, name, expected, location):
    folder = structure(tmp_path, name, (4,))
    (recording,) = cells(folder)
    assert recording == f"{expected}_cell4"
    plane = cells(folder)[recording]().of(Movie)[0].plane
    assert (plane.location, plane.indicator) == (location, None)


def test_a_cell_s_folder_is_one_recording_of_the_same_name(tmp_path):
    folder = structure(tmp_path, "ER-sec61β", (4,))
    assert described(folder / "cell4").id == "ER-sec61beta_cell4"
    assert described(zipped(folder / "cell4", folder / "cell4.zip")).id == "ER-sec61beta_cell4"


def test_a_structure_of_one_cell_is_a_folder_of_recordings_and_the_cell_is_one(cell):
    assert describe(cell, SmlmOptions()).id == "CCPs_cell1"
    assert list(describe(cell.parent, SmlmOptions())) == ["CCPs_cell1"]


def test_makes_different_names_of_cells_that_would_be_called_alike(tmp_path):
    for part in ("part1", "part2"):
        structure(tmp_path / "data" / part, "CCPs", (1,))
    assert list(cells(tmp_path / "data")) == ["part1_CCPs_cell1", "part2_CCPs_cell1"]


@pytest.mark.parametrize("copy", ["Cell1", "cell 1"])
def test_refuses_cells_whose_files_would_have_one_name(tmp_path, copy):
    folder = structure(tmp_path, "CCPs", (1, 2))
    shutil.copytree(folder / "cell1", folder / copy)
    if copy == "cell 1":
        shutil.copytree(folder / "cell1", folder / "cell_1")
    with pytest.raises(BadSource, match=r"CCPs: .*(Cell1, cell1|cell 1, cell_1) would give files of one name; rename"):
        cells(folder)


# parts missing, parts that do not belong together


@pytest.mark.parametrize("name", ["WF_raw.tif", "WF1.tif", "SR1.tif", "SR_locs.csv"])
def test_converts_what_is_there_and_says_what_is_missing(cell, tmp_path, name):
    whole = described(cell, rate=20)
    (cell / name).unlink()
    session = described(cell, rate=20)
    assert len(session.elements) == len(whole.elements) - 1
    (text,) = said(session)
    assert text.startswith(f"cell1 has no {name.replace('1', '<N>')}")
    assert nwbridge.convert(cell, tmp_path / "out.nwb", options={"rate": 20}).verified


@pytest.mark.parametrize("name", ["WF_raw.tif", "SR_locs.csv"])
def test_converts_a_single_file_of_a_cell(cell, name):
    session = described(cell / name)
    assert len(session.elements) == 1
    assert session.files == (cell / name,)


def test_takes_the_largest_sums_that_a_hundred_frames_can_have(tmp_path):
    cell = structure(tmp_path, "CCPs", (1,)) / "cell1"
    frames = np.full((100, 5, 7), 65535, np.uint16)
    tifffile.imwrite(cell / "WF_raw.tif", frames)
    tifffile.imwrite(cell / "WF1.tif", frames.sum(axis=0, dtype=np.float32))
    assert described(cell, rate=20).findings[:-1] == ()


def test_refuses_an_image_that_is_not_the_sum_of_the_frames(cell):
    image = tifffile.imread(cell / "WF1.tif")
    image[20, 30] += 1
    image[20, 31] = np.nan
    tifffile.imwrite(cell / "WF1.tif", image)
    numbers = rf"row 20, column 30 holds {image[20, 30]:.9g}, the frames add up to {image[20, 30] - 1:.9g} \(2 of 768"
    with pytest.raises(BadSource, match=rf"WF1\.tif is not the sum of the 100 frames of WF_raw\.tif: {numbers}"):
        described(cell)
    session = described(cell, check_sum=False)
    assert any("WF1.tif is not the sum" in text for text in said(session))
    widefield = session.elements[1]
    assert (widefield.made_from, widefield.images[0].description) == (
        "frames that are not here",
        "widefield image; not the sum of the frames that are here",
    )


def test_refuses_the_image_of_another_cell(tmp_path):
    folder = structure(tmp_path, "CCPs", (1, 2))
    shutil.copy(folder / "cell2" / "WF2.tif", folder / "cell1" / "WF1.tif")
    with pytest.raises(BadSource, match=r"row 0, column 0 holds .* \(35 of 35 pixels differ\)"):
        cells(folder)["CCPs_cell1"]()


def test_refuses_an_image_of_another_size_than_the_frames(cell):
    tifffile.imwrite(cell / "WF1.tif", tifffile.imread(cell / "WF1.tif").T.copy())
    for check in (True, False):
        with pytest.raises(
            BadSource, match=r"it has 32 × 24 pixels, they have 24 × 32; put the files of one cell together$"
        ):
            described(cell, check_sum=check)


def test_refuses_the_files_of_two_cells_in_one_folder(cell):
    shutil.copy(cell / "SR1.tif", cell / "SR2.tif")
    with pytest.raises(BadSource, match=r"holds SR1\.tif and SR2\.tif: the files of several cells"):
        described(cell)


@pytest.mark.parametrize(("folder", "image"), [("cell1", "SR2.tif"), ("cell2", "SR1.tif"), ("first", "SR2.tif")])
def test_warns_of_files_numbered_as_another_cell_s(cell, folder, image):
    (cell / "SR1.tif").rename(cell / image)
    cell = cell.rename(cell.parent / folder)
    text = f"{folder} holds WF1.tif and {image}, with numbers of other cells"
    assert text in said(described(cell))


def test_names_files_that_are_not_carried(cell):
    (cell / "notes.txt").touch()
    assert "not carried: notes.txt" in said(described(cell), "hint")


@pytest.mark.parametrize("name", ["WF_raw.tif", "WF1.tif", "SR1.tif"])
def test_refuses_numbers_of_half_precision(cell, name):
    tifffile.imwrite(cell / name, tifffile.imread(cell / name).astype(np.float16))
    with pytest.raises(BadSource, match=rf"{name} is float16; expected (uint16|float32)"):
        described(cell)


@pytest.mark.parametrize("name", ["WF1.tif", "SR1.tif"])
def test_refuses_a_stack_where_an_image_is_expected(cell, name):
    tifffile.imwrite(cell / name, np.zeros((2, 24, 32), np.float32))
    with pytest.raises(BadSource, match=rf"{name} has 2 frames; expected one image"):
        described(cell)


def test_leaves_the_pixel_size_out_where_the_magnification_is_another(cell):
    tifffile.imwrite(cell / "SR1.tif", np.zeros((96, 128), np.float32))
    session = described(cell)
    assert "SR1.tif is 96 × 128, WF_raw.tif 24 × 32" in said(session)[0]
    assert session.elements[2].images[0].pixel_um is None


def test_holds_the_reconstruction_against_the_sum_where_the_frames_are_missing(cell):
    (cell / "WF_raw.tif").unlink()
    tifffile.imwrite(cell / "SR1.tif", np.zeros((96, 128), np.float32))
    session = described(cell)
    assert "SR1.tif is 96 × 128, WF1.tif 24 × 32" in said(session)[1]
    assert session.elements[1].images[0].pixel_um is None
    assert session.of(Localizations)[0].plane.rate_hz is None  # no frames, no rate


def test_declares_no_electrons_for_frames_that_are_not_the_camera_s(cell):
    frames = tifffile.imread(cell / "WF_raw.tif")[:90].astype(np.float32)
    tifffile.imwrite(cell / "WF_raw.tif", frames)
    (cell / "WF1.tif").unlink()
    session = described(cell)
    movie = session.of(Movie)[0]
    assert (movie.unit, movie.conversion, movie.offset) == (None, 1, 0)
    assert "WF_raw.tif has 90 frames; 100 are published" in said(session)
    assert any("WF_raw.tif is float32; uint16 is published" in text for text in said(session))


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("name", ["WF_raw.tif", "WF1.tif", "SR1.tif", "SR_locs.csv"])
def test_refuses_a_file_that_is_cut_off(cell, tmp_path, name, tenth):
    data = (cell / name).read_bytes()
    cut = len(data) * tenth // 10
    while name == "SR_locs.csv" and data[:cut].rpartition(b"\n")[2].count(b",") in (0, 9):
        cut += 1  # into the middle of a row; what lies elsewhere has tests of its own
    (cell / name).write_bytes(data[:cut])
    with pytest.raises(BadSource, match=name):
        nwbridge.convert(cell, tmp_path / "out.nwb")
    assert not (tmp_path / "out.nwb").exists()


@pytest.mark.parametrize("tenth", range(1, 10))
def test_refuses_a_zip_that_is_cut_off(cell, tmp_path, tenth):
    path = zipped(cell, tmp_path / "cell1.zip")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenth // 10])
    with pytest.raises(BadSource, match=r"cell1\.zip"):
        described(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_refuses_a_table_that_does_not_match_the_zip_s_checksum(cell, tmp_path, method):
    path = zipped(cell, tmp_path / "cell1.zip", method)
    content = path.read_bytes()
    entry = content.index(b"cell1/SR_locs.csv", content.index(b"PK\x01\x02"))
    crc = entry - 46 + 16
    path.write_bytes(content[:crc] + bytes([content[crc] ^ 1]) + content[crc + 1 :])
    with pytest.raises(BadSource, match=r"SR_locs\.csv does not match its checksum in cell1\.zip"):
        described(path)


# what is its own, and what is not


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["WF_raw.tif"], True),
        (["cell1/WF_raw.tif", "cell2/WF_raw.tif"], True),
        (["SR_locs.csv"], True),
        (["WF12.tif", "SR12.tif"], True),
        (["WF12.tif"], False),
        (["SR12.tif"], False),
        (["storm_table.csv", "images.tif"], False),
    ],
    ids=str,
)
def test_finds_a_cell_by_the_names_of_its_files(tmp_path, names, found):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    evidence = detect(tmp_path)
    assert (evidence is not None) == found
    assert all(name in evidence for name in names[:1]) if found else True


def test_refuses_a_folder_without_a_cell(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadSource, match=r"has none of the files of a DL-SMLM cell; expected WF_raw\.tif"):
        described(tmp_path)


# real frames and tables of other work, in the layout of the data set


def test_converts_real_frames_in_the_layout_of_the_data_set(samples, tmp_path):
    cell = tmp_path / "Microtubules" / "cell7"
    cell.mkdir(parents=True)
    frames = tifffile.imread(samples / "dl_smlm" / "ds_Artificial.tif")[:, :60]
    tifffile.imwrite(cell / "WF_raw.tif", frames)
    tifffile.imwrite(cell / "WF7.tif", frames.sum(axis=0, dtype=np.float32))
    shutil.copy(samples / "dl_smlm" / "ds_positions_demo1.csv", cell / "SR_locs.csv")
    result = nwbridge.convert(cell, tmp_path / "out.nwb")
    assert result.verified
    table = pd.read_csv(cell / "SR_locs.csv")
    with h5py.File(tmp_path / "out.nwb") as file:
        stored = file["acquisition/OnePhotonSeries/data"][()].transpose(0, 2, 1)
        np.testing.assert_array_equal(stored, frames)
        total = file["processing/ophys/Widefield/WF"][()].T
        np.testing.assert_array_equal(total, frames.sum(axis=0, dtype=np.float32))
        for name, column in {"frame": "frame", "x": "x [nm]", "bkgstd": "bkgstd [photon]"}.items():
            np.testing.assert_array_equal(file[f"processing/ophys/Localizations/{name}"][()], table[column])


def test_reads_real_frames_without_unpacking(samples, tmp_path):
    cell = tmp_path / "CCPs" / "cell1"
    cell.mkdir(parents=True)
    shutil.copy(samples / "dl_smlm" / "locan_images.tif", cell / "WF_raw.tif")
    session = described(zipped(cell, tmp_path / "CCPs cell1.zip"))
    with session.of(Movie)[0].data.open() as reader:
        np.testing.assert_array_equal(reader[0:5], tifffile.imread(cell / "WF_raw.tif"))
    assert "CCPs" in session.id
    assert not session.of(Localizations)


def test_the_example_s_reconstruction_is_made_of_its_table(tmp_path):
    path = example(tmp_path)
    table = pd.read_csv(path / "SR_locs.csv")
    edges = [np.arange(size + 1) * 16.25 for size in (192, 256)]
    made = np.histogram2d(table["y [nm]"], table["x [nm]"], edges)[0]
    np.testing.assert_array_equal(tifffile.imread(path / "SR1.tif"), made)
