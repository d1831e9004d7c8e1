"""The source meets the contract, and every value of a recording reaches the NWB file."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge.testing import SourceContract
from nwbridge_allen import describe

MAT = "CAttached_Allen_Cux2f_102525_neuropil_subtracted_mini.mat"  # the same recording in another lab's packing


class TestAllen(SourceContract):
    source = "allen"

    def read(self, path):
        with h5py.File(path) as file:
            voltages = {key: file[key][()] for key in ("ephys_raw", "ephys_baseline_subtracted")}
            return {"dff": file["dff"][()][np.newaxis]} | voltages


def converted(path, out):
    return nwbridge.convert(path, out, source="allen"), out


def assert_same_values(path, out):
    """Compare what the NWB file holds with the source, both read with h5py."""
    with h5py.File(path) as source, h5py.File(out) as file:
        traces = file["processing/ophys/DfOverF/dff"]
        np.testing.assert_array_equal(traces["data"][()].ravel(), source["dff"][()].ravel())
        assert traces["starting_time"][()] == 0
        assert traces["starting_time"].attrs["rate"] == 1 / source["dto"][()].item()
        places = {"ephys_raw": "acquisition", "ephys_baseline_subtracted": "processing/icephys"}
        for key, place in places.items():
            series = file[f"{place}/{key}"]
            assert series.attrs["neurodata_type"] == "CurrentClampSeries"
            assert series["data"].dtype == source[key].dtype
            np.testing.assert_array_equal(series["data"][()], source[key][()].ravel())
            assert series["data"].attrs["unit"] == "volts"
            assert series["data"].attrs["conversion"] == 1
            assert series["starting_time"][()] == 0
            assert series["starting_time"].attrs["rate"] == 1 / source["dte"][()].item()
        units = file["units"]
        np.testing.assert_array_equal(units["spike_times"][()], source["sptimes"][()].ravel())
        assert units["spike_times_index"][()].tolist() == [source["sptimes"].size]
        assert units["spike_times"].attrs["resolution"] == source["dte"][()].item()
        duration = source["ephys_raw"].size * source["dte"][()].item()
        assert units["obs_intervals"][()].tolist() == [[0, duration]]
        assert file["general/subject/genotype"][()] == source["genotype"][()]


# the example


def test_writes_every_value_of_the_example(recording, tmp_path):
    path = recording()
    result, out = converted(path, tmp_path / "out.nwb")
    assert result.ok
    assert_same_values(path, out)
    with h5py.File(out) as file:
        assert file["units/detection_threshold"][()].tolist() == [5e-4]
        assert "volts" in file["units/detection_threshold"].attrs["description"]


def test_says_what_the_file_says_and_where_it_says_it(recording):
    fields = {field.key: (field.value, field.origin, field.note) for field in nwbridge.inspect(recording()).fields}
    said = {
        "NWBFile.session_id": ("100001", "source", "name of the file"),
        "Subject.genotype": ("Emx1-IRES-Cre;Camk2a-tTA;Ai94", "source", "genotype"),
        "Subject.species": ("Mus musculus", "source", "the description of Dataset II: transgenic mice"),
    }
    assert {key: fields[key] for key in said} == said
    value, origin, note = fields["Ophys.ImagingPlane.indicator"]
    assert (value, origin) == ("GCaMP6s", "source")
    assert note.startswith("derived from genotype")
    value, origin, note = fields["Subject.description"]
    assert "Emx1-IRES-Cre" in value
    assert (origin, note) == ("source", "derived from genotype: the driver line")
    value, origin, note = fields["Subject.subject_id"]
    assert (value, origin) == ("100001", "source")
    assert note.startswith("named after the recording")
    assert fields["Ophys.ImagingPlane.location"][:2] == ("Primary visual area, layer 2/3", "source")
    assert fields["NWBFile.related_publications"][0] == ("doi:10.7554/eLife.51675", "doi:10.1101/800102")
    unknown = {key for key, (_, origin, _) in fields.items() if origin == "unknown"}
    assert {"NWBFile.session_start_time", "Subject.sex", "Subject.age"} <= unknown


def test_tells_that_the_offset_between_the_clocks_is_not_known(recording, tmp_path):
    _, out = converted(recording(), tmp_path / "out.nwb")
    with h5py.File(out) as file:
        texts = [
            file["session_description"][()].decode(),
            file["acquisition/ephys_raw"].attrs["description"],
            file["processing/ophys/DfOverF/dff"].attrs["description"],
        ]
    assert ["gives no offset" in text for text in texts] == [True] * 3


def test_draws_no_mask_where_none_is_distributed(recording, tmp_path):
    _, out = converted(recording(), tmp_path / "out.nwb")
    with h5py.File(out) as file:
        mask = file["processing/ophys/ImageSegmentation/PlaneSegmentation/image_mask"]
        assert mask.shape == (1, 1, 1)
        assert np.isnan(mask[()]).all()
        assert "not distributed" in mask.attrs["description"]


def test_names_the_cell_and_its_place_on_the_electrode(recording, tmp_path):
    _, out = converted(recording(), tmp_path / "out.nwb")
    with h5py.File(out) as file:
        electrode = file["general/intracellular_ephys/electrode"]
        assert electrode["cell_id"][()] == b"100001"
        assert electrode["location"][()] == b"Primary visual area, layer 2/3"
        assert file["acquisition/ephys_raw/electrode"] == electrode
        assert file["processing/icephys/ephys_baseline_subtracted/electrode"] == electrode


# other forms of the same values


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)], ids=["(1, N)", "(N, 1)"])
def test_reads_arrays_of_two_axes(recording, values, tmp_path, shape):
    keys = ("dff", "ephys_raw", "ephys_baseline_subtracted", "sptimes")
    path = recording(**{key: values[key].reshape(shape) for key in keys})
    result, out = converted(path, tmp_path / "out.nwb")
    assert result.ok
    assert_same_values(path, out)


@pytest.mark.parametrize("shape", [(1,), (1, 1)], ids=str)
def test_reads_scalars_that_are_arrays_of_one(recording, values, tmp_path, shape):
    path = recording(**{key: values[key].reshape(shape) for key in ("dte", "dto", "quiroga")})
    _, out = converted(path, tmp_path / "out.nwb")
    assert_same_values(path, out)
    with h5py.File(out) as file:
        assert file["units/detection_threshold"][()].tolist() == [5e-4]


def test_keeps_float32_as_float32(recording, values, tmp_path):
    keys = ("dff", "ephys_raw", "ephys_baseline_subtracted")
    path = recording(**{key: values[key].astype(np.float32) for key in keys})
    result, out = converted(path, tmp_path / "out.nwb")
    assert result.ok
    assert_same_values(path, out)


def test_reads_compressed_chunks(recording, values, tmp_path):
    path = recording(ephys_raw=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("ephys_raw", data=values["ephys_raw"], chunks=(1000,), compression="gzip", shuffle=True)
    _, out = converted(path, tmp_path / "out.nwb")
    assert_same_values(path, out)


def test_keeps_the_order_of_spike_times_that_are_not_sorted(recording, values, tmp_path):
    path = recording(sptimes=values["sptimes"][::-1])
    result, out = converted(path, tmp_path / "out.nwb")
    assert_same_values(path, out)
    (finding,) = [finding for finding in result.findings if finding.check == "allen"]
    assert "5 of 6 spike times are not later than the one before" in finding.message


def test_converts_a_neuron_that_never_spiked(recording, tmp_path):
    path = recording(sptimes=np.empty(0))
    result, out = converted(path, tmp_path / "out.nwb")
    assert [finding for finding in result.findings if finding.severity == "error"] == []
    with h5py.File(out) as file:
        assert file["units/spike_times_index"][()].tolist() == [0]
        assert file["units/obs_intervals_index"][()].tolist() == [1]


# a folder


def test_converts_each_recording_of_a_folder(tmp_path, recording):
    folder = tmp_path / "recordings"
    folder.mkdir()
    recording(quiroga=None, quiroma=3e-4).rename(folder / "100002.h5")
    recording().rename(folder / "100001.h5")
    cut = recording().rename(folder / "100003.h5")
    cut.write_bytes(cut.read_bytes()[:-1000])
    results = list(nwbridge.convert_each(folder, tmp_path / "out", source="allen"))
    assert [isinstance(result, nwbridge.Result) for result in results] == [True, True, False]
    assert "100003.h5" in str(results[2])
    for name, threshold in (("100001", 5e-4), ("100002", 3e-4)):
        assert_same_values(folder / f"{name}.h5", tmp_path / "out" / f"{name}.nwb")
        with h5py.File(tmp_path / "out" / f"{name}.nwb") as file:
            assert file["units/detection_threshold"][()].tolist() == [threshold]
            assert file["general/session_id"][()].decode() == name


# real values


@pytest.fixture(scope="module")
def hybrid(samples, tmp_path_factory):
    """The sample in the layout of Dataset II, and the file made from it."""
    path = samples / "allen_oephys" / "HYBRID_102525_6s.h5"
    return path, *converted(path, tmp_path_factory.mktemp("hybrid") / "out.nwb")


def test_writes_every_value_of_the_sample(hybrid):
    path, result, out = hybrid
    assert result.ok
    assert result.verified
    assert_same_values(path, out)
    with h5py.File(path) as source, h5py.File(out) as file:
        assert file["units/detection_threshold"][()].tolist() == [source["quiroga"][()]]
        assert file["acquisition/ephys_raw/starting_time"].attrs["rate"] == 40_000
    assert [finding for finding in result.findings if finding.severity != "hint"] == []


def test_agrees_with_another_lab_s_packing_of_the_same_recording(samples, hybrid):
    scipy_io = pytest.importorskip("scipy.io")
    attached = scipy_io.loadmat(samples / "allen_oephys" / MAT, squeeze_me=True)["CAttached"]
    spikes = attached["events_AP"].item() * 1e-4  # in units of 0.1 ms
    fluorescence = attached["fluo_mean"].item()  # five times as often as Dataset II has it
    frame = np.diff(attached["fluo_time"].item()[:2]).item()
    _, _, out = hybrid
    with h5py.File(out) as file:
        times = file["units/spike_times"][()]
        np.testing.assert_allclose(times, spikes[: times.size], rtol=1e-12)
        assert spikes[times.size] > file["units/obs_intervals"][0, 1], "the next spike comes after the sample's end"
        traces = file["processing/ophys/DfOverF/dff"]
        dff = traces["data"][()].ravel()
        np.testing.assert_allclose(dff, fluorescence[: 5 * dff.size].reshape(-1, 5).mean(axis=1), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(1 / traces["starting_time"].attrs["rate"], 5 * frame, rtol=1e-9)


def test_leaves_other_packings_in_the_same_folder_alone(samples):
    assert list(describe(samples / "allen_oephys", None)) == ["HYBRID_102525_6s"]
