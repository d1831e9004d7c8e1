"""Recordings are found wherever they lie, each once, and nothing is lost without a word."""

import os
import re
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge.batch.find import start as start_search
from nwbridge.batch.work import perform
from nwbridge.plugins import Match, Plugin, Registry, installed


def search(root, out=None, content=None, source=None, registry=None):
    """Find and describe, as a batch does, in this process."""
    root = root.resolve()
    shared = {"root": str(root), "metadata": content or {}, "options": {}, "first": None, "plan": False}
    found = start_search(root, out or root.parent / "no-out", registry or installed(), content or {}, source)
    while found.claims:
        groups, found.claims = found.claims, []
        for group in groups:
            tasks = [
                {"do": "describe", "path": claim.path, "source": claim.source, "evidence": claim.evidence}
                for claim in group
            ]
            found.settle(group, [perform(task, shared, lambda *_: None) for task in tasks])
    return found


def names(found):
    return sorted((one["path"], one["name"], one["source"]) for one in found.without_parts())


def test_finds_all_systems_each_at_another_depth(put, tmp_path):
    put("allen", tmp_path / "100001.h5")
    put("caiman", tmp_path / "a" / "results.hdf5")
    put("ideas", tmp_path / "a" / "b" / "run")
    put("dl-smlm", tmp_path / "a" / "b" / "c" / "CCPs" / "cell1")
    put("neurofinder", tmp_path / "a" / "b" / "c" / "d" / "neurofinder.00.00")
    put("deepcad", tmp_path / "a" / "b" / "c" / "d" / "e" / "1_80umdepth.zip")
    put("tiff", tmp_path / "a" / "x" / "movie.tif")
    found = search(tmp_path)
    assert names(found) == [
        ("100001.h5", None, "allen"),
        ("a/b/c/CCPs/cell1", None, "dl-smlm"),
        ("a/b/c/d/e/1_80umdepth.zip", None, "deepcad"),
        ("a/b/c/d/neurofinder.00.00", None, "neurofinder"),
        ("a/b/run", None, "ideas"),
        ("a/results.hdf5", None, "caiman"),
        ("a/x/movie.tif", None, "tiff"),
    ]
    assert (found.failed, found.unknown) == ([], [])


def test_finds_all_systems_that_lie_in_one_folder(put, tmp_path):
    root = tmp_path / "root"
    for name in ("neurofinder", "ideas"):
        put(name, root if name == "neurofinder" else tmp_path / name)
    for file in (tmp_path / "ideas").iterdir():
        file.rename(root / file.name)
    put("allen", root / "100001.h5")
    put("allen", root / "100002.h5")
    put("caiman", root / "results.hdf5")
    put("deepcad", root / "1_80umdepth.zip")
    movie = np.random.default_rng(1).integers(0, 99, (4, 20, 30)).astype(np.uint16)
    for which in ("low", "high"):
        tifffile.imwrite(root / f"2_30Hz_{which}SNR.tif", movie, photometric="minisblack")
    (root / "notes.txt").write_text("read me")
    found = search(root)
    assert {source for _, _, source in names(found)} == {"neurofinder", "ideas", "allen", "caiman", "deepcad"}
    used = [file for one in found.recordings for file, *_ in one["files"]]
    present = {str(file) for file in root.rglob("*") if file.is_file()}
    assert present - set(used) == {str(root / "notes.txt")}
    assert len(used) == len(set(used))
    assert found.unknown == ["notes.txt"]
    assert found.failed == []


def test_a_folder_of_frames_is_one_recording_of_the_fallback(tmp_path):
    folder = tmp_path / "root" / "frames"
    folder.mkdir(parents=True)
    for number in range(3):
        tifffile.imwrite(folder / f"frame{number:03}.tif", np.full((9, 14), number, np.uint16))
    assert names(search(tmp_path / "root")) == [("frames", None, "tiff")]


@pytest.mark.parametrize("name", ["dl-smlm", "neurofinder"])
def test_the_fallback_does_not_take_the_tiffs_of_another_source(name, put, tmp_path):
    put(name, tmp_path / "CCPs" / "cell1")
    assert {source for *_, source in names(search(tmp_path))} == {name}


def test_a_data_set_within_another_is_found_too(put, tmp_path):
    put("neurofinder", tmp_path / "neurofinder.00.00")
    put("neurofinder", tmp_path / "neurofinder.00.00" / "more" / "neurofinder.01.00")
    put("neurofinder", tmp_path / "neurofinder.00.00" / "neurofinder.02.00")
    assert [path for path, *_ in names(search(tmp_path))] == [
        "neurofinder.00.00",
        "neurofinder.00.00/more/neurofinder.01.00",
        "neurofinder.00.00/neurofinder.02.00",
    ]


def test_each_cell_of_a_structure_is_a_recording(put, tmp_path):
    put("dl-smlm", tmp_path / "CCPs" / "cell1")
    put("dl-smlm", tmp_path / "CCPs" / "cell2")
    assert [path for path, *_ in names(search(tmp_path))] == ["CCPs/cell1", "CCPs/cell2"]


