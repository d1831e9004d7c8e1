"""A recording session: what a source describes and what one NWB file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nwbridge.errors import BadOption, BadSource
from nwbridge.model.findings import Finding
from nwbridge.model.names import check_name
from nwbridge.model.optics import Movie, Plane
from nwbridge.model.regions import Segmentation
from nwbridge.model.series import Electrode, Series
from nwbridge.model.steps import STEPS, Step
from nwbridge.model.tables import Column, Localizations, Table

SOURCES = "source_files"  # the table of what was read, which every file has


@dataclass(frozen=True)
class Subject:
    """The animal or culture that was recorded."""

    subject_id: str | None = None
    species: str | None = None  # Latin binomial
    sex: str | None = None  # M, F, O, U
    age: str | None = None  # ISO 8601 duration
    age_reference: str | None = None  # birth, gestational
    date_of_birth: datetime | None = None
    description: str | None = None
    genotype: str | None = None
    strain: str | None = None
    weight: str | None = None  # "0.025 kg"


Element = Any  # one of the records of this package, or a type that a plugin registered with `nwbridge.nwb.build.add`


def _check_rows(label: str, column: Column, regions: Mapping[str, int]) -> None:
    """Raise BadSource unless the column's values are row numbers of a segmentation that comes before."""
    name, values = str(column.rows_of), column.values
    if name not in regions:
        known = ", ".join(sorted(regions)) or "the segmentations, of which there is none"
        raise BadSource(f"{label} names rows of {name}; expected one of {known}")
    if values.dtype.kind not in "ui":
        raise BadSource(f"{label} holds {values.dtype}; expected row numbers of {name}")
    if isinstance(values, np.ndarray) and values.size and not 0 <= values.min() <= values.max() < regions[name]:
        raise BadSource(f"{label} has rows {values.min()} to {values.max()}; {name} has {regions[name]} regions")


@dataclass(frozen=True)
class Session:
    """One recording session: what a source describes and what one NWB file holds.

    `origins` maps a metadata key (``Subject.species``) to words saying where the source states it.
    """

    id: str
    description: str
    elements: tuple[Element, ...]
    start_time: datetime | None = None
    subject: Subject | None = None
    files: tuple[Path, ...] = ()  # everything that was read
    experimenter: tuple[str, ...] | None = None
    lab: str | None = None
    institution: str | None = None
    experiment_description: str | None = None
    keywords: tuple[str, ...] | None = None
    related_publications: tuple[str, ...] | None = None
    data_collection: str | None = None
    notes: str | None = None
    pharmacology: str | None = None
    protocol: str | None = None
    slices: str | None = None
    stimulus_notes: str | None = None
    surgery: str | None = None
    virus: str | None = None
    steps: tuple[Step, ...] = ()  # the processing that elements came from, first to last
    findings: tuple[Finding, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id or not self.description:
            raise BadSource("a session was described without an id or a description; expected both")
        names = [getattr(element, "name", None) for element in self.elements]
        names += [traces.name for segmentation in self.of(Segmentation) for traces in segmentation.traces]
        repeated = sorted({name for name in names if name is not None and names.count(name) > 1})
        if repeated:
            raise BadSource(f"session {self.id}: several elements are named {repeated[0]}; expected every name once")
        for name in names:
            if name is not None:
                check_name(f"session {self.id}: an element", name, (SOURCES, STEPS))
        born = self.subject.date_of_birth if self.subject else None
        for what, time in (("start", self.start_time), ("date of birth", born)):
            if time is not None and time.tzinfo is None:  # pynwb would take this machine's
                raise BadSource(f"session {self.id}: the {what} is {time}, without a time zone; expected one with it")
        self._check_shared()
        self._check_references()

    def _check_shared(self) -> None:
        """Raise BadSource where two planes, electrodes or devices of one name differ: the file would hold the first."""
        planes = [plane for e in self.elements if isinstance(plane := getattr(e, "plane", None), Plane)]
        electrodes = [one for e in self.elements if isinstance(one := getattr(e, "electrode", None), Electrode)]
        devices = [*(plane.device for plane in planes), *(electrode.device for electrode in electrodes)]
        shared: dict[str, list[Any]] = {"imaging planes": planes, "electrodes": electrodes, "devices": devices}
        for words, several in shared.items():
            known: dict[str, Any] = {}
            for one in several:
                if known.setdefault(one.name, one) != one:
                    raise BadSource(f"session {self.id}: two {words} are named {one.name}; expected a name each")

    def _check_references(self) -> None:
        """Raise BadSource where an element names another that is not there."""
        movies = {movie.name for movie in self.of(Movie)}
        for table in self.of(Localizations):
            if table.found_in is not None and table.found_in not in movies:
                raise BadSource(
                    f"session {self.id}: {table.name} was found in {table.found_in}; expected the name of a movie"
                )
        earlier: dict[str, int] = {}
        for element in sorted(self.elements, key=lambda e: not isinstance(e, Segmentation)):
            for column in getattr(element, "columns", ()):
                if column.rows_of is not None:
                    _check_rows(f"session {self.id}: column {column.name} of {element.name}", column, earlier)
            if isinstance(element, Segmentation):
                earlier[element.name] = len(element)

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Return the elements of one type, in order."""
        return tuple(element for element in self.elements if isinstance(element, kind))

    def first(self, count: int) -> Session:
        """Return the session with only the first `count` frames of every movie, and a description that says so."""
        if count < 1:
            raise BadOption(f"--first {count}: expected at least 1 frame")
        if not self.of(Movie):
            raise BadOption("--first takes the first frames of movies, and this recording has none: leave it out")
        longest = max(movie.data.shape[0] for movie in self.of(Movie))
        if longest <= count:
            return self
        elements = tuple(e.first(count) if isinstance(e, Movie) else e for e in self.elements)
        note = f" This file holds only the first {count} of {longest} frames."
        findings = self.findings
        timed = [e for e in self.elements if isinstance(e, Series | Table) or bool(getattr(e, "traces", None))]
        if whole := [element.name for element in timed]:
            text = f"only movies were cut to {count} frames; kept whole: {', '.join(whole)}"
            findings += (Finding("hint", text, "leave out --first for the whole recording", check="first"),)
        return replace(self, elements=elements, description=self.description + note, findings=findings)
