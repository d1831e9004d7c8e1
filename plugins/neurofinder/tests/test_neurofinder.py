"""The neurofinder source meets the contract and reads real data sets."""

import dataclasses
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import BadSource, MissingMetadata
from nwbridge.testing import SourceContract
from nwbridge_neurofinder import describe, detect, example

MOUSE = {"Subject": {"species": "Mus musculus"}}


class TestNeurofinder(SourceContract):
    source = "neurofinder"

    def read(self, path):
        return {"TwoPhotonSeries": np.stack([tifffile.imread(file) for file in sorted((path / "images").iterdir())])}

    def read_regions(self, path):
        regions = json.loads((path / "regions" / "regions.json").read_text())
        return {"PlaneSegmentation": [[tuple(pixel) for pixel in region["coordinates"]] for region in regions]}

    def declared_frames(self, path):
        return json.loads((path / "info.json").read_text())["dimensions"][2]


def zipped(folder, target, method=zipfile.ZIP_STORED, outer=True):
    with zipfile.ZipFile(target, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent if outer else folder).as_posix())
    return target


def movie_in(nwb):
    with h5py.File(nwb) as file:
        return file["acquisition/TwoPhotonSeries/data"][()].transpose(0, 2, 1)


def pixels_in(nwb):
    """Return {id: [(row, column), …]} as the file holds them."""
    with h5py.File(nwb) as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        mask, ends = table["pixel_mask"][()], table["pixel_mask_index"][()]
        masks = np.split(mask, ends[:-1].astype(int))
        assert len(mask) == ends[-1]
        assert set(mask["weight"]) == {1.0}
        return {
            int(label): list(zip(m["y"].tolist(), m["x"].tolist(), strict=True))
            for label, m in zip(table["id"][()], masks, strict=True)
        }


def set_info(folder, **changes):
    info = json.loads((folder / "info.json").read_text()) | {k.replace("_", "-"): v for k, v in changes.items()}
    (folder / "info.json").write_text(json.dumps({k: v for k, v in info.items() if v is not None}))


def set_regions(folder, regions):
    (folder / "regions" / "regions.json").write_text(json.dumps(regions))


def older_layout(folder, movie, dtype="uint16"):
    """Write the older layout as its README says: a column-major frame a file."""
    (folder / "images" / "1").mkdir(parents=True)
    (folder / "images" / "conf.json").write_text(json.dumps({"dims": list(movie.shape[1:]), "dtype": dtype}))
    for number, frame in enumerate(movie):
        (folder / "images" / "1" / f"image-{number:05d}.bin").write_bytes(frame.astype(dtype).tobytes(order="F"))
    return folder


# real recordings


@pytest.fixture(scope="module")
def real(samples, tmp_path_factory):
    """The real 00.00, and the file made from it."""
    out = tmp_path_factory.mktemp("real") / "out.nwb"
    path = samples / "neurofinder" / "neurofinder.00.00"
    return path, out, nwbridge.convert(path, out)


def test_writes_every_value_of_a_real_data_set(real):
    path, out, result = real
    np.testing.assert_array_equal(movie_in(out), tifffile.imread(sorted((path / "images").iterdir())))
    assert result.verified
    assert result.ok


def test_warns_with_both_counts_where_frames_are_missing_at_the_end(real):
    _, _, result = real
    (warning,) = [finding for finding in result.findings if finding.check == "neurofinder"]
    assert warning.severity == "warning"
    assert "declares 3024 frames" in warning.message
    assert "holds 20" in warning.message


def test_keeps_the_exact_pixels_and_ids_of_330_regions_and_their_overlap(real):
    path, out, _ = real
    regions = json.loads((path / "regions" / "regions.json").read_text())
    expected = {region["id"]: [tuple(pixel) for pixel in region["coordinates"]] for region in regions}
    found = pixels_in(out)
    assert len(found) == 330
    assert found == expected
    every = [pixel for pixels in found.values() for pixel in pixels]
    assert len(every) > len(set(every)), "the real regions overlap"