def test_a_zip_of_several_recordings_gives_each_by_name(put, tmp_path):
    cell = put("dl-smlm", tmp_path / "there" / "cell")
    (tmp_path / "root").mkdir()
    with zipfile.ZipFile(tmp_path / "root" / "CCPs.zip", "w") as archive:
        for number in (1, 2):
            for file in cell.iterdir():
                archive.write(file, f"CCPs/cell{number}/{file.name}")
    found = names(search(tmp_path / "root"))
    assert found == [("CCPs.zip", "CCPs_cell1", "dl-smlm"), ("CCPs.zip", "CCPs_cell2", "dl-smlm")]


def test_a_root_that_is_a_recording_itself_is_found(put, tmp_path):
    put("neurofinder", tmp_path / "neurofinder.00.00")
    assert names(search(tmp_path / "neurofinder.00.00")) == [(".", None, "neurofinder")]


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("allen", "100001.h5", "cut off"),
        ("caiman", "results.hdf5", "cut off"),
        ("deepcad", "1_80umdepth.zip", "list of members is missing"),
        ("ideas", "movie.isxd", "movie.isxd"),
        ("tiff", "movie.tif", "cut off|damaged|ends|incomplete|frames|bytes"),
    ],
)
def test_a_file_that_is_cut_off_fails_with_a_reason(name, file, said, put, tmp_path):
    path = put(name, tmp_path / "there" / file)
    path = path / "movie.isxd" if path.is_dir() else path
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / file).write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    found = search(tmp_path / "root")
    assert names(found) == []
    (failure,) = found.failed
    assert failure["path"] == ("." if name == "ideas" else file)  # a run is a folder
    assert failure["error"] == "BadSource"
    assert re.search(said, failure["message"]), failure["message"]


def test_a_damaged_file_among_good_ones_fails_alone(put, tmp_path):
    good = put("allen", tmp_path / "allen" / "100001.h5")
    (tmp_path / "allen" / "100002.h5").write_bytes(good.read_bytes()[:3000])
    found = search(tmp_path)
    assert names(found) == [("allen/100001.h5", None, "allen")]
    assert [one["path"] for one in found.failed] == ["allen/100002.h5"]


def test_a_damaged_recording_hides_no_other_system_in_its_folder(put, tmp_path):
    folder = put("neurofinder", tmp_path / "neurofinder.00.00")
    (folder / "info.json").write_text("{")
    put("caiman", folder / "results.hdf5")
    found = search(tmp_path)
    assert names(found) == [("neurofinder.00.00/results.hdf5", None, "caiman")]
    assert [one["path"] for one in found.failed] == ["neurofinder.00.00"]


