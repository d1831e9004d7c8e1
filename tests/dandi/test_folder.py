"""What only shows among several files: names and objects twice, and what is no NWB file at all."""

import shutil
import zipfile
from pathlib import Path

import h5py
import pytest
import tifffile

import nwbridge
from nwbridge import BadSource
from nwbridge.dandi.folder import check_folder, passes
from nwbridge.plugins import installed


def wrong(found):
    return {place: [f.message for f in fs if f.severity == "error"] for place, fs in found.items()}


def test_a_folder_with_nothing_against_it_passes_and_every_file_is_named(two):
    told = []
    found = check_folder(two, lambda *step: told.append(step))
    assert passes(found)
    assert list(found) == ["sub-m/sub-m_ses-1.nwb", "sub-m/sub-m_ses-2.nwb"]
    assert told == [("checking", 0, 2), ("checking", 1, 2), ("checked", 1, 1)]


def test_files_that_are_no_nwb_or_hidden_are_left_alone(two):
    (two / "report.html").write_text("<html>")
    (two / "results.jsonl").write_text("{}")
    (two / ".git").mkdir()
    (two / ".git" / "x.nwb").touch()
    (two / ".x.nwb").touch()
    assert list(check_folder(two)) == ["sub-m/sub-m_ses-1.nwb", "sub-m/sub-m_ses-2.nwb"]


def test_a_copy_is_told_by_its_object_ids(two):
    shutil.copy(two / "sub-m" / "sub-m_ses-1.nwb", two / "sub-m" / "sub-m_ses-1_desc-copy.nwb")
    found = wrong(check_folder(two))
    assert found["sub-m/sub-m_ses-2.nwb"] == []
    (first,) = found["sub-m/sub-m_ses-1.nwb"]
    assert first.startswith("is a copy of sub-m/sub-m_ses-1_desc-copy.nwb")
    assert len(found["sub-m/sub-m_ses-1_desc-copy.nwb"]) == 1


def test_two_files_with_one_identifier_are_a_warning(two):
    for session in ("1", "2"):
        with h5py.File(two / "sub-m" / f"sub-m_ses-{session}.nwb", "r+") as file:
            file["identifier"][()] = "same"
    found = check_folder(two)
    assert passes(found)
    messages = [f.message for f in found["sub-m/sub-m_ses-1.nwb"] if f.check == "dandi twice"]
    assert messages == ["has the identifier of sub-m/sub-m_ses-2.nwb"]


def test_two_files_of_one_subject_and_session_cannot_both_have_their_name(two, tools):
    for name in ("a", "b"):
        tools.write_nwb(two / f"{name}.nwb", session="7")
    tools.write_nwb(two / "c.nwb", session="1")
    found = wrong(check_folder(two))
    assert "would have the same name as b.nwb" in found["a.nwb"]
    assert "would have the same name as sub-m/sub-m_ses-1.nwb" in found["c.nwb"]
    assert found["sub-m/sub-m_ses-1.nwb"] == ["would have the same name as c.nwb"]
    assert found["sub-m/sub-m_ses-2.nwb"] == []


def test_names_that_differ_only_in_capitals_are_refused(tmp_path, tools, client):
    for name in ("m", "M"):
        tools.write_nwb(
            tmp_path / f"sub-{name}" / f"sub-{name}_ses-1.nwb", subject=tools.SUBJECT | {"subject_id": name}
        )
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell capitals")
    assert wrong(check_folder(tmp_path))["sub-M/sub-M_ses-1.nwb"] == [
        "differs only in capitals from sub-m/sub-m_ses-1.nwb"
    ]


def test_a_recording_that_was_written_under_two_names_is_refused_unless_a_name_says_why(tmp_path, client):
    (tmp_path / "in").mkdir()
    recording = installed().source("allen")[0].example(tmp_path / "in")
    other = shutil.copy(recording, tmp_path / "in" / "100002.h5")
    with h5py.File(other, "r+") as file:
        file["ephys_raw"][0] += 1
    root = tmp_path / "dandiset"
    places = []
    for path, animal in ((recording, "a"), (recording, "b"), (other, "c")):
        given = {"Subject": {"subject_id": animal, "species": "Mus musculus"}}
        places.append(nwbridge.convert(path, root, metadata=given, archive="dandi").out)
    first, second, third = (Path(place).relative_to(root).as_posix() for place in places)
    said = "holds the same recording as {}: the same values, of the same source files"
    assert wrong(check_folder(root)) == {first: [said.format(second)], second: [said.format(first)], third: []}
    named = Path(places[1].replace("_icephys", "_desc-again_icephys"))
    Path(places[1]).rename(named)
    assert wrong(check_folder(root))[first] == []