def test_tells_where_each_fact_of_a_real_data_set_comes_from(real):
    path, _, _ = real
    fields = {field.key: (field.value, field.origin, field.note) for field in nwbridge.inspect(path).fields}
    said = {
        "NWBFile.session_id": ("neurofinder.00.00", "name of the folder or zip"),
        "NWBFile.lab": ("Svoboda Lab", "info.json: lab"),
        "NWBFile.institution": ("Janelia Research Campus", "info.json: location"),
        "NWBFile.experimenter": (("Peron, Simon",), "info.json: contributors"),
        "Subject.species": ("Mus musculus", "info.json: animal"),
        "Ophys.ImagingPlane.indicator": ("GCaMP6s", "info.json: indicator"),
        "Ophys.ImagingPlane.location": ("SSp-bfd", "info.json: region"),
        "Ophys.ImagingPlane.grid_spacing": ([1 / 1.15, 1 / 1.15], "info.json: pixels-per-micron"),
        "Ophys.TwoPhotonSeries.rate": (7, "info.json: rate-hz"),
    }
    assert {key: (fields[key][0], fields[key][2]) for key in said} == said
    assert {fields[key][1] for key in said} == {"source"}
    unknown = {key for key, (_, origin, _) in fields.items() if origin == "unknown"}
    assert {"NWBFile.session_start_time", "Subject.sex", "Subject.age"} <= unknown
    assert {"Ophys.ImagingPlane.excitation_lambda", "NWBFile.related_publications"} <= unknown


def test_reads_the_older_layout_as_the_current_one(samples, real, tmp_path):
    older = samples / "neurofinder" / "neurofinder.00.00_legacy"
    nwbridge.convert(older, tmp_path / "out.nwb")
    path, out, _ = real
    found = movie_in(tmp_path / "out.nwb")
    np.testing.assert_array_equal(found, tifffile.imread(sorted((path / "images").iterdir())[:3]))
    files = sorted((older / "images" / "1").iterdir())
    raw = [np.fromfile(file, "<u2").reshape((512, 512), order="F") for file in files]
    np.testing.assert_array_equal(found, raw)
    assert pixels_in(tmp_path / "out.nwb") == pixels_in(out)


def test_asks_for_the_rate_of_a_real_recording_without_info(samples, tmp_path):
    path = samples / "neurofinder" / "thunder_mouse_binary"
    with pytest.raises(MissingMetadata, match=r"Ophys\.TwoPhotonSeries\.rate=HZ"):
        nwbridge.convert(path, tmp_path / "out.nwb")
    assert not (tmp_path / "out.nwb").exists()


def test_converts_signed_column_major_frames_given_rate_and_subject(samples, tmp_path):
    path = samples / "neurofinder" / "thunder_mouse_binary"
    metadata = MOUSE | {"Ophys": {"TwoPhotonSeries": [{"rate": 7.0}]}}
    result = nwbridge.convert(path, tmp_path / "out.nwb", metadata=metadata)
    files = sorted((path / "images").glob("*.bin"))
    expected = [np.fromfile(file, "<i2").reshape((64, 64), order="F") for file in files]
    found = movie_in(tmp_path / "out.nwb")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, expected)
    assert result.ok
    origins = {field.key: field.origin for field in result.fields}
    assert origins["Ophys.TwoPhotonSeries.rate"] == origins["Subject.species"] == "user"
    assert origins["Ophys.ImagingPlane.indicator"] == origins["Ophys.ImagingPlane.location"] == "unknown"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize(
    ("name", "outer"),
    [
        ("neurofinder.00.00", True),
        ("neurofinder.00.00", False),
        ("neurofinder.00.00_legacy", True),
        ("neurofinder.00.00_legacy", False),
        ("thunder_mouse_binary", True),  # alone, its one folder images/ would count as the outer folder
    ],
)
def test_describes_a_zip_as_the_folder_that_it_was_made_of(samples, tmp_path, name, method, outer):
    folder = samples / "neurofinder" / name
    archive = zipped(folder, tmp_path / f"{name}.zip", method, outer)
    assert detect(archive) == detect(folder)
    one, other = describe(folder, None), describe(archive, None)
    assert (one.id, one.description, one.elements, one.subject) == (
        other.id,
        other.description,
        other.elements,
        other.subject,
    )
    assert other.files == (archive,)
    with one.elements[0].data.open() as expected, other.elements[0].data.open() as found:
        np.testing.assert_array_equal(found[0:1000], expected[0:1000])


# the made-up example, which is not square


