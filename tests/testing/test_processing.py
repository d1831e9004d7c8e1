"""The contract passes processors that keep it, and fails one that breaks any part of it."""

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import (
    Finding,
    LazyArray,
    Localizations,
    Movie,
    Processor,
    Segmentation,
    Series,
    Table,
    Units,
    arrays,
    option,
)
from nwbridge.testing import ProcessorContract
from nwbridge.testing.examples import write_example


@dataclass(frozen=True)
class Scaled:
    """Options of the good processor."""

    factor: float = option(2.0, "what values are multiplied by")


def times(data, factor, change=lambda block: block, parallel=True):
    """Values times a factor, in blocks of any size."""

    @contextmanager
    def opened():
        with data.open() as reader:

            class Scaling:
                def __getitem__(self, key):
                    return change(np.asarray(reader[key]).astype(np.float32) * np.float32(factor))

            yield Scaling()

    return LazyArray(data.shape, np.float32, opened, parallel)


def scale(elements, options):
    """A movie, or traces of regions, times a factor."""
    one = elements[0]
    if isinstance(one, Segmentation):
        first = one.traces[0]
        new = replace(first, name="Scaled", data=times(first.data, options.factor), made_from=first.name)
        return replace(one, traces=(*one.traces, new)), Finding("hint", "scaled", "nothing")
    return (replace(one, name="Scaled", data=times(one.data, options.factor), made_from=one.name),)


GOOD = Processor("scale", "values times a factor", (Movie,), scale, Scaled)


class Contract(ProcessorContract):
    """The contract of the good processor, which the bad ones are measured by."""

    processor = GOOD


class TestGood(Contract):
    """Every test of the contract passes."""


class TestGoodOnTraces(ProcessorContract):
    """Also for what is added to regions that the file has."""

    processor = replace(GOOD, takes=(Segmentation,))
    options: ClassVar = {"factor": 0.5}


class TestGoodOnMolecules(ProcessorContract):
    """Also for what has no frames."""

    @staticmethod
    def count(elements, options):
        return (Table("Counts", (nwbridge.Column("count", np.array([len(elements[0])])),)),)

    processor = Processor("count", "how many molecules", (Localizations,), count.__func__)


def needy(elements, options):
    """Needs a module, and says so."""
    try:
        import colorsys
    except ImportError:
        raise nwbridge.MissingDependency("scale needs colorsys: pip install colorsys") from None
    assert colorsys
    return scale(elements, options)


class TestGoodWithNeeds(ProcessorContract):
    """Also for what needs a module of its own."""

    processor = replace(GOOD, run=needy)
    needs = ("colorsys",)


def scale_all(series, options):
    """The movies of a series, each times a factor."""
    return [scale(elements, options) for elements in series]


class TestGoodTogether(ProcessorContract):
    """Also for what works on several movies at once."""

    processor = replace(GOOD, run_together=scale_all)


@pytest.mark.parametrize(
    "bad",
    [
        lambda series, options: scale_all(series, Scaled(3.0)),
        lambda series, options: [],
        lambda series, options: [*scale_all(series, options), ()],
        lambda series, options: iter(scale_all(series, options)),
        lambda series, options: [(*scale_all(series, options)[0], Finding("hint", "together", "nothing"))],
        lambda series, options: [(replace(scale(series[0], options)[0], name="Other"),)],
    ],
    ids=["other values", "none", "too many", "an iterator", "another finding", "another name"],
)
def test_a_series_of_one_that_gives_something_else_fails_it(bad):
    class Bad(Contract):
        processor = replace(GOOD, run_together=bad)

    with pytest.raises(AssertionError):
        Bad().test_gives_of_a_series_of_one_what_it_gives_alone()


def changing(change, parallel=True):
    """A processor whose blocks are changed."""

    def run(elements, options):
        movie = elements[0]
        return (replace(movie, name="S", data=times(movie.data, 2, change, parallel), made_from=movie.name),)

    return run


def with_movie(**changes):
    """A processor whose movie differs in these fields."""
    return lambda elements, options: (replace(scale(elements, options)[0], **changes),)


def forgetful(elements, options):
    """What comes depends on what was asked before."""
    total = [0]

    def add_up(block):
        total[0] += 1
        return block + total[0]

    return changing(add_up)(elements, options)


def shorter(elements, options):
    made = scale(elements, options)[0]
    return (replace(made, data=made.data.first(made.data.shape[0] - 1)),)


def rows_that_are_not_there(elements, options):
    """A table that names regions past the last one; of lazy values nobody can tell before they are written."""
    rows = arrays.from_numpy(np.full(5, 77))
    return (*scale(elements, options), Table("Odd", (nwbridge.Column("cell", rows, rows_of="Cells"),)))


OPENED = []


def keeps_open(elements, options):
    """Opens a file and forgets it."""
    with elements[0].data.open():
        OPENED.append(open(__file__, "rb"))  # noqa: PTH123, SIM115
    return scale(elements, options)


def random_noise(elements, options):
    noise = np.float32(np.random.default_rng().random())
    return changing(lambda block: block + noise)(elements, options)


