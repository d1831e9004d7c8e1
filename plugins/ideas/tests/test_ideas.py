"""The ideas source meets the contract, and finds the recordings of a folder."""

import json
import struct

import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, Movie, Segmentation
from nwbridge.testing import SourceContract
from nwbridge_ideas import Options, describe, detect, example


class TestIdeas(SourceContract):
    source = "ideas"

    def parts(self, file):
        data = file.read_bytes()
        (length,) = struct.unpack("<Q", data[-8:])
        return data[: -9 - length], json.loads(data[-9 - length : -9])

    def read(self, path):
        payload, footer = self.parts(path / "movie.isxd")
        rows, columns = (footer["spacingInfo"]["numPixels"][axis] for axis in "yx")
        found = {"OnePhotonSeries": np.frombuffer(payload, "<u2").reshape(-1, rows, columns)}
        for name in ("raw", "denoised"):
            cells = np.frombuffer(self.parts(path / f"cellset_{name}.000.isxd")[0], "<f4").reshape(3, -1)
            found[name] = cells[:, rows * columns :]
            found["PlaneSegmentation"] = cells[:, : rows * columns].reshape(3, rows, columns)
        packets = [("offset", "<u8"), ("channel", "<u8"), ("value", "<f4")]
        events = np.frombuffer(self.parts(path / "neural_events.000.isxd")[0], packets)
        found["neural_events/offset_us"] = events["offset"]
        found["neural_events/timestamp"] = events["offset"] / 1e6
        found["neural_events/value"] = events["value"]
        return found

    def declared_frames(self, path):
        timing = self.parts(path / "movie.isxd")[1]["timingInfo"]
        cropped = [list(map(int, span.split(" - "))) for span in timing["cropped"]]
        return timing["numTimes"] - len(timing["dropped"]) - sum(last - first + 1 for first, last in cropped)


@pytest.fixture
def frames():
    return np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6)


def test_says_what_a_file_or_folder_holds(tmp_path, isxd, frames):
    assert detect(isxd.movie(tmp_path / "b.isxd", frames)) == ".isxd movie"
    isxd.movie(tmp_path / "a.isxd", frames)
    assert detect(tmp_path) == "2 .isxd files, the first a.isxd"
    (tmp_path / "new").mkdir()
    assert detect(example(tmp_path / "new")) == "cellset_denoised.000.isxd of a CaImAn run on IDEAS"


def test_makes_one_recording_of_each_file_of_a_folder(tmp_path, isxd, frames):
    isxd.movie(tmp_path / "first one.isxd", frames)
    isxd.movie(tmp_path / "second.isxd", frames[:3])
    found = describe(tmp_path, Options())
    assert list(found) == ["first-one", "second"]
    assert [make().of(Movie)[0].data.shape[0] for make in found.values()] == [5, 3]
    assert found["second"]().id == "second"


def test_describes_the_only_file_of_a_folder_at_once(tmp_path, isxd, frames):
    isxd.movie(tmp_path / "one.isxd", frames)
    assert describe(tmp_path, Options()).id == "one"


def test_reads_the_other_recordings_where_one_is_damaged(tmp_path, isxd, frames):
    isxd.movie(tmp_path / "whole.isxd", frames)
    (tmp_path / "broken.isxd").write_bytes(b"x" * 100)
    found = describe(tmp_path, Options())
    assert found["whole"]().id == "whole"
    with pytest.raises(BadSource, match=r"broken\.isxd is cut off or no \.isxd file"):
        found["broken"]()


def test_gives_names_that_files_can_have_and_each_once(tmp_path, isxd, frames):
    isxd.movie(tmp_path / "a b.isxd", frames)
    isxd.movie(tmp_path / "a-b.isxd", frames)
    assert list(describe(tmp_path, Options())) == ["a-b", "a-b-2"]


def test_refuses_a_folder_without_files(tmp_path):
    with pytest.raises(BadSource, match=r"holds no \.isxd file"):
        describe(tmp_path, Options())


def test_refuses_movies_for_what_is_no_run(tmp_path, isxd, frames):
    path = isxd.movie(tmp_path / "m.isxd", frames)
    with pytest.raises(BadOption, match=r"--movies: m\.isxd is no folder of a CaImAn run"):
        describe(path, Options(movies=path))


def test_converts_every_real_file_of_a_folder(real, tmp_path):
    found = describe(real / "edge", Options())
    metadata = {"Subject": {"species": "Mus musculus"}}
    for name in found:
        out = tmp_path / f"{name}.nwb"
        result = nwbridge.convert(real / "edge", out, source="ideas", only=name, metadata=metadata)
        assert result.verified
        assert [f.message for f in result.findings if f.severity == "error"] == []


def test_makes_two_recordings_of_two_real_parts_whose_cells_differ(real):
    found = describe(real, Options())
    one, two = (found[f"cellset_series_part{n}"]().of(Segmentation)[0] for n in (1, 2))
    assert one.columns[0].values.tolist() == two.columns[0].values.tolist()
    assert (one.traces[0].data.shape, two.traces[0].data.shape) == ((6, 100), (6, 95))
    assert one.regions.shape == two.regions.shape == (6, 21, 21)