@pytest.mark.parametrize("outer", [True, False], ids=["outer folder", "no outer folder"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_writes_the_values_of_a_zip(tmp_path, method, outer):
    folder = example(tmp_path)
    archive = zipped(folder, tmp_path / "neurofinder.99.00.zip", method, outer)
    assert nwbridge.convert(archive, tmp_path / "out.nwb").ok
    expected = tifffile.imread(sorted((folder / "images").iterdir()))
    np.testing.assert_array_equal(movie_in(tmp_path / "out.nwb"), expected)


def test_puts_masks_on_the_right_pixels_of_an_image_that_is_not_square(tmp_path):
    folder = example(tmp_path)
    nwbridge.convert(folder, tmp_path / "out.nwb")
    regions = json.loads((folder / "regions" / "regions.json").read_text())
    assert pixels_in(tmp_path / "out.nwb") == {r["id"]: [tuple(p) for p in r["coordinates"]] for r in regions}
    with h5py.File(tmp_path / "out.nwb") as file:
        assert file["acquisition/TwoPhotonSeries/data"].shape == (60, 52, 40)  # time, x, y
        mask = file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask"]
        assert 40 < mask["x"].max() + 1 <= 52
        assert mask["y"].max() < 40
        plane = file["general/optophysiology/ImagingPlane"]
        np.testing.assert_allclose(plane["grid_spacing"], [1 / 1.15, 1 / 1.15])


def test_converts_a_test_set_without_regions(tmp_path):
    folder = example(tmp_path).rename(tmp_path / "neurofinder.99.00.test")
    shutil.rmtree(folder / "regions")
    result = nwbridge.convert(folder, tmp_path / "out.nwb")
    assert result.ok
    assert result.session_id == "neurofinder.99.00.test"
    with h5py.File(tmp_path / "out.nwb") as file:
        assert "ophys" not in file.get("processing", {})


def test_converts_a_training_set_in_which_nothing_was_labelled(tmp_path):
    folder = example(tmp_path)
    set_regions(folder, [])
    result = nwbridge.convert(folder, tmp_path / "out.nwb")
    assert result.ok
    assert "PlaneSegmentation has no region" in [f.message for f in result.findings]
    with h5py.File(tmp_path / "out.nwb") as file:
        assert file["processing/ophys/ImageSegmentation/PlaneSegmentation/id"].shape == (0,)


def test_reads_regions_without_ids(tmp_path):
    folder = example(tmp_path)
    set_regions(folder, [{"coordinates": [[39, 51], [0, 7]]}, {"coordinates": [[3, 4]]}])
    nwbridge.convert(folder, tmp_path / "out.nwb")
    assert pixels_in(tmp_path / "out.nwb") == {0: [(39, 51), (0, 7)], 1: [(3, 4)]}


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_reads_an_older_layout_that_is_not_square(tmp_path, dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max  # the halves that the other type would misread
    movie = np.random.default_rng(5).integers(low, high, (7, 40, 52), endpoint=True).astype(dtype)
    folder = older_layout(tmp_path / "neurofinder.98.00", movie, dtype)
    (folder / "info.json").write_text(json.dumps({"rate-hz": 7.5, "dimensions": [40, 52, 7], "animal": "Mouse"}))
    (folder / "sources").mkdir()
    (folder / "sources" / "sources.json").write_text(json.dumps([{"coordinates": [[39, 51]]}]))
    assert nwbridge.convert(folder, tmp_path / "out.nwb").ok
    np.testing.assert_array_equal(movie_in(tmp_path / "out.nwb"), movie)
    assert pixels_in(tmp_path / "out.nwb") == {0: [(39, 51)]}


def test_reads_names_with_blanks_and_letters_beyond_ascii(tmp_path):
    folder = example(tmp_path).rename(tmp_path / "Köln µ 記録 neurofinder.99.00")
    result = nwbridge.convert(folder, tmp_path / "out.nwb")
    assert result.ok
    assert result.session_id == "neurofinder.99.00"


def test_invents_nothing_where_info_is_silent(tmp_path):
    folder = example(tmp_path)
    (folder / "info.json").write_text("{}")
    session = describe(folder, None)
    plane = session.elements[0].plane
    assert (plane.indicator, plane.location, plane.rate_hz, plane.pixel_um, plane.description) == (None,) * 5
    silent = {field.name for field in dataclasses.fields(session) if getattr(session, field.name) in (None, (), {})}
    stated = {"id", "description", "elements", "subject", "files", "origins"}
    assert silent == {field.name for field in dataclasses.fields(session)} - stated
    assert session.subject == nwbridge.Subject(subject_id="neurofinder.99.00")


@pytest.mark.parametrize(
    ("animal", "species"), [("Mouse", "Mus musculus"), ("rat", "Rattus norvegicus"), ("Fish", None)]
)
def test_names_the_species_that_the_animal_is(tmp_path, animal, species):
    folder = example(tmp_path)
    set_info(folder, animal=animal)
    assert describe(folder, None).subject.species == species


@pytest.mark.parametrize(
    ("region", "animal", "location"),
    [("vS1", "Mouse", "SSp-bfd"), ("V1", "mouse", "VISp"), ("dHPC CA1", "Mouse", "dHPC CA1"), ("V1", "Rat", "V1")],
)
def test_names_areas_of_the_mouse_brain_as_the_allen_atlas_does(tmp_path, region, animal, location):
    folder = example(tmp_path)
    set_info(folder, region=region, animal=animal)
    assert describe(folder, None).elements[0].plane.location == location


def test_names_only_what_was_read_as_source_files(tmp_path):
    folder = example(tmp_path)
    (folder / "example.py").write_text("print()")
    names = {file.relative_to(folder).as_posix() for file in describe(folder, None).files}
    assert names == {f"images/image{n:05d}.tiff" for n in range(60)} | {"info.json", "regions/regions.json"}


# what cannot be true


def test_refuses_a_gap_in_the_frames(tmp_path):
    folder = example(tmp_path)
    (folder / "images" / "image00031.tiff").unlink()
    with pytest.raises(BadSource, match="number 31 of"):
        nwbridge.inspect(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": [52, 40, 60]}, r"images of \(40, 52\).*says \(52, 40\)"),
        ({"dimensions": "40x52x60"}, "dimensions is '40x52x60'; expected a list: rows, columns, frames"),
        ({"dimensions": [40, 52]}, "expected a list: rows, columns, frames"),
        ({"dimensions": [40, 52, "60"]}, "dimensions.2 is '60'; expected a whole number"),
        ({"rate_hz": 0}, "rate-hz is 0; expected a number above 0"),
        ({"rate_hz": "7"}, "rate-hz is '7'; expected a number above 0"),
        ({"rate_hz": True}, "rate-hz is True; expected a number above 0"),
        ({"rate_hz": float("nan")}, "info.json is not valid JSON .NaN is no number"),
        ({"pixels_per_micron": -1.15}, "pixels-per-micron is -1.15; expected a number above 0"),
        ({"lab": ["Svoboda"]}, "lab .*; expected text"),
        ({"region": {"name": "V1"}}, "region .*; expected text"),
        ({"contributors": "Jane Doe"}, "contributors is 'Jane Doe'; expected a list: names"),
    ],
    ids=str,
)
def test_refuses_an_info_that_cannot_be_true(tmp_path, changes, message):
    folder = example(tmp_path)
    set_info(folder, **changes)
    with pytest.raises(BadSource, match=message):
        nwbridge.inspect(folder)


@pytest.mark.parametrize(
    ("text", "message"), [('{"id": ', "not valid JSON"), ("[]", "holds a list"), ("\udcff", "not valid JSON")]
)
def test_refuses_an_info_that_is_not_a_json_object(tmp_path, text, message):
    folder = example(tmp_path)
    (folder / "info.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadSource, match=f"info.json.*{message}"):
        nwbridge.inspect(folder)


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        ([[40, 3]], "outside the image, the first at row 40, column 3; the image has 40 rows and 52 columns"),
        ([[3, 52]], "row 3, column 52"),
        ([[3, 3], [-1, 3]], "1 of 2 pixels outside"),
        ([], "at least one"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        ([[1, 2], [3]], "region 1 is not"),
        ([[1.5, 2.0]], "whole numbers"),
        ([["1", "2"]], "whole numbers"),
        ("1,2", "whole numbers"),
        (None, "whole numbers"),
    ],
    ids=str,
)
def test_refuses_regions_that_are_no_pixels_of_the_image(tmp_path, coordinates, message):
    folder = example(tmp_path)
    set_regions(folder, [{"id": 4, "coordinates": [[1, 1]]}, {"id": 5, "coordinates": coordinates}])
    with pytest.raises(BadSource, match=message):
        nwbridge.inspect(folder)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"regions": []}, "holds a dict; expected a list"),
        ([[[1, 2]]], "region 0 is not"),
        ([{"id": 1}], "region 0 is not"),
        ([{"id": "a", "coordinates": [[1, 2]]}], "region 0 is not"),
        ([{"id": 1, "coordinates": [[1, 2]]}, {"id": 1, "coordinates": [[2, 2]]}], "expected every id once"),
    ],
)
def test_refuses_another_form_of_regions(tmp_path, regions, message):
    folder = example(tmp_path)
    set_regions(folder, regions)
    with pytest.raises(BadSource, match=message):
        nwbridge.inspect(folder)