def writes_beside(folder):
    def run(elements, options):
        for path in folder:
            (path / "cache").write_text("x", "utf-8")
        return scale(elements, options)

    return run


FOLDERS = []


class Watched(Contract):
    """Notes where the example lies, for a processor that writes there."""

    def example(self, folder):
        FOLDERS[:] = [folder]
        return super().example(folder)


@dataclass(frozen=True)
class Helpless:
    """An option that says nothing."""

    factor: float = option(2.0, "")


COUNT = itertools.count()

BAD = [
    ("test_makes_something", {"run": lambda e, o: (Finding("hint", "a", "b"),)}),
    ("test_makes_something", {"run": lambda e, o: None}),
    ("test_makes_something", {"run": lambda e, o: iter(scale(e, o))}),
    ("test_gives_the_same_values_in_blocks_of_any_size", {"run": forgetful}),
    ("test_gives_the_same_values_in_blocks_of_any_size", {"run": changing(lambda block: block - block.mean())}),
    ("test_gives_the_same_values_in_blocks_of_any_size", {"run": changing(lambda block: block[:3])}),
    ("test_gives_the_same_values_in_blocks_of_any_size", {"run": changing(lambda block: block.astype("f8"))}),
    ("test_gives_the_same_twice", {"run": random_noise}),
    ("test_gives_the_same_twice", {"run": lambda e, o: (*scale(e, o), Finding("hint", str(next(COUNT)), "nothing"))}),
    ("test_gives_finite_values", {"run": changing(lambda block: np.log(block * 0))}),
    ("test_keeps_frames_and_times", {"run": shorter}),
    ("test_keeps_frames_and_times", {"run": with_movie(rate_hz=3.0)}),
    ("test_keeps_frames_and_times", {"run": with_movie(start_s=3.0)}),
    ("test_leaves_the_input_untouched", {"run": keeps_open}),
    ("test_says_where_everything_came_from", {"run": with_movie(made_from=None)}),
    ("test_writes_a_valid_file", {"run": rows_that_are_not_there}),
    ("test_writes_what_it_gave", {"run": random_noise}),
    ("test_offers_options_that_programs_can_read", {"options": Helpless}),
    ("test_refuses_a_file_without_what_it_works_on", {"takes": (Movie, Segmentation, Localizations, Table)}),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("test", "change"), BAD, ids=[f"{test} {number}" for number, (test, _) in enumerate(BAD)])
def test_a_processor_that_breaks_the_contract_fails(tmp_path, test, change):
    class Bad(Contract):
        processor = replace(GOOD, **change)

    fails(Bad(), test, tmp_path)


def fails(contract, test, folder):
    method = getattr(contract, test)
    try:
        with pytest.raises((AssertionError, nwbridge.NwbridgeError)):
            method(folder) if "tmp_path" in method.__func__.__code__.co_varnames else method()
    finally:
        while OPENED:
            OPENED.pop().close()


def test_a_processor_that_writes_beside_the_input_fails(tmp_path):
    class Bad(Watched):
        processor = replace(GOOD, run=writes_beside(FOLDERS))

    fails(Bad(), "test_leaves_the_input_untouched", tmp_path)


@pytest.mark.parametrize("wrong", ["raises ImportError", "says nothing of it", "has it"])
def test_a_processor_that_hides_what_is_missing_fails(tmp_path, wrong):
    def run(elements, options):
        if wrong == "raises ImportError":
            import colorsys

            assert colorsys
        if wrong == "says nothing of it":
            raise nwbridge.MissingDependency("something is missing")
        return scale(elements, options)

    class Bad(Contract):
        processor = replace(GOOD, run=run)
        needs = ("colorsys",)

    fails(Bad(), "test_says_clearly_when_a_module_is_missing", tmp_path)


def test_a_processor_that_is_not_installed_is_named(tmp_path):
    class Bad(ProcessorContract):
        processor = "nothing-of-that-name"

    with pytest.raises(nwbridge.BadOption, match="there is no step nothing-of-that-name"):
        Bad().test_makes_something()


@pytest.mark.parametrize("takes", [(Movie,), (Segmentation, Movie), (Localizations,), (Series,), (Units,)])
def test_the_example_has_one_thing_to_work_on(tmp_path, takes):
    session = nwbridge.describe(write_example(tmp_path / "x.nwb", takes))
    assert [type(element) for element in session.elements if isinstance(element, takes)] == [takes[0]]
    assert session.findings == ()
    assert [file.name for file in tmp_path.iterdir()] == ["x.nwb"]


def test_the_example_can_be_told_apart_by_its_axes(tmp_path):
    with h5py.File(write_example(tmp_path / "x.nwb", (Movie,))) as file:
        data = file["acquisition/TwoPhotonSeries/data"]
        assert data.shape == (120, 52, 36)
        assert data[()].std(axis=0).min() > 1  # there is noise everywhere
        masks = file["processing/ophys/ImageSegmentation/Cells/pixel_mask"][()]
        inside = data[()][:, masks["x"], masks["y"]].mean()
        assert inside > 1.3 * data[()].mean()