def test_what_lies_beside_a_damaged_recording_is_listed_and_found_once_that_is_mended(put, tmp_path):
    run = put("ideas", tmp_path / "there")
    movie = (run / "movie.isxd").read_bytes()
    folder = tmp_path / "root" / "day1"
    put("neurofinder", folder / "neurofinder.00.00")
    (folder / "movie.isxd").write_bytes(movie[: len(movie) // 2])
    (folder / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    put("tiff", folder / "movie.tif")
    found = search(tmp_path / "root")
    assert names(found) == [("day1/neurofinder.00.00", None, "neurofinder")]
    assert [one["path"] for one in found.failed] == ["day1"]
    assert sorted(found.beside) == ["day1/cut.h5", "day1/movie.tif"]
    (folder / "movie.isxd").unlink()
    found = search(tmp_path / "root")
    assert names(found) == [("day1/movie.tif", None, "tiff"), ("day1/neurofinder.00.00", None, "neurofinder")]
    assert ([one["path"] for one in found.failed], found.beside) == (["day1/cut.h5"], [])


def test_a_recording_that_fits_no_pattern_hides_no_other_of_its_source_below_it(put, tmp_path):
    run = put("ideas", tmp_path / "there")
    folder = tmp_path / "root" / "m105"
    shutil.copytree(run, folder / "d1" / "run1")
    put("caiman", folder / "d1" / "run1" / "results.hdf5")
    shutil.copy(run / "movie.isxd", folder / "movie.isxd")
    pattern = {"Pattern": ["{subject_id}/{session_id}/*"]}
    found = search(tmp_path / "root", content=pattern)
    assert ("m105/d1/run1", None, "ideas") in names(found)
    assert [(one["path"], one["error"]) for one in found.failed] == [("m105", "BadMetadata")]
    assert found.failed[0]["message"].startswith("m105 fits no Pattern ({subject_id}/{session_id}/*)")
    assert (found.unknown, found.beside) == ([], [])
    used = {os.path.relpath(file, folder) for one in found.recordings for file, *_ in one["files"]}
    assert {f"d1/run1/{file.name}" for file in run.iterdir() if file.suffix == ".isxd"} <= used


def test_nwb_files_are_left_alone_unless_they_are_asked_for(tmp_path):
    (tmp_path / "root").mkdir()
    installed().source("nwb")[0].example(tmp_path / "root")
    found = search(tmp_path / "root")
    assert (names(found), found.nwb, found.unknown) == ([], ["example.nwb"], [])
    asked = search(tmp_path / "root", source="nwb")
    assert names(asked) == [("example.nwb", None, "nwb")]
    named = search(tmp_path / "root", content={"Sessions": [{"path": "example.nwb", "source": "nwb"}]})
    assert names(named) == [("example.nwb", None, "nwb")]


def test_hidden_files_parts_and_the_output_are_passed_over(put, tmp_path):
    root = tmp_path / "root"
    put("allen", root / ".trash" / "100001.h5")
    put("allen", root / "out" / "100002.h5")
    put("allen", root / "__MACOSX" / "100003.h5")
    (root / "x.host-1-0a0a0a0a.part.nwb").write_bytes(b"part")
    put("allen", root / "100004.h5")
    found = search(root, out=root / "out")
    assert names(found) == [("100004.h5", None, "allen")]
    assert found.unknown == []


def test_links_that_lead_out_or_around_are_not_followed_and_said(put, tmp_path):
    root = tmp_path / "root"
    put("allen", root / "a" / "100001.h5")
    put("allen", tmp_path / "elsewhere" / "100002.h5")
    (root / "out.h5").symlink_to(tmp_path / "elsewhere" / "100002.h5")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (root / "gone.h5").symlink_to(root / "nothing")
    found = search(root)
    assert names(found) == [("a/100001.h5", None, "allen")]
    assert sorted(found.links) == ["a/up", "folder", "gone.h5", "out.h5"]


def test_a_link_to_a_hidden_store_within_the_root_is_followed(put, tmp_path):
    stored = put("allen", tmp_path / "root" / ".annex" / "100001.h5")
    (tmp_path / "root" / "100001.h5").symlink_to(os.path.relpath(stored, tmp_path / "root"))
    assert names(search(tmp_path / "root")) == [("100001.h5", None, "allen")]


class Two(Registry):
    """A registry in which a second source claims every CaImAn file."""

    def matches(self, path):
        found = super().matches(path)
        other = [Match(self.source("allen")[0], Plugin("other", "other", "1"), "it looks like mine")]
        return found + (other if any(match.source.name == "caiman" for match in found) else [])


def test_what_two_sources_claim_fails_with_both_named_until_the_metadata_settle_it(put, tmp_path):
    put("caiman", tmp_path / "results.hdf5")
    registry = Two(installed().plugins)
    found = search(tmp_path, registry=registry)
    assert names(found) == []
    assert found.failed[0]["error"] == "Ambiguous"
    assert "caiman: " in found.failed[0]["message"]
    assert "allen: it looks like mine" in found.failed[0]["message"]
    settled = search(tmp_path, registry=registry, content={"Sessions": [{"path": "results.hdf5", "source": "caiman"}]})
    assert names(settled) == [("results.hdf5", None, "caiman")]


def test_a_table_that_names_files_makes_each_a_recording(tmp_path):
    folder = tmp_path / "root" / "movies"
    folder.mkdir(parents=True)
    movie = np.random.default_rng(2).integers(0, 99, (5, 9, 14)).astype(np.uint16)
    for day in (1, 2):
        tifffile.imwrite(folder / f"day{day}.tif", movie, photometric="minisblack")
    content = {"Sessions": [{"path": f"movies/day{day}.tif", "NWBFile": {"session_id": f"d{day}"}} for day in (1, 2)]}
    assert [path for path, *_ in names(search(tmp_path / "root", content=content))] == [
        "movies/day1.tif",
        "movies/day2.tif",
    ]


def test_a_source_that_is_not_installed_is_refused(tmp_path):
    with pytest.raises(nwbridge.BadOption, match="there is no source alen; did you mean allen"):
        search(tmp_path, source="alen")
    with pytest.raises(nwbridge.BadOption, match="there is no source calman; did you mean caiman"):
        search(tmp_path, content={"Sessions": [{"path": "x", "source": "calman"}]})


def test_a_movie_that_belongs_to_a_recording_is_none_of_its_own(put, tmp_path):
    put("caiman", tmp_path / "results.hdf5")
    with h5py.File(tmp_path / "results.hdf5") as file:
        rows, columns = file["estimates/dims"][()] if "estimates/dims" in file else file["dims"][()]
        frames = file["estimates/C"].shape[1]
    movie = np.random.default_rng(3).random((frames, int(rows), int(columns))).astype(np.float32)
    tifffile.imwrite(tmp_path / "movie.tif", movie, photometric="minisblack")
    assert len(names(search(tmp_path))) == 2
    options = {"movie": str(tmp_path / "movie.tif")}
    found = search(tmp_path, content={"Sessions": [{"path": "results.hdf5", "options": options}]})
    assert names(found) == [("results.hdf5", None, "caiman")]


def test_looks_into_a_folder_that_cannot_be_entered_no_further_and_says_so(put, tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("the superuser may enter every folder")
    put("allen", tmp_path / "locked" / "100001.h5")
    (tmp_path / "locked").chmod(0)
    try:
        found = search(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert found.failed[0]["message"].startswith("locked cannot be read")
