"""The score from NWB files, and the step end to end: read with pynwb and h5py."""

import h5py
import numpy as np
import pynwb
import pytest

import nwbridge
from nwbridge import BadOption, BadSource
from nwbridge_render_smlm import FrcOptions, frc
from nwbridge_render_smlm.rings import THRESHOLD

SAID = {"Subject": {"species": "Homo sapiens"}}


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """Return the NWB file of the made-up cell of the DL-SMLM data set."""
    folder = tmp_path_factory.mktemp("cell")
    dl_smlm = pytest.importorskip("nwbridge_dl_smlm", reason="the source dl-smlm is not installed")
    nwbridge.convert(dl_smlm.example(folder), folder / "cell.nwb", metadata=SAID)
    return folder / "cell.nwb"


def test_one_file_is_halved(cell):
    scores = frc(cell, cell, FrcOptions())
    (row,) = scores.rows
    with h5py.File(cell) as file:
        frames = file["processing/ophys/Localizations/frame"][:]
    span = (frames.max() - frames.min() + 1) / 20
    first = ((frames - frames.min()) // span % 2 == 0).sum()
    assert (row["localizations"], row["localizations_of_other"]) == (first, len(frames) - first)
    assert 20 < row["resolution_nm"] < 130
    assert scores.conventions["threshold"] == "1/7"
    assert scores.conventions["pixel_nm"] == 16.25


def test_the_curve_is_listed_on_request(cell):
    scores = frc(cell, cell, FrcOptions(curve=True))
    assert len(scores.rows) == 32 * 8 // 2
    below = next(row for row in scores.rows if row["smoothed"] < THRESHOLD)
    assert below["frequency_per_nm"] >= 1 / scores.conventions["resolution_nm"]


def test_two_files_are_compared_with_each_other(cell, tmp_path):
    copy = tmp_path / "copy.nwb"
    copy.write_bytes(cell.read_bytes())
    scores = frc(cell, copy, FrcOptions(curve=True))
    np.testing.assert_allclose([row["correlation"] for row in scores.rows], 1, atol=1e-4)
    assert scores.conventions["halves"] == "the tables of two files"


def test_a_file_without_localizations_or_of_that_name_is_refused(cell, tmp_path):
    with pytest.raises(BadOption, match=r"--table Other: cell.nwb has Localizations"):
        frc(cell, cell, FrcOptions(table="Other"))
    tiff = pytest.importorskip("nwbridge_tiff", reason="the source tiff is not installed")
    nwbridge.convert(tiff.example(tmp_path), tmp_path / "movie.nwb", options={"kind": "two-photon", "rate": 30.0})
    with pytest.raises(BadSource, match=r"movie.nwb has no localizations"):
        frc(tmp_path / "movie.nwb", cell, FrcOptions())


def test_the_image_stands_in_the_file_with_its_pixel_size_and_history(cell, tmp_path):
    out = tmp_path / "rendered.nwb"
    before = cell.read_bytes()
    nwbridge.process(cell, out, ["render-smlm"], options={"method": "histogram", "frc": True})
    assert cell.read_bytes() == before
    with pynwb.NWBHDF5IO(out, "r") as io:
        file = io.read()
        image = file.processing["ophys"]["RenderedLocalizations"]["histogram"]
        x, y = (np.asarray(file.processing["ophys"]["Localizations"][name].data) for name in ("x", "y"))
        sr = np.asarray(file.processing["ophys"]["SuperResolution"]["SR"].data)
        edges = [np.arange(size + 1) * 16.25 for size in image.data.shape]
        np.testing.assert_array_equal(image.data[:], np.histogram2d(x, y, edges)[0])
        np.testing.assert_array_equal(image.data[:], sr)
        assert image.resolution == pytest.approx(1e4 / 0.01625)  # pixels in a centimetre
        assert "LocalizationsFRC" in file.analysis
        parameters = file.analysis["RenderedLocalizationsParameters"].to_dataframe().set_index("key")["value"]
        assert float(parameters["sum_of_image"]) == len(x)
        assert "processing_steps" in file.analysis
