"""DANDI's names of files, computed from a recording alone: whatever else is in the batch, a file keeps its name."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.model import Localizations, Movie, Segmentation, Series, Session, Table
from nwbridge.model.optics import Images
from nwbridge.model.tables import Parameters

LONGEST = 64  # characters of a label: three and the modalities stay below the 255 bytes of a file's name
FILE = re.compile(
    r"sub-(?P<sub>[A-Za-z0-9+-]+)(_ses-(?P<ses>[A-Za-z0-9+-]+))?(_(tis|slice|cell|desc|probe|obj)-[A-Za-z0-9+-]+)*"
    r"(_[a-z]+(\+[a-z]+)*)?\.nwb"
)
_LEGAL = re.compile(r"[A-Za-z0-9+-]")
_NAMED = re.compile(r"(GREEK|LATIN) (SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)(?: WITH .*)?")

# what the client's `organize` makes of the types of groups; those of pynwb's base, device, file and misc count nothing
_TYPES = {
    "behavior": "BehavioralEpochs BehavioralEvents BehavioralTimeSeries CompassDirection EyeTracking Position "
    "PupilTracking SpatialSeries",
    "core": "MultiContainerInterface NWBContainer NWBDataInterface NWBMixin",
    "ecephys": "ClusterWaveforms Clustering ElectricalSeries ElectrodeGroup EventDetection EventWaveform "
    "FeatureExtraction FilteredEphys LFP SpikeEventSeries",
    "icephys": "CurrentClampSeries CurrentClampStimulusSeries IZeroClampSeries IntracellularElectrode "
    "PatchClampSeries VoltageClampSeries VoltageClampStimulusSeries",
    "image": "ImageMaskSeries ImageSeries IndexSeries OpticalSeries",
    "ogen": "OptogeneticSeries OptogeneticStimulusSite",
    "ophys": "CorrectedImageStack DfOverF Fluorescence ImageSegmentation ImagingPlane MotionCorrection "
    "OnePhotonSeries OpticalChannel RoiResponseSeries TwoPhotonSeries",
}
MODALITIES = {kind: modality for modality, kinds in _TYPES.items() for kind in kinds.split()}


def label(text: str) -> str:
    """Return a text as DANDI's names can hold it: letters, digits, + and -.

    Accents are left out, Greek letters are spelled, other letters become their number (``u5c0f``), and anything else
    a hyphen, several only one. Texts that are too long keep their beginning and get a checksum. Two texts may still
    give one label (``a_b`` and ``a.b``): whoever names several files has to look.
    """
    plain = text.replace("µ", "u")  # the sign for micro, which is no Greek letter here
    made = "".join(_spelled(character) for character in unicodedata.normalize("NFKD", plain))
    made = re.sub(r"-{2,}", "-", made).strip("-")
    if not re.search(r"[A-Za-z0-9]", made):
        raise BadMetadata(f"{text!r} cannot be part of a file's name on DANDI; expected letters or digits")
    if len(made) <= LONGEST:
        return made
    return f"{made[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _spelled(character: str) -> str:
    if _LEGAL.match(character):
        return character
    if unicodedata.combining(character):
        return ""
    if known := _NAMED.fullmatch(unicodedata.name(character, "")):
        alphabet, size, name = known.groups()
        if alphabet == "GREEK" or len(name) <= 2:  # æ, ø
            return name.lower() if size == "SMALL" else name.capitalize()
    return f"u{ord(character):04x}" if character.isalnum() else "-"


def modalities(session: Session) -> tuple[str, ...]:
    """Return the kinds of neurodata that a session's file will hold, as the client's `organize` tells them."""
    found: set[str] = set()
    for element in session.elements:
        if isinstance(element, Movie | Segmentation):
            found.add("ophys")
        elif isinstance(element, Series):
            found.update(["icephys"] if element.electrode is not None else [])
        elif isinstance(element, Localizations):
            found.update(["ophys"] if len(element) and element.plane is not None else [])
        elif not isinstance(element, Table | Images | Parameters):
            return _modalities_of_types(_types_in(session))  # an element of a plugin
    return tuple(sorted(found))


def layout(session: Session, step: str | None = None) -> PurePosixPath:
    """Return where a session's file lies in a dandiset; `step` names what was done to it, if anything was."""
    subject = (session.subject.subject_id if session.subject else None) or session.id  # as `nwb.build` writes it
    return _path(subject, session.id, step, modalities(session))


def layout_of(path: Path) -> PurePosixPath:
    """Return where an NWB file would lie in a dandiset, from what it holds; its own ``desc-`` is kept.

    Raises BadMetadata where it has no subject or session.
    """
    import h5py

    with h5py.File(path, "r") as file:
        subject, session = (_text(file, key) for key in ("general/subject/subject_id", "general/session_id"))
        types = set(_scan(file, set()))
    if not subject:
        raise BadMetadata(f"{path.name} has no subject_id, which its name on DANDI is made of")
    step = re.search(r"_desc-([A-Za-z0-9+-]+)", path.name)
    return _path(subject, session, step and step[1], _modalities_of_types(types))


def _path(subject: str, session: str | None, step: str | None, kinds: Iterable[str]) -> PurePosixPath:
    folder = f"sub-{label(subject)}"
    entities = (("ses", session), ("desc", step))
    words = [folder, *(f"{key}-{label(value)}" for key, value in entities if value), "+".join(kinds)]
    return PurePosixPath(folder, "_".join(filter(None, words)) + ".nwb")


def _modalities_of_types(types: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({MODALITIES[kind] for kind in types if kind in MODALITIES}))


def _types_in(session: Session) -> set[str]:
    """Return the types of the groups of a file, laid out but never written."""
    from nwbridge.nwb.build import Layout, build

    return {type(held).__name__ for held in build(session, Layout(), (), (), "").objects.values()}


def _text(file: Any, key: str) -> str | None:
    import h5py

    found = file.get(key)
    if not isinstance(found, h5py.Dataset) or found.shape != () or h5py.check_string_dtype(found.dtype) is None:
        return None
    return str(found.asstr()[()])


def _scan(group: Any, seen: set[Any]) -> Iterable[str]:
    """Yield the type of every group, as the client does: data sets and links into other files do not count."""
    import h5py

    if "neurodata_type" in group.attrs:
        yield str(group.attrs["neurodata_type"])
    for key in group:
        if group.get(key, getclass=True, getlink=True) is h5py.HardLink and isinstance(item := group[key], h5py.Group):
            info = h5py.h5o.get_info(item.id)
            if (place := (info.fileno, info.addr)) not in seen:
                seen.add(place)
                yield from _scan(item, seen)
