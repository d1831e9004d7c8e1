"""A recording session: what a source describes and what one NWB file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nwbridge.errors import BadOption, BadSource
from nwbridge.model.findings import Finding
from nwbridge.model.optics import Movie
from nwbridge.model.regions import Segmentation


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
        odd = next((name for name in names if name is not None and {"/", ":"} & set(name)), None)
        if odd is not None:
            raise BadSource(f"session {self.id}: an element is named {odd}; expected a name without / and :")
        born = self.subject.date_of_birth if self.subject else None
        for what, time in (("start", self.start_time), ("date of birth", born)):
            if time is not None and time.tzinfo is None:  # pynwb would take this machine's
                raise BadSource(f"session {self.id}: the {what} is {time}, without a time zone; expected one with it")
        for words, kind in (("imaging planes", "plane"), ("electrodes", "electrode")):
            known: dict[str, Any] = {}
            for one in filter(None, (getattr(element, kind, None) for element in self.elements)):
                if known.setdefault(one.name, one) != one:
                    raise BadSource(f"session {self.id}: two {words} are named {one.name}; expected a name each")
        regions = {segmentation.name for segmentation in self.of(Segmentation)}
        for column in (column for element in self.elements for column in getattr(element, "columns", ())):
            if column.rows_of is not None and column.rows_of not in regions:
                raise BadSource(
                    f"session {self.id}: column {column.name} names rows of {column.rows_of}; "
                    f"expected one of {', '.join(sorted(regions)) or 'the segmentations, of which there is none'}"
                )

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Return the elements of one type, in order."""
        return tuple(element for element in self.elements if isinstance(element, kind))

    def first(self, count: int) -> Session:
        """Return the session with only the first `count` frames of every movie, and a description that says so."""
        if count < 1:
            raise BadOption(f"--first {count}: expected at least 1 frame")
        longest = max((movie.data.shape[0] for movie in self.of(Movie)), default=0)
        if longest <= count:
            return self
        elements = tuple(e.first(count) if isinstance(e, Movie) else e for e in self.elements)
        note = f" This file holds only the first {count} of {longest} frames."
        return replace(self, elements=elements, description=self.description + note)