def test_warns_of_float_images_and_keeps_their_values(tmp_path):
    folder = example(tmp_path)
    for file in (folder / "images").iterdir():
        tifffile.imwrite(file, tifffile.imread(file).astype(np.float32) / 3, metadata=None)
    result = nwbridge.convert(folder, tmp_path / "out.nwb")
    assert ["the images are float32" in f.message for f in result.findings if f.check == "neurofinder"] == [True]
    expected = tifffile.imread(sorted((folder / "images").iterdir()))
    np.testing.assert_array_equal(movie_in(tmp_path / "out.nwb"), expected)


def test_refuses_colour_images(tmp_path):
    folder = example(tmp_path)
    for file in (folder / "images").iterdir():
        tifffile.imwrite(file, np.zeros((40, 52, 3), np.uint8), photometric="rgb")
    with pytest.raises(BadSource, match="colour"):
        nwbridge.inspect(folder)


@pytest.mark.parametrize("shape", [(40, 53), (52, 40)], ids=["another size", "the same size in bytes"])
def test_refuses_images_of_several_shapes(tmp_path, shape):
    folder = example(tmp_path)
    tifffile.imwrite(folder / "images" / "image00040.tiff", np.zeros(shape, np.uint16), metadata=None)
    with pytest.raises(BadSource, match=rf"image00040\.tiff has frames of {shape[0]} × {shape[1]} uint16"):
        nwbridge.convert(folder, tmp_path / "out.nwb")
    assert not (tmp_path / "out.nwb").exists()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"dims": [40, 52], "dtype": "complex64"}, "dtype is 'complex64'; expected uint16 or int16"),
        ({"dims": [40, 52], "dtype": ["uint16"]}, "dtype is .'uint16'.; expected uint16 or int16"),
        ({"dims": [40, 52]}, "lacks dtype"),
        ({"dtype": "uint16"}, "lacks dims"),
        ({"dims": "45", "dtype": "uint16"}, "dims is '45'; expected a list: rows, columns"),
        ({"dims": [40, 52, 7], "dtype": "uint16"}, "dims is .40, 52, 7.; expected a list: rows, columns"),
        ({"dims": [40.5, 52], "dtype": "uint16"}, "dims.0 is 40.5; expected a whole number from 1"),
        ({"dims": [-40, -52], "dtype": "uint16"}, "dims.0 is -40; expected a whole number from 1"),
    ],
)
def test_refuses_a_conf_of_another_form(tmp_path, conf, message):
    folder = older_layout(tmp_path / "older", np.zeros((3, 40, 52), np.uint16))
    (folder / "images" / "conf.json").write_text(json.dumps(conf))
    with pytest.raises(BadSource, match=f"conf.json: .*{message}"):
        nwbridge.inspect(folder)


def test_refuses_a_binary_frame_of_the_wrong_size(tmp_path):
    folder = older_layout(tmp_path / "older", np.zeros((3, 40, 52), np.uint16))
    (folder / "images" / "1" / "image-00001.bin").write_bytes(b"\0" * 4158)
    with pytest.raises(BadSource, match=r"image-00001\.bin holds 4,158 bytes; expected whole frames of 4,160"):
        nwbridge.inspect(folder)


# what is none of its own


@pytest.mark.parametrize(
    "names",
    [
        ["images/photo.tiff", "info.json"],
        ["images/image00000.tiff"],
        ["image00000.tiff", "info.json"],
        ["images/image00000.png", "info.json"],
        ["other/images/image00000.tiff", "info.json"],
    ],
    ids=str,
)
def test_leaves_folders_that_only_look_similar_to_others(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert detect(tmp_path) is None


@pytest.mark.parametrize("beside", ["info.json", "regions/regions.json"])
def test_says_which_files_speak_for_it(tmp_path, beside):
    for name in ("images/image00000.tiff", beside):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert detect(tmp_path) == f"numbered TIFFs in images/ and {beside}"
