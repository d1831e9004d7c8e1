"""What OME-XML in the first ImageDescription says, and which page of which file holds which plane.

Schema: http://www.openmicroscopy.org/Schemas/OME/2016-06. Files that the XML names are only ever looked for among those
that were given: an OME-TIFF may name any file of the machine.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Channel, Device, Finding, arrays
from nwbridge_tiff.said import Said, label, local_start, micrometres, number, positive, seconds, warning

TYPES = {"float": "float32", "double": "float64"}  # as numpy calls them; the integers have the same names
ONE_PHOTON: tuple[str, ...] = (
    "WideField",
    "SpinningDiskConfocal",
    "LaserScanningConfocalMicroscopy",
    "SlitScanConfocal",
    "SPIM",
)
ONE_PHOTON += ("TotalInternalReflection", "TIRF", "SingleMoleculeImaging", "PALM", "STORM", "BrightField", "LCM")
MOST_PAGES = 1 << 25


@dataclass(frozen=True)
class File:
    """One of the TIFFs at hand."""

    name: str  # without its folder
    pages: int


def is_ome(description: str) -> bool:
    """Whether an ImageDescription is OME-XML; its names may have a prefix."""
    return re.search(r"<(\w{1,99}:)?OME[\s>]", description) is not None


def read_ome(tags: arrays.TiffTags, files: Sequence[File]) -> Said:
    """Return what the OME-XML says; BadSource where it contradicts itself or the pages of `files`."""
    name = files[0].name
    root = _parse(tags.description, name)
    if (only := _first(root, "BinaryOnly")) is not None:
        other = only.get("MetadataFile", "another file")
        raise BadSource(f"{name}: its OME description lies in {other:.100}, which is not read; save it as one OME-TIFF")
    images = _all(root, "Image")
    pixels = [_first(image, "Pixels") for image in images]
    if len(images) != 1 or pixels[0] is None:
        raise BadSource(
            f"{name} holds {len(images)} OME images (positions or series); expected one: save each by itself"
        )
    image, grid = images[0], pixels[0]
    order, sizes = _sizes(grid, tags, name)
    planes = _all(grid, "Plane")
    channels, unit = _all(grid, "Channel"), grid.get("TimeIncrementUnit", "s")
    scale, step = seconds(unit), positive(grid.get("TimeIncrement"))
    pixel, spacing = _pixel(grid)
    start, local = _start(image)
    fluors = dict.fromkeys(channel.get("Fluor", "") for channel in channels)
    return Said(
        program=f"OME {root.get('Creator', '').removeprefix('OME ')}".strip(),
        sizes=sizes,
        order=order,
        places=_places(grid, order, sizes, files),
        whole=not _alone(_all(grid, "TiffData"), files),
        rate_hz=1 / (step * scale) if step and scale else None,
        rate_origin=f"OME: TimeIncrement={grid.get('TimeIncrement')} {unit}",
        times=_times(planes, order, sizes),
        pixel_um=pixel,
        pixel_origin="OME: PhysicalSizeY, PhysicalSizeX",
        spacing_um=spacing,
        channels=tuple(_channel(channel, number) for number, channel in enumerate(channels))
        if any(channel.get("Name") for channel in channels)
        else (),
        channel_origin="OME: Channel",
        indicator=", ".join(filter(None, fluors)) or None,
        excitation_nm=_excitation(channels),
        kind=_kind(channels),
        device=_device(root),
        start_time=start,
        start_origin="OME: AcquisitionDate",
        unsettled=_hidden_axis(root),
        description=" ".join((_text(image, "Description") or image.get("Name", "")).split()),
        findings=tuple(_findings(grid, tags, local)),
    )


def _parse(text: str, name: str) -> Element:
    """Return the root; nothing that declares entities is parsed."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadSource(f"{name}: its OME-XML declares a document type or entities; refused")
    try:
        root = fromstring(text.strip())  # noqa: S314  without a document type there are no entities
    except (ParseError, ValueError) as error:
        raise BadSource(f"{name}: its OME-XML is not valid XML ({error}): the file is damaged") from None
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return root


def _all(element: Element, tag: str) -> list[Element]:
    return element.findall(tag)


def _first(element: Element, tag: str) -> Element | None:
    return element.find(tag)