def test_recordings_of_one_zip_have_its_digest_and_are_still_told_apart(tmp_path, client):
    (tmp_path / "CCPs").mkdir()
    cell = installed().source("dl-smlm")[0].example(tmp_path / "CCPs")
    with zipfile.ZipFile(tmp_path / "CCPs.zip", "w") as archive:
        for number, step in ((1, 1), (2, -1)):
            for file in sorted(cell.iterdir()):
                copy = shutil.copy(file, tmp_path)
                if file.suffix == ".tif":
                    tifffile.imwrite(copy, tifffile.imread(file)[..., ::step, :], photometric="minisblack")
                archive.write(copy, f"CCPs/cell{number}/{file.name}")
    root = tmp_path / "dandiset"
    given = {"Subject": {"species": "Mus musculus"}}
    for name in nwbridge.recordings(tmp_path / "CCPs.zip"):
        nwbridge.convert(tmp_path / "CCPs.zip", root, only=name, metadata=given, archive="dandi")
    found = check_folder(root)
    digests = set()
    for place in found:
        with h5py.File(root / place) as file:
            digests.add(tuple(file["analysis/source_files/sha256"].asstr()[:]))
    assert (len(found), len(digests)) == (2, 1)
    assert not [f for fs in found.values() for f in fs if "the same recording" in f.message]


def test_leftovers_zarr_and_links_are_refused(two):
    (two / "sub-m" / "sub-m_ses-3.host-1-0123abcd.part.nwb").write_bytes(b"half")
    (two / "sub-m" / "sub-m_ses-4.nwb.zarr").mkdir()
    (two / "sub-n").symlink_to(two / "sub-m")
    (two / "sub-m" / "sub-m_ses-5.nwb").symlink_to("gone.nwb")
    found = check_folder(two)
    advice = {place: fs[0].advice for place, fs in found.items() if fs and fs[0].severity == "error"}
    assert advice == {
        "sub-m/sub-m_ses-3.host-1-0123abcd.part.nwb": "let it finish, or remove the file",
        "sub-m/sub-m_ses-4.nwb.zarr": found["sub-m/sub-m_ses-4.nwb.zarr"][0].advice,
        "sub-n": "put the folder itself here",
        "sub-m/sub-m_ses-5.nwb": "get the file, or remove the link",
    }
    assert "at most 7 deep and chunks of at most 5 GiB" in advice["sub-m/sub-m_ses-4.nwb.zarr"]


def test_a_bids_data_set_is_left_to_the_client(two):
    (two / "dataset_description.json").write_text("{}")
    found = wrong(check_folder(two))
    text = "it lies in a BIDS data set (dandiset/dataset_description.json), which this gate does not check"
    assert found == {"sub-m/sub-m_ses-1.nwb": [text], "sub-m/sub-m_ses-2.nwb": [text]}
    (two / "dataset_description.json").rename(two.parent / "dataset_description.json")
    (two / "dandiset.yaml").write_text("{identifier: 'DANDI:000123', name: x, description: y}", "utf-8")
    assert passes(check_folder(two))


def test_a_folder_without_nwb_files_does_not_pass(tmp_path, client):
    assert wrong(check_folder(tmp_path)) == {".": [f"there is no NWB file in {tmp_path}"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("identifier: DANDI:000123\nname: x\n", "'description' has no value"),
        ("- 1\n", "holds no keys"),
        ("a: [", "cannot be read"),
        ("schemaVersion: 0.0.1\nidentifier: DANDI:000123\n", "Unsupported schema version"),
    ],
)
def test_a_dandiset_yaml_that_the_client_refuses_is_told(two, text, words):
    (two / "dandiset.yaml").write_text(text, "utf-8")
    assert any(words in finding.message for finding in check_folder(two)["dandiset.yaml"])


def test_what_is_no_folder_is_refused(tmp_path, client):
    with pytest.raises(BadSource, match="gone does not exist"):
        check_folder(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(BadSource, match="file is no folder"):
        check_folder(tmp_path / "file")
