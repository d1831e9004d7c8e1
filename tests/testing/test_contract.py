"""The contract passes a source that keeps it, and fails one that breaks any part of it."""

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nwbridge
from nwbridge import LazyArray, Movie, Plane, Region, Segmentation, Session, Source, arrays
from nwbridge.testing import SourceContract

PIXELS = np.array([[3, 9], [4, 9], [20, 35]])


def detect(path):
    return f"{path.stem}.json beside it" if path.suffix == ".npy" and path.with_suffix(".json").exists() else None


def describe(path, options):
    try:
        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise nwbridge.BadSource(f"{path.stem}.json cannot be read: {error}") from None
    plane = Plane(rate_hz=said["rate"])
    movie = Movie("TwoPhotonSeries", arrays.from_npy(path), plane, rate_hz=said["rate"])
    cells = Segmentation("Cells", (Region(PIXELS),), movie.data.shape[1:], plane)
    return Session(path.stem, "A movie.", (movie, cells), files=(path, path.with_suffix(".json")))


def example(folder):
    path = folder / "movie.npy"
    np.save(path, np.random.default_rng(0).poisson(40, (20, 30, 40)).astype(np.uint16))
    path.with_suffix(".json").write_text('{"rate": 30.0}', "utf-8")
    return path


GOOD = Source("npy", ".npy movies", detect, describe, example)


def with_movie(change):
    """Describe as the good source does, but change the movie's array."""

    def other(path, options):
        session = describe(path, options)
        movie = session.elements[0]
        return replace(session, elements=(replace(movie, data=change(movie.data)), session.elements[1]))

    return other


def reading(data, change):
    """The same array, whose blocks are changed while they are read."""

    @contextmanager
    def opened():
        with data.open() as reader:

            class Changed:
                def __getitem__(self, key):
                    return change(reader[key])

            yield Changed()

    return LazyArray(data.shape, data.dtype, opened)


def square(folder):
    path = example(folder)
    np.save(path, np.zeros((20, 30, 30), np.uint16))
    return path


def writes(path, options):
    (path.parent / "cache").write_text("x", "utf-8")
    return describe(path, options)


OPENED = []


def keeps_open(path, options):
    OPENED.append(path.open("rb"))
    return describe(path, options)


def never_twice_the_same(path, options):
    session = describe(path, options)
    return replace(session, description=f"A movie, {np.random.default_rng().random()}.")


def swaps_masks(path, options):
    session = describe(path, options)
    swapped = replace(session.elements[1], regions=(Region(np.minimum(PIXELS[:, ::-1], 29)),))
    return replace(session, elements=(session.elements[0], swapped))


def takes_what_is_there(path, options):
    """Accepts a truncated movie, as numpy's memory would."""
    content = path.read_bytes()[128:]
    movie = np.frombuffer(content[: len(content) // 2400 * 2400], np.uint16).reshape(-1, 30, 40)
    plane = Plane(rate_hz=30.0)
    return Session(
        "m", "A movie.", (Movie("TwoPhotonSeries", arrays.from_numpy(movie), plane, rate_hz=30.0),), files=(path,)
    )


def frames_example(folder):
    """A folder of numbered frames."""
    for number in range(9):
        np.save(folder / f"f{number}.npy", np.full((30, 40), number, np.uint16))
    return folder


def describe_frames_that_are_there(path, options):
    """Skips a frame that is missing, without a word."""
    movie = np.stack([np.load(file) for file in sorted(path.glob("f*.npy"))])
    plane = Plane(rate_hz=30.0)
    element = Movie("TwoPhotonSeries", arrays.from_numpy(movie), plane, rate_hz=30.0)
    return Session("m", "A movie.", (element,), files=tuple(sorted(path.glob("f*.npy"))))


class Contract(SourceContract):
    """The contract of the good source, which the bad ones are measured by."""

    source = GOOD

    def read(self, path: Path):
        return {"TwoPhotonSeries": np.load(path)}

    def read_regions(self, path):
        return {"Cells": [[(3, 9), (4, 9), (20, 35)]]}


class TestGood(Contract):
    """Every test of the contract passes."""


BAD = [
    ("test_gives_its_evidence_in_words", {"detect": lambda path: None}),
    ("test_leaves_what_is_not_its_own_to_others", {"detect": lambda path: "always"}),
    ("test_leaves_the_examples_of_other_sources_to_them", {"detect": lambda path: "always"}),
    ("test_describes_without_writing_or_leaving_files_open", {"describe": writes}),
    ("test_describes_without_writing_or_leaving_files_open", {"describe": keeps_open}),
    ("test_names_the_files_that_it_reads", {"describe": lambda p, o: replace(describe(p, o), files=())}),
    ("test_says_the_same_twice", {"describe": never_twice_the_same}),
    ("test_tells_true_shapes_and_types", {"example": square}),
    ("test_tells_true_shapes_and_types", {"describe": with_movie(lambda data: replace(data, shape=(20, 40, 30)))}),
    ("test_tells_true_shapes_and_types", {"describe": with_movie(lambda data: replace(data, dtype="i2"))}),
    ("test_counts_frames_two_ways", {"describe": with_movie(lambda data: data.first(19))}),
    (
        "test_reads_the_same_values_in_blocks_of_any_size",
        {"describe": with_movie(lambda data: reading(data, lambda block: block[::-1]))},
    ),
    (
        "test_writes_the_source_s_values",
        {"describe": with_movie(lambda data: reading(data, lambda block: block + np.uint16(1)))},
    ),
    ("test_writes_every_region_on_its_pixels", {"describe": swaps_masks}),
    ("test_writes_a_valid_file", {"describe": lambda p, o: replace(describe(p, o), id="a/b")}),
    ("test_says_clearly_when_a_member_is_cut_off", {"describe": takes_what_is_there}),
    (
        "test_says_clearly_when_a_member_is_missing",
        {"describe": describe_frames_that_are_there, "example": frames_example},
    ),
]


@pytest.mark.parametrize(("test", "change"), BAD, ids=[f"{test} {number}" for number, (test, _) in enumerate(BAD)])
def test_a_source_that_breaks_the_contract_fails(tmp_path, test, change):
    class Bad(Contract):
        source = replace(GOOD, **change)

    try:
        with pytest.raises((AssertionError, nwbridge.NwbridgeError)):
            getattr(Bad(), test)(tmp_path)
    finally:
        while OPENED:
            OPENED.pop().close()