def _hidden_axis(root: Element) -> str:
    """Say where one of the axes holds another one, such as a lifetime or a phase."""
    found = next((e for e in root.iter() if e.tag.startswith("ModuloAlong")), None)
    return (
        f"OME's {found.tag} puts an axis that is no channel, plane or time between the pages"
        if found is not None
        else ""
    )


def _text(element: Element, tag: str) -> str:
    found = element.find(tag)
    return (found.text or "").strip() if found is not None else ""


def _whole(element: Element, key: str, default: int | None, name: str) -> int:
    text = element.get(key)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"\d{1,12}", text.strip()):
        raise BadSource(f"{name}: OME says {element.tag} {key}={text!r:.20}; expected a whole number")
    return int(text)


def _sizes(grid: Element, tags: arrays.TiffTags, name: str) -> tuple[str, dict[str, int]]:
    """Return the order of the planes, fastest first, and how many there are along each axis."""
    order = grid.get("DimensionOrder", "")
    if sorted(order[2:]) != ["C", "T", "Z"] or order[:2] != "XY":
        raise BadSource(f"{name}: OME says DimensionOrder={order!r:.20}; expected XY and then Z, C and T in any order")
    sizes = {axis: _whole(grid, f"Size{axis}", None, name) for axis in "CZT"}
    shape = _whole(grid, "SizeY", None, name), _whole(grid, "SizeX", None, name)
    if shape != tags.shape:
        raise BadSource(f"{name}: OME says {shape[0]} rows × {shape[1]} columns, its first page has {tags.shape}")
    if not 0 < math.prod(sizes.values()) <= MOST_PAGES:
        raise BadSource(f"{name}: OME says {_words(sizes)}; expected each from 1, and at most {MOST_PAGES:,} planes")
    return order[2:], sizes


def _words(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"Size{axis}={size:,}" for axis, size in sizes.items())


def _places(grid: Element, order: str, sizes: Mapping[str, int], files: Sequence[File]) -> npt.NDArray[np.intp] | None:
    """Return the page, counted over all files, of each plane in the order of `order`; None where none is named."""
    blocks, count = _all(grid, "TiffData"), math.prod(sizes.values())
    own = _alone(blocks, files)
    name, several = files[0].name, own and len(files) > 1
    files = files[:1] if own else files
    if not blocks:
        _check_count(name, sizes, sum(file.pages for file in files))
        return None
    begins = np.cumsum([0, *(file.pages for file in files)])
    held = {file.name: range(begin, begin + file.pages) for file, begin in zip(files, begins, strict=False)}
    strides = _strides(order, sizes)
    places = np.full(count, -1, np.intp)
    for block in blocks:
        file = name if own else _file(block) or name
        if file not in held:
            raise BadSource(
                f"{name} is one file of an OME data set that also names {file:.100}, which is not beside it: "
                "give the folder that holds all of its files"
            )
        first = {axis: _whole(block, f"First{axis}", 0, name) for axis in "CZT"}
        page = _whole(block, "IFD", 0, name)
        length = _whole(block, "PlaneCount", 1 if block.get("IFD") is not None else len(held[file]), name)
        start = sum(first[axis] * strides[axis] for axis in "CZT")
        if (
            any(first[axis] >= sizes[axis] for axis in "CZT")
            or start + length > count
            or page + length > len(held[file])
        ):
            raise BadSource(
                f"{name}: OME's TiffData puts {length:,} planes from page {page:,} of {len(held[file]):,} at "
                f"{', '.join(f'First{axis}={n:,}' for axis, n in first.items())}, "
                f"outside the {_words(sizes)} that it says"
            )
        places[start : start + length] = held[file].start + page + np.arange(length)
    if missing := int((places < 0).sum()):
        raise BadSource(f"{name}: OME says {_words(sizes)}, {count:,} planes, and names pages for {count - missing:,}")
    if len(np.unique(places)) < count:
        raise BadSource(f"{name}: OME names one page for several of its {count:,} planes; expected one each")
    _check_count(name, sizes, sum(file.pages for file in files))
    if np.array_equal(places, np.arange(count)):
        return None
    if several:
        raise BadSource(f"{name}: its OME description puts pages in an order of its own; give one file at a time")
    return places


def _check_count(name: str, sizes: Mapping[str, int], pages: int) -> None:
    count = math.prod(sizes.values())
    if count != pages:
        raise BadSource(f"{name}: OME says {_words(sizes)}, {count:,} planes; {pages:,} pages are there")


