"""What lies where in a neurofinder data set, and what it says about the recording.

Formats: the README of codeneuro/neurofinder. Current: ``images/image00000.tiff`` and so on, ``info.json``, and in
training sets ``regions/regions.json``. Older: ``images/**/*.bin``, a column-major frame a file, ``images/conf.json``,
``sources/sources.json``.
"""

import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nwbridge import BadSource, Finding, LazyArray, Movie, Plane, Region, Segmentation, Session, Subject, arrays

REGIONS = ("regions/regions.json", "sources/sources.json")
TEXTS = ("id", "lab", "location", "animal", "animal-state", "experiment", "method", "indicator", "region")
NUMBERS = ("depth-microns", "pixels-per-micron", "rate-hz")
WHOLE = {"type": "integer", "minimum": 1}
INFO = {  # JSON schemas
    "properties": {
        **{key: {"type": ["string", "null"]} for key in TEXTS},
        **{key: {"type": ["number", "null"], "exclusiveMinimum": 0} for key in NUMBERS},
        "contributors": {"type": "array", "items": {"type": "string"}, "description": "names"},
        "dimensions": {
            "type": "array",
            "items": WHOLE,
            "minItems": 3,
            "maxItems": 3,
            "description": "rows, columns, frames",
        },
    }
}
CONF = {
    "required": ["dims", "dtype"],
    "properties": {
        "dims": {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 2, "description": "rows, columns"},
        "dtype": {"enum": ["uint16", "int16"]},
    },
}
SPECIES = {"mouse": "Mus musculus", "rat": "Rattus norvegicus"}
AREAS = {("mouse", "vS1"): "SSp-bfd", ("mouse", "V1"): "VISp"}  # the labs' names and the Allen CCF's
ORIGINS = {
    "NWBFile.session_id": "name of the folder or zip",
    "NWBFile.lab": "info.json: lab",
    "NWBFile.institution": "info.json: location",
    "NWBFile.experimenter": "info.json: contributors",
    "NWBFile.experiment_description": "info.json: experiment, animal-state",
    "Subject.species": "info.json: animal",
    "Subject.subject_id": "named after the recording: the source does not tell animals apart",
    "Ophys.ImagingPlane.indicator": "info.json: indicator",
    "Ophys.ImagingPlane.location": "info.json: region",
    "Ophys.ImagingPlane.grid_spacing": "info.json: pixels-per-micron",
    "Ophys.TwoPhotonSeries.rate": "info.json: rate-hz",
}


def detect(path: Path) -> str | None:
    """Look for the images and what describes them."""
    names = set(arrays.peek(path, keep=("images",)))
    if "images/conf.json" in names:
        return "images/conf.json of the older binary layout"
    images = any(re.fullmatch(r"images/[^/]*\d\.tiff?", name, re.I) for name in names)
    beside = [name for name in ("info.json", *REGIONS) if name in names]
    return f"numbered TIFFs in images/ and {beside[0]}" if images and beside else None


def describe(path: Path, options: object) -> Session:
    """Describe the movie, and the regions of a training set."""
    files = arrays.files_in(path, keep=("images",))
    content = files.json("info.json", dict, INFO) if "info.json" in files else {}
    info = {key: value for key, value in content.items() if value}
    data, frames = _movie(files)
    found = re.search(r"neurofinder\.\d\d\.\d\d(\.test)?", f"{path.name}/{files.prefix}")
    name = found.group() if found else path.name.removesuffix(".zip")
    animal, area, density = info.get("animal", "").lower(), info.get("region"), info.get("pixels-per-micron")
    plane = Plane(
        description=_sentence(info, method="", region="(the lab's name)", **{"depth-microns": "µm deep"}),
        indicator=info.get("indicator"),
        location=AREAS.get((animal, str(area)), area),
        rate_hz=info.get("rate-hz"),
        pixel_um=(1 / density, 1 / density) if density else None,
    )
    movie = Movie("TwoPhotonSeries", data, plane, description="the frames of images/", rate_hz=plane.rate_hz)
    masks = [_segmentation(files, file, data.shape[1:], plane) for file in REGIONS if file in files]
    beside = [files[file] for file in ("info.json", "images/conf.json", *REGIONS) if file in files]
    return Session(
        id=name,
        description=f"neurofinder data set {name}" + (f", recording {info['id']}." if "id" in info else "."),
        elements=(movie, *masks),
        subject=Subject(subject_id=name, species=SPECIES.get(animal)),
        files=tuple(sorted({blob.path for blob in (*frames, *beside)})),
        lab=info.get("lab"),
        institution=info.get("location"),
        experimenter=tuple(re.sub(r"^(\S+) (\S+)$", r"\2, \1", n) for n in info.get("contributors", ())) or None,
        experiment_description=_sentence(info, experiment="", **{"animal-state": ""}),
        findings=tuple(_compare(info.get("dimensions"), data, path.name)),
        origins=ORIGINS,
    )


def _movie(files: arrays.Files) -> tuple[LazyArray, list[arrays.Blob]]:
    """Return the frames, and the files that hold them."""
    if "images/conf.json" not in files:
        images = files.numbered("images/*.tiff", "images/*.tif")
        return arrays.from_tiff(images), images
    conf = files.json("images/conf.json", dict, CONF)
    images, (rows, columns) = files.numbered("images/*.bin"), map(int, conf["dims"])
    return arrays.from_binary(images, rows, columns, {"uint16": "<u2", "int16": "<i2"}[conf["dtype"]]), images


def _segmentation(files: arrays.Files, name: str, image_shape: tuple[int, ...], plane: Plane) -> Segmentation:
    regions = []
    for number, entry in enumerate(files.json(name, list)):
        try:
            pixels, label = np.array(entry["coordinates"]), entry.get("id")  # (n, 2): row, column
            regions.append(Region(pixels, id=None if label is None else operator.index(label)))
        except (AttributeError, KeyError, TypeError, ValueError):
            expected = '{"id": whole number, "coordinates": [[row, column], …]}; the id may be left out'
            raise BadSource(f"{files.path.name}: {name}: region {number} is not {expected}") from None
    return Segmentation("PlaneSegmentation", tuple(regions), image_shape, plane, f"hand-labelled, {name}")


def _compare(declared: Any, data: LazyArray, name: str) -> Iterator[Finding]:
    """Hold the frames against info.json: another image size is an error, another number of frames is said."""
    if declared and tuple(declared[:2]) != data.shape[1:]:
        raise BadSource(f"{name}: images of {data.shape[1:]} (rows, columns), info.json says {tuple(declared[:2])}")
    if declared and declared[2] != data.shape[0]:
        text = f"info.json declares {declared[2]} frames, images/ holds {data.shape[0]}"
        yield Finding("warning", text, "download the data set again if it should be whole", name, "neurofinder")
    if data.dtype not in (np.uint16, np.int16):
        text = f"the images are {data.dtype}; neurofinder distributes uint16"
        yield Finding("warning", text, "make sure that these are the original images", name, "neurofinder")


def _sentence(info: dict[str, Any], **units: str) -> str | None:
    return "; ".join(f"{info[key]} {unit}".strip() for key, unit in units.items() if key in info) or None
