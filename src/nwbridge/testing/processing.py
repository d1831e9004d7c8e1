"""The contract that every processor has to meet, as a class of tests to inherit.

::

    class TestMyStep(ProcessorContract):
        processor = "my-step"
        options = {"width": 2}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from nwbridge.choosing import pick
from nwbridge.description import describe
from nwbridge.errors import BadSource, MissingDependency
from nwbridge.hookspecs import Processor
from nwbridge.model import Element, Finding, Images, LazyArray, Movie, Parameters, Segmentation, Series
from nwbridge.options import parse, schema
from nwbridge.outcomes import made_names
from nwbridge.plugins import Plugin, Registry, installed
from nwbridge.processing import process
from nwbridge.results import Result
from nwbridge.testing import damage
from nwbridge.testing.contract import MANY, handles
from nwbridge.testing.examples import write_example
from nwbridge.testing.holdings import arrays_in, read_all, values_in
from nwbridge.testing.looking import (
    blocked,
    clock_of,
    ids_in,
    is_float,
    kept_folder,
    names_in,
    read_in_threads,
    refusal,
    said_without,
    without_old,
)

_STEPS = "analysis/processing_steps"
_RENEWED = ("identifier", "file_create_date", "general/was_generated_by", "general/source_script", _STEPS)


@dataclass(frozen=True)
class Processed:
    """The example, before and after it was processed."""

    path: Path
    out: Path
    result: Result
    before: tuple[Any, ...]  # what lay in the folder of the example
    after: tuple[Any, ...]
    left_open: tuple[tuple[str, int], ...]


class ProcessorContract:
    """Inherit and name the processor; every test runs on an example with all that processors take.

    It is run with `options`: choose them so that a run takes a second or two.
    """

    processor: ClassVar[str | Processor]
    options: ClassVar[Mapping[str, Any]] = {}
    needs: ClassVar[tuple[str, ...]] = ()  # modules that only this step needs, imported when it runs
    varies: ClassVar[tuple[str, ...]] = ()  # keys of `Parameters` that differ from run to run, as the seconds it took
    series: ClassVar[str | None] = None  # what it works on, where the example holds several

    def example(self, folder: Path) -> Path:
        """Write the NWB file that it is tested on; the field of view should not be square."""
        return write_example(folder / "example.nwb", self._processor.takes)

    # what the tests use

    @property
    def _registry(self) -> Registry:
        if isinstance(self.processor, str):
            return installed()
        return Registry((Plugin("tested", f"nwbridge-{self.processor.name}", "0", processors=(self.processor,)),))

    @property
    def _processor(self) -> Processor:
        return self._registry.processor(self._name)[0]

    @property
    def _name(self) -> str:
        return self.processor if isinstance(self.processor, str) else self.processor.name

    def _process(self, path: Path, out: Path) -> Result:
        more: dict[str, Any] = {"options": self.options, "series": self.series, "registry": self._registry}
        return process(path, out, self._name, **more)

    def _once(self) -> Processed:
        """Process the example, once for all tests of a class."""
        if "_kept" not in type(self).__dict__:
            folder = kept_folder()
            (folder / "in").mkdir()
            path = self.example(folder / "in")
            before, opened = tuple(damage.tree(folder / "in")), handles()
            result = self._process(path, folder / "out.nwb")
            left_open = tuple(sorted(handles() - opened))
            after = tuple(damage.tree(folder / "in"))
            type(self)._kept = Processed(path, folder / "out.nwb", result, before, after, left_open)  # type: ignore[attr-defined]
        return type(self)._kept  # type: ignore[attr-defined, no-any-return]

    def _run(self) -> tuple[Any, tuple[Element, ...], tuple[Finding, ...]]:
        """Return what the processor works on, its elements and its findings, of one run for all tests of a class."""
        if "_ran" not in type(self).__dict__:
            type(self)._ran = self._run_anew()  # type: ignore[attr-defined]
        return type(self)._ran  # type: ignore[attr-defined, no-any-return]

    @property
    def _options(self) -> Any:
        return parse(self._processor.options, self.options, self._name)

    def _given(self) -> tuple[Element, ...]:
        """Return what the processor gets of the example: what it works on, and what lies beside."""
        elements = describe(self._once().path, source="nwb", registry=installed()).elements
        processor = self._processor
        element = pick(elements, processor, self._once().path, self.series)
        kinds = (*processor.takes, *processor.beside)
        return (element, *(other for other in elements if other is not element and isinstance(other, kinds)))

    def _run_anew(self) -> tuple[Any, tuple[Element, ...], tuple[Finding, ...]]:
        """Run the processor on the example."""
        element, *beside = self._given()
        returned = self._processor.run((element, *beside), self._options)
        assert isinstance(returned, Sequence), f"run returned a {type(returned).__name__}; expected a tuple"
        findings = tuple(one for one in returned if isinstance(one, Finding))
        return element, tuple(one for one in returned if not isinstance(one, Finding)), findings

    def _lasting(self, made: Element) -> Element:
        """Return an element without the parameters that differ from run to run."""
        if not isinstance(made, Parameters):
            return made
        return replace(made, values={key: value for key, value in made.values.items() if key not in self.varies})

    def _new_arrays(self) -> dict[str, LazyArray]:
        """Return every lazy array that is new, by its name."""
        element, results, _ = self._run()
        old = arrays_in([element])
        return {name: one for name, one in arrays_in(results).items() if old.get(name) is not one}

    # the contract

    def test_makes_something(self) -> None:
        """A run returns one element at least."""
        assert self._run()[1], "run returned no element"

    def test_gives_the_same_values_in_blocks_of_any_size(self) -> None:
        """Lazy arrays give the same values however they are asked, those that say so also from several threads."""
        for name, array in self._new_arrays().items():
            whole = read_all(array)
            assert (whole.shape, whole.dtype) == (array.shape, array.dtype), name
            for size in sorted({7, 1 if array.shape[0] < MANY else 1000}):
                np.testing.assert_array_equal(read_all(array, size), whole, err_msg=f"{name} in blocks of {size}")
            if array.parallel:
                message = f"{name} from several threads"
                np.testing.assert_array_equal(read_in_threads(array), whole, err_msg=message)

    def test_gives_the_same_twice(self) -> None:
        """Two runs with the same options give the same elements, values and findings."""
        (_, one, said), (_, other, said_again) = self._run(), self._run_anew()
        assert [self._lasting(made) for made in one] == [self._lasting(made) for made in other]
        assert said == said_again
        for (name, array), again in zip(arrays_in(one).items(), arrays_in(other).values(), strict=True):
            np.testing.assert_array_equal(read_all(again), read_all(array), err_msg=name)

    def test_gives_of_a_series_of_one_what_it_gives_alone(self) -> None:
        """With one movie, `run_together` gives the elements, values and findings that `run` gives."""
        if self._processor.run_together is None:
            return
        _, alone, said = self._run()
        returned = self._processor.run_together((self._given(),), self._options)
        assert isinstance(returned, Sequence), f"run_together returned a {type(returned).__name__}; expected a tuple"
        assert len(returned) == 1, f"run_together returned results for {len(returned)} movies; expected them for 1"
        together = [one for one in returned[0] if not isinstance(one, Finding)]
        assert [self._lasting(made) for made in together] == [self._lasting(made) for made in alone]
        assert tuple(one for one in returned[0] if isinstance(one, Finding)) == said
        for (name, array), other in zip(arrays_in(alone).items(), arrays_in(together).values(), strict=True):
            np.testing.assert_array_equal(read_all(other), read_all(array), err_msg=name)

    def test_gives_finite_values(self) -> None:
        """Where the input has numbers, images, movies, series and traces have numbers too."""
        element, results, _ = self._run()
        assert all(np.isfinite(read_all(array)).all() for array in arrays_in([element]).values() if is_float(array))
        shown = [one for one in results if isinstance(one, Movie | Images | Series | Segmentation)]
        for name, array in arrays_in(shown).items():
            assert not is_float(array) or np.isfinite(read_all(array)).all(), f"{name} is not finite everywhere"

    def test_keeps_frames_and_times(self) -> None:
        """Movies and traces have as many frames as what they were made of, at the same times."""
        element, results, _ = self._run()
        first = element.traces[0] if isinstance(element, Segmentation) and element.traces else element
        if not isinstance(first, Movie) and first is element:
            return  # it has no frames
        for made in results:
            for one in (made, *getattr(made, "traces", ())):
                if isinstance(one, Movie) or one in getattr(made, "traces", ()):
                    assert clock_of(one) == clock_of(first), f"{one.name} has other frames or times than {first.name}"

    def test_leaves_the_input_untouched(self) -> None:
        """Processing changes no byte and no date of the file, writes nothing beside it, and leaves nothing open."""
        once = self._once()
        assert once.after == once.before
        assert once.left_open == ()

    def test_keeps_every_object_of_the_input(self) -> None:
        """Everything of the file that was read is in the new one, with the same values, under a new id."""
        once = self._once()
        with h5py.File(once.path) as old, h5py.File(once.out) as new:
            ids = set(ids_in(new))
            assert ids.isdisjoint(ids_in(old)), "object ids of the input are in the output"
            for name in names_in(old):
                if not name.startswith(_RENEWED):
                    assert name in new, f"{name} of the input is not in the output"
                    assert type(old[name]) is type(new[name]), name
                    if isinstance(old[name], h5py.Dataset) and not h5py.check_ref_dtype(old[name].dtype):
                        np.testing.assert_array_equal(new[name][()], old[name][()], err_msg=name)

    def test_says_where_everything_came_from(self) -> None:
        """The history names the step, all its options, the file, and every object that was made."""
        once = self._once()
        with h5py.File(once.out) as file:
            row = {name: column.asstr()[-1] for name, column in file[_STEPS].items() if name != "id"}
            there = {name.rpartition("/")[2] for name in names_in(file)}
        assert row["step"] == self._name
        assert row["input_sha256"] == hashlib.sha256(once.path.read_bytes()).hexdigest()
        assert dict(json.loads(row["parameters"])).keys() == {entry.name for entry in fields(self._processor.options)}
        for name in (*json.loads(row["made"]), *json.loads(row["made_from"])):
            assert name in there, f"{name} stands in the history and is not in the file"
        for made in self._run()[1]:
            if isinstance(made, Movie | Images | Series):
                assert made.made_from is not None, f"{made.name} does not say what it was made from"

    def test_writes_a_valid_file(self) -> None:
        """No check finds an error that the example has not already."""
        assert [finding for finding in self._once().result.findings if finding.severity == "error"] == []

    def test_writes_what_it_gave(self) -> None:
        """Every value in the file, read with h5py, is the one that `run` gave."""
        once, (element, results, _) = self._once(), self._run()
        known = {element.name} if any(made.name == element.name for made in results) else set()
        renamed = dict(zip(made_names(without_old(results, element), known), once.result.steps[-1].made, strict=True))
        with h5py.File(once.out) as file:
            stored = values_in(file)
        for name, array in self._new_arrays().items():
            holder, slash, part = name.partition("/")
            values = stored[f"{renamed.get(holder, holder)}{slash}{part}"]
            np.testing.assert_array_equal(values, read_all(array), err_msg=name)

    def test_what_it_made_reads_back(self) -> None:
        """The new file reads as an NWB file: what was made is there for the next step."""
        once = self._once()
        elements = describe(once.out, source="nwb", registry=installed()).elements
        found = {element.name: type(element) for element in elements}
        for made in once.result.elements:
            assert found.get(made["name"], type(None)).__name__ == made["type"], f"{made['name']} does not read back"

    def test_refuses_a_file_without_what_it_works_on(self, tmp_path: Path) -> None:
        """One line says what is missing, and nothing is written."""
        path = write_example(tmp_path / "without.nwb", without=self._processor.takes)
        said = refusal(BadSource, lambda: process(path, tmp_path / "out.nwb", self._name, registry=self._registry))
        assert all(kind.__name__ in said for kind in self._processor.takes)
        assert [file.name for file in tmp_path.iterdir()] == ["without.nwb"]

    def test_offers_options_that_programs_can_read(self) -> None:
        """Options have a JSON schema and a line of help each."""
        for name, entry in json.loads(json.dumps(schema(self._processor.options)))["properties"].items():
            assert entry["description"], f"option {name} has no help"

    def test_says_clearly_when_a_module_is_missing(self, tmp_path: Path) -> None:
        """Without a module that it needs, the step is listed all the same, and says what to install when it runs."""
        path = self._once().path
        for name in self.needs:
            if isinstance(self.processor, str):
                said = said_without(name, self.processor, path, tmp_path / "out.nwb", self.options)
            else:
                with blocked(name):
                    said = refusal(MissingDependency, lambda: self._process(path, tmp_path / "out.nwb"))
            assert name.casefold() in said.casefold(), f"the error does not name {name}: {said}"
            assert list(tmp_path.iterdir()) == []