def _strides(order: str, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return how many planes lie between two neighbours along each axis."""
    return {axis: math.prod(sizes[before] for before in order[:place]) for place, axis in enumerate(order)}


def _alone(blocks: Sequence[Element], files: Sequence[File]) -> bool:
    """Whether the XML speaks of the first file only, maybe by the name that it once had."""
    named = {file for block in blocks if (file := _file(block)) is not None}
    return len(named) < 2 and not named & {file.name for file in files[1:]}


def _file(block: Element) -> str | None:
    """Return the file that a TiffData names."""
    found = block.find("UUID")
    return found.get("FileName") if found is not None else None


def _times(planes: Sequence[Element], order: str, sizes: Mapping[str, int]) -> npt.NDArray[np.float64] | None:
    """Return when each plane was taken (DeltaT), in the order of `order`; None unless all say it."""
    count = math.prod(sizes.values())
    strides = _strides(order, sizes)
    times = np.full(count, np.nan)
    for plane in planes:
        time, scale = number(plane.get("DeltaT")), seconds(plane.get("DeltaTUnit", "s"))
        place = [number(plane.get(f"The{axis}")) for axis in "CZT"]
        if time is None or scale is None or None in place:
            return None
        if all(0 <= (p or 0) < sizes[axis] for p, axis in zip(place, "CZT", strict=True)):
            times[sum(int(p or 0) * strides[axis] for p, axis in zip(place, "CZT", strict=True))] = time * scale
    return None if np.isnan(times).any() else times


def _pixel(grid: Element) -> tuple[tuple[float, float] | None, float | None]:
    """Return (row, column) spacing and the planes' distance in µm."""
    found = []
    for axis in "YXZ":
        size, scale = positive(grid.get(f"PhysicalSize{axis}")), micrometres(grid.get(f"PhysicalSize{axis}Unit", "µm"))
        found.append(size * scale if size and scale else None)
    rows, columns, planes = found
    return (rows, columns) if rows and columns else None, planes


def _channel(channel: Element, place: int) -> Channel:
    scale = micrometres(channel.get("EmissionWavelengthUnit", "nm"))
    emission = positive(channel.get("EmissionWavelength"))
    return Channel(
        label(channel.get("Name") or f"Channel {place + 1}"),
        channel.get("Fluor"),
        round(emission * scale * 1e3, 9) if emission and scale else None,
    )


def _excitation(channels: Sequence[Element]) -> float | None:
    """Return the wavelength in nm, where all channels are excited by the same light."""
    found = set()
    for channel in channels:
        value = positive(channel.get("ExcitationWavelength"))
        scale = micrometres(channel.get("ExcitationWavelengthUnit", "nm"))
        found.add(round(value * scale * 1e3, 9) if value and scale else None)
    return found.pop() if len(found) == 1 else None


def _kind(channels: Sequence[Element]) -> Any:
    modes = {channel.get("AcquisitionMode") for channel in channels}
    if modes and modes <= {"MultiPhotonMicroscopy"}:
        return "two-photon"
    return "one-photon" if modes and modes <= set(ONE_PHOTON) else None


def _device(root: Element) -> Device:
    microscope = root.find("Instrument/Microscope")
    if microscope is None:
        return Device()
    return Device(manufacturer=microscope.get("Manufacturer"), model=microscope.get("Model"))


def _start(image: Element) -> tuple[datetime | None, str]:
    """Return when the recording began: with a time zone, or as words without one."""
    text = _text(image, "AcquisitionDate")
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None, ""
    if moment is None or moment.tzinfo is not None:
        return moment, ""
    return None, moment.isoformat()


def _findings(grid: Element, tags: arrays.TiffTags, local: str) -> Iterator[Finding]:
    if local:
        yield local_start("OME", local)
    kind = grid.get("Type", "")
    if TYPES.get(kind, kind) != tags.dtype.name:
        yield warning(
            f"OME says that the values are {kind or 'of no type'}, the pages hold {tags.dtype.name}, which is written"
        )
    for key in ("PhysicalSizeX", "PhysicalSizeY", "TimeIncrement"):
        if grid.get(key) is not None and positive(grid.get(key)) is None:
            yield warning(
                f"OME says {key}={grid.get(key)}; expected more than 0; it is left out", "give it as an option"
            )
