"""The contract that every source has to meet, as a class of tests to inherit.

::

    class TestMyFormat(SourceContract):
        source = "my-format"

        def read(self, path):  # with any reader but nwbridge's
            return {"TwoPhotonSeries": tifffile.imread(path)}
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import numpy.typing as npt
import psutil

from nwbridge import metadata
from nwbridge.conversion import convert
from nwbridge.description import describe
from nwbridge.errors import NwbridgeError, PluginFault
from nwbridge.hookspecs import Source
from nwbridge.model import Movie, Segmentation, Session
from nwbridge.options import schema
from nwbridge.plugins import Plugin, Registry, installed
from nwbridge.results import Result
from nwbridge.testing import damage
from nwbridge.testing.holdings import arrays_of, content_of, read_all, values_in

MANY = 5000  # entries that are not read one by one


def handles() -> set[tuple[str, int]]:
    """Return path and descriptor of every open file; positions move while a log that is open is written."""
    return {(file.path, file.fd) for file in psutil.Process().open_files()}


class SourceContract:
    """Inherit, name the source, and read the example independently; every test runs on the source's own example."""

    source: ClassVar[str | Source]
    options: ClassVar[Mapping[str, Any]] = {}
    metadata: ClassVar[Mapping[str, Any]] = {"Subject": {"species": "Mus musculus"}}  # what a user would add

    only: ClassVar[str | None] = None  # a recording's name, where the example holds several

    def read(self, path: Path) -> Mapping[str, npt.NDArray[Any]]:
        """Return every lazy array of the example by name, in the model's axis order, read without nwbridge.

        Movies, series, traces and image masks go by their element's name, images and columns by ``element/name``.
        """
        raise NotImplementedError("read the example with an independent reader")

    def read_regions(self, path: Path) -> Mapping[str, Sequence[Collection[tuple[int, int]]]]:
        """Return the (row, column) pixels of every region of the example, by its segmentation's name, if it has any."""
        return {}

    def declared_frames(self, path: Path) -> int | None:
        """Return how many frames the example declares anywhere but in its frames, if it does."""
        return None

    # what the tests use

    @property
    def _registry(self) -> Registry:
        if isinstance(self.source, str):
            return installed()
        return Registry((Plugin(self.source.name, f"nwbridge-{self.source.name}", "0", sources=(self.source,)),))

    @property
    def _source(self) -> Source:
        return self.source if isinstance(self.source, Source) else installed().source(self.source)[0]

    def _describe(self, path: Path) -> Session:
        return describe(path, **self._chosen)

    def _convert(self, path: Path, out: Path) -> Result:
        return convert(path, out, metadata=self.metadata, **self._chosen)

    @property
    def _chosen(self) -> dict[str, Any]:
        name = self._source.name
        return {"source": name, "only": self.only, "options": self.options, "registry": self._registry}

    # the contract

    def test_gives_its_evidence_in_words(self, tmp_path: Path) -> None:
        """`detect` says why."""
        evidence = self._source.detect(self._source.example(tmp_path))
        assert isinstance(evidence, str)
        assert evidence.strip(), "the evidence is empty"

    def test_leaves_what_is_not_its_own_to_others(self, tmp_path: Path) -> None:
        """`detect` says None, and raises nothing, for paths of other kinds."""
        foreign = [
            tmp_path / "absent",
            tmp_path / "empty folder",
            tmp_path / "empty",
            tmp_path / "notes.txt",
            tmp_path / "broken.zip",
        ]
        foreign[1].mkdir()
        foreign[2].touch()
        foreign[3].write_text("no recording", "utf-8")
        foreign[4].write_bytes(b"PK\x03\x04 cut off")
        with zipfile.ZipFile(tmp_path / "others.zip", "w") as archive:
            archive.writestr("readme.txt", "no recording")
        with h5py.File(tmp_path / "others.h5", "w") as file:
            file["x"] = 1
        claimed = {
            path.name: self._source.detect(path) for path in [*foreign, tmp_path / "others.zip", tmp_path / "others.h5"]
        }
        assert not any(claimed.values()), claimed

    def test_leaves_the_examples_of_other_sources_to_them(self, tmp_path: Path) -> None:
        """`detect` says None for every other installed source's example."""
        for name, (other, _) in installed().sources().items():
            if name != self._source.name and not self._source.fallback:
                (tmp_path / name).mkdir()
                assert self._source.detect(other.example(tmp_path / name)) is None, name

    def test_describes_without_writing_or_leaving_files_open(self, tmp_path: Path) -> None:
        """`describe` changes nothing and keeps no handle."""
        path = self._source.example(tmp_path)
        before, opened = list(damage.tree(tmp_path)), handles()
        self._describe(path)
        assert list(damage.tree(tmp_path)) == before
        assert handles() == opened

    def test_names_the_files_that_it_reads(self, tmp_path: Path) -> None:
        """Every file that is read is listed, so that it can be named by checksum in the output."""
        path = self._source.example(tmp_path)
        files = self._describe(path).files
        assert files
        assert all(file.is_file() and tmp_path in file.parents for file in files)

    def test_says_the_same_twice(self, tmp_path: Path) -> None:
        """`describe` is deterministic."""
        path = self._source.example(tmp_path)
        assert self._describe(path) == self._describe(path)

    def test_tells_true_shapes_and_types(self, tmp_path: Path) -> None:
        """What is described is what an independent reader finds, on a field of view that is not square."""
        path = self._source.example(tmp_path)
        session, expected = self._describe(path), self.read(path)
        found = arrays_of(session)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert (found[name].shape, found[name].dtype) == (values.shape, values.dtype), name
        for movie in session.of(Movie):
            rows, columns = movie.data.shape[1:3]
            assert rows != columns, f"the example's {movie.name} is square: rows and columns could be swapped"

    def test_reads_the_same_values_in_blocks_of_any_size(self, tmp_path: Path) -> None:
        """Lazy arrays give the source's values, however they are asked."""
        path = self._source.example(tmp_path)
        expected = self.read(path)
        for name, array in arrays_of(self._describe(path)).items():
            for size in sorted({7, array.shape[0], 1 if array.shape[0] < MANY else 1000}):
                np.testing.assert_array_equal(read_all(array, size), expected[name], err_msg=name)

    def test_counts_frames_two_ways(self, tmp_path: Path) -> None:
        """Frames described = frames found by an independent reader = frames declared."""
        path = self._source.example(tmp_path)
        expected = self.read(path)
        movies = self._describe(path).of(Movie)
        counts = {movie.data.shape[0] for movie in movies} | {len(expected[movie.name]) for movie in movies}
        counts |= {self.declared_frames(path)} - {None}
        assert len(counts) == bool(movies), counts

    def test_writes_the_source_s_values(self, tmp_path: Path) -> None:
        """Every value in the file, read with h5py, equals the independently read source."""
        path = self._source.example(tmp_path)
        assert self._convert(path, tmp_path / "out.nwb").verified
        with h5py.File(tmp_path / "out.nwb") as file:
            stored = values_in(file)
        for name, values in self.read(path).items():
            np.testing.assert_array_equal(stored[name], values, err_msg=name)

    def test_reads_back_what_it_wrote(self, tmp_path: Path) -> None:
        """The file, read as an NWB file, is the session again, so that processing steps can work on it."""
        path = self._source.example(tmp_path)
        self._convert(path, tmp_path / "out.nwb")
        written = content_of(metadata.overlay(self._describe(path), metadata.check(self.metadata)))
        session = describe(tmp_path / "out.nwb", source="nwb", registry=installed())
        for one, other in zip(written.elements, content_of(session).elements, strict=True):
            assert one == other
        assert content_of(session) == written
        for name, array in arrays_of(session).items():
            np.testing.assert_array_equal(read_all(array), self.read(path)[name], err_msg=name)

    def test_writes_every_region_on_its_pixels(self, tmp_path: Path) -> None:
        """Masks in the file, read with h5py, lie on the independently read pixels: x = column, y = row."""
        path = self._source.example(tmp_path)
        expected = self.read_regions(path)
        masked = {
            s.name for s in self._describe(path).of(Segmentation) if isinstance(s.regions, tuple) and s.image_shape
        }
        assert masked == expected.keys()
        self._convert(path, tmp_path / "out.nwb")
        with h5py.File(tmp_path / "out.nwb") as file:
            for name, regions in expected.items():
                table = file[f"processing/ophys/ImageSegmentation/{name}"]
                ends = table["pixel_mask_index"][()]
                masks = np.split(table["pixel_mask"][()], ends[:-1])
                found = [sorted(zip(mask["y"].tolist(), mask["x"].tolist(), strict=True)) for mask in masks]
                assert found == [sorted(tuple(pixel) for pixel in region) for region in regions], name

    def test_writes_a_valid_file(self, tmp_path: Path) -> None:
        """No check finds an error, given what a user would add."""
        result = self._convert(self._source.example(tmp_path), tmp_path / "out.nwb")
        assert [finding for finding in result.findings if finding.severity == "error"] == []

    def test_leaves_the_source_untouched(self, tmp_path: Path) -> None:
        """Converting changes no byte and no date of the recording."""
        folder = tmp_path / "example"
        folder.mkdir()
        path = self._source.example(folder)
        before = list(damage.tree(folder))
        self._convert(path, tmp_path / "out.nwb")
        assert list(damage.tree(folder)) == before

    def test_says_clearly_when_a_member_is_missing(self, tmp_path: Path) -> None:
        """Without one of its files, the example is refused in words, or described as less, never as a shorter movie."""
        root = tmp_path / "whole"
        root.mkdir()
        path = self._source.example(root)
        whole = self._describe(path)
        shapes = {name: array.shape for name, array in arrays_of(whole).items()}
        for number, member in enumerate(damage.members(root, path)):
            copy = damage.changed(root, path, tmp_path / str(number), member, damage.remove)
            if self._refusal(copy, tmp_path / f"{number}.nwb") is not None:
                continue
            session = self._describe(copy)
            assert session != whole, f"{member} was removed and nothing is said"
            shorter = [name for name, array in arrays_of(session).items() if array.shape != shapes.get(name)]
            assert session.findings or not shorter, f"{member} was removed and {shorter} changed without a word"

    def test_says_clearly_when_a_member_is_cut_off(self, tmp_path: Path) -> None:
        """With one of its files cut off at 60 %, the example is refused in words and no file appears."""
        root = tmp_path / "whole"
        root.mkdir()
        path = self._source.example(root)
        for number, member in enumerate(damage.members(root, path)):
            copy = damage.changed(root, path, tmp_path / str(number), member, damage.cut)
            assert self._refusal(copy, tmp_path / f"{number}.nwb"), f"{member} was cut off and still converted"

    def test_offers_options_that_programs_can_read(self) -> None:
        """Options have a JSON schema and a line of help each."""
        for name, entry in json.loads(json.dumps(schema(self._source.options)))["properties"].items():
            assert entry["description"], f"option {name} has no help"

    def _refusal(self, path: Path, out: Path) -> str | None:
        """Convert; return the error's one line, or None where a file was written."""
        try:
            self._convert(path, out)
        except PluginFault:
            raise
        except NwbridgeError as error:
            assert not out.exists()
            assert "\n" not in str(error)
            return str(error)
        return None
