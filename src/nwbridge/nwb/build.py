"""From a session to an NWBFile whose large arrays are still empty.

A plugin with an element of its own registers a function with `add.register`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from hdmf.common import DynamicTable, VectorData
from pynwb import NWBFile
from pynwb.file import Subject as NwbSubject

from nwbridge.model import Element, Movie, Segmentation, Session, Subject, Table
from nwbridge.model.session import SOURCES
from nwbridge.nwb import localizations, movies, segmentations, series, steps, tables  # noqa: F401 each registers its elements
from nwbridge.nwb.layout import Layout, add

__all__ = ["Layout", "add", "build"]

UNKNOWN_START = datetime(1900, 1, 1, tzinfo=UTC)
UNKNOWN_START_NOTE = "The recording's date is not distributed; session_start_time is a placeholder."
UNKNOWN_NOTE = "Not stated by the source or the user: "
TEXTS = (
    "lab",
    "institution",
    "experiment_description",
    "data_collection",
    "pharmacology",
    "protocol",
    "slices",
    "stimulus_notes",
    "surgery",
    "virus",
)


def _subject(subject: Subject, session_id: str) -> NwbSubject:
    """Write sex and age as marked unknowns where nobody states them; leave out the rest (see docs/metadata.md)."""
    dated = subject.date_of_birth is not None
    return NwbSubject(
        subject_id=subject.subject_id or session_id,
        species=subject.species,
        sex=subject.sex or "U",
        age=subject.age or (None if dated else "P0D/"),
        age__reference=subject.age_reference or "birth",
        date_of_birth=subject.date_of_birth,
        description=subject.description or "not described by the source",
        genotype=subject.genotype,
        strain=subject.strain,
        weight=subject.weight,
    )


def build(
    session: Session, layout: Layout, unknown: Sequence[str], made_by: Sequence[tuple[str, str]], script: str
) -> NWBFile:
    """Return the NWBFile of a session; `layout` collects what is still to be filled.

    `unknown` names the fields that nobody states, `made_by` the software and its versions, `script` the command.
    """
    notes = [session.notes] if session.notes else []
    if unknown:
        notes.append(UNKNOWN_NOTE + "; ".join(unknown) + ".")
    description = session.description + ("" if session.start_time else f" {UNKNOWN_START_NOTE}")
    file = NWBFile(
        session_description=description,
        identifier=str(uuid.uuid4()),
        session_id=session.id,
        session_start_time=session.start_time or UNKNOWN_START,
        experimenter=list(session.experimenter) if session.experimenter else None,
        keywords=list(session.keywords) if session.keywords else None,
        related_publications=list(session.related_publications) if session.related_publications else None,
        notes=" ".join(notes) or None,
        was_generated_by=[list(pair) for pair in made_by],
        source_script=script,
        source_script_file_name="nwbridge",
        subject=_subject(session.subject or Subject(), session.id),
        **{name: getattr(session, name) for name in TEXTS},
    )
    for element in in_order(session.elements):
        add(element, file, layout)
    if session.steps:
        add(steps.table_of(session.steps), file, layout)
    if session.files:
        _add_sources(session, file)
    return file


def in_order(elements: Sequence[Element]) -> list[Element]:
    """Return elements with those last that refer to others: tables to regions and movies, movies to their originals."""
    originals = {element.name: element.made_from for element in elements if isinstance(element, Movie)}

    def rank(element: Element) -> tuple[int, int]:
        hops, name = 0, element.name if isinstance(element, Movie) else None
        while name in originals and hops < len(originals):
            hops, name = hops + 1, originals[name]
        return (2 if isinstance(element, Table) else 1 if isinstance(element, Segmentation) else 0), hops

    return sorted(elements, key=rank)


def _add_sources(session: Session, file: NWBFile) -> None:
    """Name every file that was read; its size and checksum follow when it has been read."""
    root = os.path.commonpath([path.parent for path in session.files])
    names = [os.fsencode(p.relative_to(root)).decode("utf-8", "replace") for p in session.files]
    table = DynamicTable(
        name=SOURCES,
        description="the files that this NWB file was made from, as they were read",
        columns=[
            VectorData(name="path", description="name, relative to the recording's folder", data=names),
            VectorData(name="size", description="bytes", data=np.zeros(len(names), dtype=np.uint64)),
            VectorData(name="sha256", description="SHA-256 of the file, in hexadecimal", data=[" " * 64] * len(names)),
        ],
        colnames=["path", "size", "sha256"],
    )
    file.add_analysis(table)
