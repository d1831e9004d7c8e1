"""Which files are recordings of Dataset II, and what becomes of their content.

The data set: https://portal.brain-map.org/explore/circuits/oephys, 50 recordings of 35 neurons, an HDF5 file each.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from nwbridge import (
    BadSource,
    Column,
    Electrode,
    Finding,
    Plane,
    Region,
    Segmentation,
    Series,
    Session,
    Subject,
    Traces,
    Units,
    arrays,
)
from nwbridge_allen.content import (
    RAW,
    SUBTRACTED,
    Content,
    is_other_set,
    is_recording,
    keys_of,
    read,
)
from nwbridge_allen.genotypes import indicator_of, line_of
from nwbridge_allen.oddities import oddities

LOCATION = "Primary visual area, layer 2/3"  # the Allen CCF's name
SUFFIXES = (".h5", ".hdf5")
LOOKED_AT = 100  # files of a folder that `detect` opens at most
PUBLICATIONS = ("doi:10.7554/eLife.51675", "doi:10.1101/800102")  # Huang et al. 2021, Ledochowitsch et al. 2019
NO_OFFSET = "The file gives no offset between imaging and voltage: both start at 0.0 s."
EXPERIMENT = (
    "Two-photon calcium imaging and cell-attached recording, at the same time, of pyramidal neurons in layer 2/3 of "
    "primary visual cortex of transgenic mice"
)
DATA_SET = "the description of Dataset II"
ORIGINS = {
    "NWBFile.session_id": "name of the file",
    "NWBFile.institution": DATA_SET,
    "NWBFile.experiment_description": DATA_SET,
    "NWBFile.related_publications": f"{DATA_SET}: Huang et al. 2021, Ledochowitsch et al. 2019",
    "Subject.subject_id": "named after the recording: the file does not say which recordings share an animal",
    "Subject.species": f"{DATA_SET}: transgenic mice",
    "Subject.genotype": "genotype",
    "Subject.description": "derived from genotype: the driver line",
    "Ophys.ImagingPlane.indicator": "derived from genotype: Ai93 brings GCaMP6f, Ai94 GCaMP6s",
    "Ophys.ImagingPlane.location": f"{DATA_SET}: layer 2/3 of primary visual cortex",
}


def detect(path: Path) -> str | None:
    """Look at the names of a file's keys, or at those of the first files of a folder."""
    try:
        files = itertools.islice(_candidates(path), LOOKED_AT) if path.is_dir() else [path]
        return next(filter(None, map(_evidence, files)), None)
    except (OSError, ValueError):
        return None


def describe(path: Path, options: object) -> Session | Mapping[str, Callable[[], Session]]:
    """Describe the recording of a file, or offer those of a folder by name."""
    if not path.is_dir():
        return _session(path)
    try:
        files = [file for file in _candidates(path) if _is_ours(file)]
    except OSError as error:
        raise BadSource(f"{path} cannot be read: {error.strerror}") from error
    found: dict[str, Callable[[], Session]] = {}
    for file in files:
        found[_free_name(file, found)] = partial(_session, file)
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are named as HDF5 files are, in order."""
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file():
            yield file


def _evidence(path: Path) -> str | None:
    try:
        keys = keys_of(path)
    except (OSError, BadSource):
        return None
    if is_other_set(keys):
        return f"{path.name} has keys of Dataset I"
    few = ", ".join(key for key in (*sorted(keys & {"dff", "sptimes"}), RAW) if key in keys)
    return f"{path.name} has {few}" if is_recording(keys) else None


def _is_ours(file: Path) -> bool:
    """Whether a file is a recording, or so damaged that it might be one, which describing it then says."""
    try:
        keys = keys_of(file)
    except BadSource:
        return True
    return is_recording(keys) or is_other_set(keys)


def _free_name(file: Path, taken: Collection[str]) -> str:
    """Return a name for a recording that a file can have and that no other recording has."""
    labels = [re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-") for name in (file.stem, file.name)]
    numbered = (f"{labels[0] or 'recording'}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain(labels, numbered) if name and name not in taken)


def _session(path: Path) -> Session:
    content = read(path)
    name = path.name.removesuffix(path.suffix)
    genotype = content.genotype or None
    return Session(
        id=name,
        description=f"Fluorescence and cell-attached recording of one pyramidal neuron, recording {name} of the Allen "
        f"Institute's Dataset II. {NO_OFFSET}",
        elements=(_imaging(content), *_voltages(content, name), _spikes(content)),
        subject=Subject(
            subject_id=name,
            species="Mus musculus",
            genotype=genotype,
            description=line_of(genotype),
        ),
        files=(path,),
        experiment_description=EXPERIMENT,
        institution="Allen Institute for Brain Science",
        related_publications=PUBLICATIONS,
        findings=tuple(Finding("warning", text, advice, path.name, "allen") for text, advice in oddities(content)),
        origins=ORIGINS,
    )


def _imaging(content: Content) -> Segmentation:
    plane = Plane(
        description="the neuron at high zoom, resampled in space and time to the noise of the Allen Brain Observatory",
        indicator=indicator_of(content.genotype),
        location=LOCATION,
    )
    traces = Traces(
        "dff",
        arrays.from_numpy(content.dff[np.newaxis]),
        kind="dff",
        description=f"ΔF/F of the neuron, a value every {content.dto!r} s (dto). {NO_OFFSET}",
        rate_hz=1 / content.dto,
    )
    described = "the recorded neuron; its mask is not distributed"
    return Segmentation("PlaneSegmentation", (Region(None),), None, plane, described, traces=(traces,))


def _voltages(content: Content, name: str) -> tuple[Series, Series]:
    electrode = Electrode(
        description="cell-attached pipette; the cell is named after the recording: the file does not say which "
        "recordings share a neuron",
        cell_id=name,
        location=LOCATION,
    )
    period = f"a sample every {content.dte!r} s (dte)"
    raw = Series(
        RAW,
        content.raw,
        unit="volts",
        kind="current clamp",
        description=f"cell-attached voltage as recorded, {period}. {NO_OFFSET}",
        rate_hz=1 / content.dte,
        electrode=electrode,
    )
    subtracted = Series(
        SUBTRACTED,
        content.subtracted,
        unit="volts",
        kind="current clamp",
        description=f"cell-attached voltage less its baseline, as distributed, {period}. {NO_OFFSET}",
        rate_hz=1 / content.dte,
        electrode=electrode,
        made_from=RAW,
    )
    return raw, subtracted


def _spikes(content: Content) -> Units:
    observed = np.array([[0.0, content.duration_s]])
    columns = [
        Column("spike_times", content.spikes, "sptimes, in the file's order", ends=np.array([content.spikes.size])),
        Column("obs_intervals", observed, f"the whole of {RAW}", ends=np.array([1])),
    ]
    if content.threshold is not None:
        described = f"voltage above which a spike was detected ({content.threshold_key})"
        columns.append(Column("detection_threshold", np.array([content.threshold]), described, unit="volts"))
    described = "spikes of the one neuron, detected in its cell-attached voltage"
    return Units(columns=tuple(columns), description=described, resolution_s=content.dte)
